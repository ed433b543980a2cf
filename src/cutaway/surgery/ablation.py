"""One channel of one layer silenced, for many channels and pictures at once, with as little computed as possible.

Three things make it quick, and none changes an answer beyond rounding:
- only what lies behind the layer is run, and (channel, picture) pairs of one layer share batches;
- up to the next convolution or dense layer a silenced channel stays alone: that layer's output is the one it had, plus
  what this channel put into it now (a constant) minus what it put in before. Nothing else of the layer is computed;
- a channel that gives nothing on a picture anyway leaves the answer as it is, and that pair is not run at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import fx, nn

from cutaway.draw.families import family_of
from cutaway.engine.cut import part_of
from cutaway.engine.run import layer_at
from cutaway.graph import extra
from cutaway.graph.functions import name_of
from cutaway.graph.names import names_of

WEIGHTED = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear
_FLATTENS = nn.Flatten | extra.ChannelsLastFlatten
_POOLS = (
    nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d | extra.SamePool2d | nn.ZeroPad2d
    | nn.ConstantPad2d | nn.ReflectionPad2d | nn.ReplicationPad2d | extra.SamePad2d | nn.Upsample
)  # fmt: skip
_POINTWISE = frozenset({"relu", "sigmoid", "tanh", "softplus", "relu6", "hardtanh", "silu", "hardswish"})
_POOL_FUNCTIONS = frozenset({"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"})
_BATCH_BYTES = 6 * 2**20
"""Of the largest map behind the layer, all pairs of a batch together: larger ones leave the processor's caches."""
_PAIRS = (8, 256)


@dataclass(frozen=True, slots=True)
class Point:
    """A layer with weights, the step `at` which its channels are silenced (its activation), how many, on which axis."""

    layer: str
    at: str
    channels: int
    dim: int


def points_of(graph: fx.GraphModule) -> tuple[Point, ...]:
    """Graph -> its layers with weights in running order, but for the last: its channels are the answer itself.

    A layer's channels are silenced after the normalisation and activation that follow it, as far as nothing else reads
    what lies between.
    """
    names = {node: name for name, node in names_of(graph).items()}
    weighted = [node for node in names if isinstance(_layer(graph, node), WEIGHTED)]
    found = []
    for node in weighted:
        at = _finished(graph, node)
        behind = downstream(graph, at)
        if any(other in behind for other in weighted):
            layer = _layer(graph, node)
            dim = -1 if isinstance(layer, nn.Linear) else 1
            channels = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels  # type: ignore[union-attr]
            found.append(Point(names[node], names[at], int(channels), dim))  # type: ignore[arg-type]
    return tuple(found)


def _finished(graph: fx.GraphModule, node: fx.Node) -> fx.Node:
    """A layer's node -> the node of its activation, or of its normalisation where no activation follows at once."""
    while len(node.users) == 1:
        (user,) = node.users
        family = family_of(_kind(graph, user))
        if family not in ("norm", "activation") or len(user.all_input_nodes) != 1:
            return node
        node = user
        if family == "activation":
            return node
    return node


def downstream(graph: fx.GraphModule, start: fx.Node) -> set[fx.Node]:
    """Graph, node -> all nodes that depend on it, the output node left out."""
    found: set[fx.Node] = set()
    for node in graph.graph.nodes:
        if node.op != "output" and any(n is start or n in found for n in node.all_input_nodes):
            found.add(node)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Some of a layer's channels silenced on some pictures: which (both (B,)), and the network's outputs (B, K)."""

    channels: torch.Tensor
    pictures: torch.Tensor
    outputs: torch.Tensor


class Ablation:
    """One point of a network made ready: which values of a plain run must be kept, and what is run for silenced
    channels."""

    def __init__(self, graph: fx.GraphModule, point: Point, at: fx.Node, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Graph (an engine.fast twin, or the network itself), point, its node there, shapes with the batch axis.

        Layers of the graph that would write into kept values do so no more; else it stays as it is.
        """
        self._at, self._dim = at, point.dim
        chain, layer = _alone_until(graph, at) if point.dim == 1 or len(shapes[at.name]) == 2 else ([], None)
        self._read = chain[-1] if chain else at
        start = layer or at
        tail = downstream(graph, start)
        beside = {n for node in tail for n in node.all_input_nodes if n not in tail and n is not start}
        self._others = [n for n in graph.graph.nodes if n in beside and n.op != "get_attr"]
        self._tail = part_of(graph, [start, *self._others], None)
        self.kept: tuple[fx.Node, ...] = tuple(dict.fromkeys([start, self._read, *self._others]))
        """Nodes whose values of a plain run are needed."""
        largest = max(_size(shapes.get(n.name, ())) for n in (start, *tail))
        self.batch = max(_PAIRS[0], min(_PAIRS[1], _BATCH_BYTES // (4 * largest)))
        self._through: Callable[[torch.Tensor, torch.Tensor], Change] | None = None
        if layer is not None:
            module = layer_at(graph, str(layer.target))
            silent = _silent(graph, at, self._read, shapes[at.name])
            if isinstance(module, nn.Linear):
                self._through = _Dense(module, silent, _owners(graph, chain, shapes, point.channels))
            elif isinstance(module, nn.Conv2d):
                self._through = _Conv(module, silent)
        self._start = start
        _spare(graph, self.kept)

    def __call__(self, values: Mapping[fx.Node, torch.Tensor]) -> Iterator[Pairs]:
        """Values of the kept nodes for N pictures -> the pairs that change anything, in batches, channel by channel."""
        with torch.inference_mode():
            if self._through is not None:
                active, changed = self._through(values[self._read], values[self._start])
            else:
                active, changed = _copied(values[self._at], self._dim)
            pairs = active.T.nonzero()  # (pairs, 2): channel, picture
        for first in range(0, len(pairs), self.batch):
            channels, pictures = pairs[first : first + self.batch].T
            with torch.inference_mode():
                others = [values[n].index_select(0, pictures) for n in self._others]
                outputs = self._tail(changed(channels, pictures), *others)
            yield Pairs(channels, pictures, outputs)


Change = tuple[torch.Tensor, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]
"""Which channels do anything on which pictures (N, C); and: channels (B,), pictures (B,) -> the changed values."""


def _copied(value: torch.Tensor, dim: int) -> Change:
    """A step's value -> changes of it: copies with one channel each set to zero."""
    apart = value.movedim(dim, 1)
    active = (apart != 0).flatten(2).any(2) if apart.ndim > 2 else apart != 0  # (N, C)

    def changed(channels: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        copies = value.index_select(0, pictures)
        copies.movedim(dim, 1)[torch.arange(len(channels)), channels] = 0
        return copies

    return active, changed


class _Conv:
    """A convolution that reads channels of which one is silent: what it gave, and the difference that makes."""

    def __init__(self, layer: nn.Conv2d, silent: torch.Tensor) -> None:
        self._layer, self._silent = layer, silent[0]  # (C, H, W)
        self._weight = layer.weight.detach().flatten(2).permute(1, 2, 0).contiguous()  # (C, kh * kw, O)

    def __call__(self, read: torch.Tensor, gave: torch.Tensor) -> Change:
        read = read.contiguous()  # (N, C, H, W): one channel of it in one piece
        there = gave.permute(0, 2, 3, 1).contiguous()  # (N, H', W', O)
        active = (read != self._silent).flatten(2).any(2)
        layer = self._layer
        assert not isinstance(layer.padding, str)
        window = (layer.kernel_size, layer.dilation, layer.padding, layer.stride)
        plain = layer.kernel_size == (1, 1) and layer.stride == (1, 1) and layer.padding == (0, 0)

        def changed(channels: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
            difference = self._silent[channels] - read[pictures, channels]  # (B, H, W)
            windows = (
                difference.flatten(1)[:, None] if plain else F.unfold(difference[:, None], *window)
            )  # (B, kh * kw, places)
            value = there.index_select(0, pictures)
            value.flatten(1, 2).baddbmm_(windows.transpose(1, 2), self._weight[channels])
            return value.permute(0, 3, 1, 2)

        return active, changed


class _Dense:
    """The same for a dense layer; `owners` (C, n) tells which n of the numbers it reads come from each channel."""

    def __init__(self, layer: nn.Linear, silent: torch.Tensor, owners: torch.Tensor) -> None:
        self._owners = owners
        self._silent = silent[0, owners]  # (C, n)
        self._weight = layer.weight.detach()[:, owners].permute(1, 2, 0).contiguous()  # (C, n, O)

    def __call__(self, read: torch.Tensor, gave: torch.Tensor) -> Change:
        apart = read[:, self._owners]  # (N, C, n)
        active = (apart != self._silent).any(2)

        def changed(channels: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
            difference = self._silent[channels] - apart[pictures, channels]  # (B, n)
            value = gave.index_select(0, pictures)
            if difference.shape[1] == 1:
                return value.addcmul_(difference, self._weight[channels, 0])
            ends = [*(channels.diff().nonzero().flatten() + 1).tolist(), len(channels)]
            for first, last in zip([0, *ends], ends, strict=False):  # pairs come channel by channel
                value[first:last].addmm_(difference[first:last], self._weight[channels[first]])
            return value

        return active, changed


def _alone_until(graph: fx.GraphModule, at: fx.Node) -> tuple[list[fx.Node], fx.Node | None]:
    """Node -> it and the steps behind it that keep its channels apart, and the layer that then joins them, if one does.

    That is a plain convolution or dense layer, and nothing else reads any step on the way.
    """
    chain, flat = [at], False
    while len(chain[-1].users) == 1:
        (user,) = chain[-1].users
        layer = _layer(graph, user)
        if type(layer) is nn.Linear and (flat or _is_row(graph, at)):
            return chain, user
        if type(layer) is nn.Conv2d and layer.groups == 1 and not flat:
            joins = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
            return (chain, user) if joins else ([], None)
        flattens = isinstance(layer, _FLATTENS) or _flattens(user)
        if not (flattens or _keeps_apart(graph, user, flat)):
            break
        flat = flat or flattens or (_word(user) == "mean" and not user.kwargs.get("keepdim", user.args[2:] == (True,)))
        chain.append(user)
    return [], None


def _keeps_apart(graph: fx.GraphModule, node: fx.Node, flat: bool) -> bool:
    """Whether each channel of a step's value comes from the same channel of its input alone; `flat`: each number."""
    if len(node.all_input_nodes) != 1:
        return False
    layer, kind = _layer(graph, node), _kind(graph, node)
    if layer is None:
        named = kind in _POINTWISE or (kind in _POOL_FUNCTIONS and not flat)
        return named or (kind == "mean" and not flat and _over_places(node))
    if isinstance(layer, nn.PReLU):
        return not flat
    if family_of(kind) == "activation" or isinstance(layer, nn.Identity | nn.Dropout | nn.Dropout2d):
        return True
    if flat:
        return False
    if isinstance(layer, nn.Conv2d):
        return layer.groups == layer.in_channels == layer.out_channels
    return isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d | _POOLS)


def _over_places(node: fx.Node) -> bool:
    """Whether a mean is taken over rows and columns."""
    asked = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    return isinstance(asked, tuple | list) and sorted(asked) in ([2, 3], [-2, -1])


def _flattens(node: fx.Node) -> bool:
    return _word(node) == "flatten" and node.args[1:] == (1,) and not node.kwargs


def _is_row(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a step's channels are its only axis: it is a dense layer, or what follows one."""
    while not isinstance(_layer(graph, node), WEIGHTED):
        node = node.all_input_nodes[0]
    return isinstance(_layer(graph, node), nn.Linear)


def _silent(graph: fx.GraphModule, at: fx.Node, read: fx.Node, shape: tuple[int, ...]) -> torch.Tensor:
    """What the next layer reads where every channel is silent, (1, C, ...): for a channel the same on every picture."""
    with torch.inference_mode():
        found: torch.Tensor = part_of(graph, [at], [read])(torch.zeros(1, *shape[1:]))[0]
    return found


def _owners(
    graph: fx.GraphModule, chain: list[fx.Node], shapes: Mapping[str, tuple[int, ...]], channels: int
) -> torch.Tensor:
    """-> (C, n): the places of each channel's numbers in the row that the dense layer reads."""
    row = torch.arange(channels)
    for node in chain[1:]:
        if isinstance(_layer(graph, node), _FLATTENS) or _flattens(node):
            before = node.all_input_nodes[0]
            shape = shapes[before.name]
            number = torch.arange(channels, dtype=torch.float32).view(1, -1, *[1] * (len(shape) - 2)).expand(shape)
            row = part_of(graph, [before], [node])(number)[0][0]
    return row.argsort(stable=True).view(channels, -1)


def _spare(graph: fx.GraphModule, kept: tuple[fx.Node, ...]) -> None:
    """What reads a kept value must not write into it."""
    for node in kept:
        for user in node.users:
            layer = _layer(graph, user)
            if layer is not None and getattr(layer, "inplace", False):
                layer.inplace = False  # type: ignore[assignment]


def _layer(graph: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return layer_at(graph, str(node.target)) if node.op == "call_module" else None


def _kind(graph: fx.GraphModule, node: fx.Node) -> str:
    layer = _layer(graph, node)
    return type(layer).__name__ if layer is not None else _word(node)


def _word(node: fx.Node) -> str:
    if node.op == "call_function" and callable(node.target):
        return name_of(node.target) or str(getattr(node.target, "__name__", ""))
    return str(node.target) if node.op == "call_method" else ""


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape[1:])
