"""A step -> the weighted layer that fills its channels and what happens to them on the way: norm, scale, activation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx, nn

from cutaway.engine.run import label
from cutaway.engine.silent import rule_of
from cutaway.graph import extra
from cutaway.graph.functions import name_of
from cutaway.graph.names import step_named
from cutaway.image import InputContract

_NORMS = nn.BatchNorm1d | nn.BatchNorm2d
_SOURCES = (nn.Conv1d, nn.Conv2d, nn.Linear)
_PASSES = (nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d | nn.Dropout | nn.Dropout1d
           | nn.Dropout2d | nn.Identity)  # fmt: skip
"""Steps through which a black channel stays black, and one that is not does not become so."""
_SMOOTH = (nn.SiLU | nn.GELU | nn.Mish | nn.Hardswish | nn.ELU | nn.SELU | nn.CELU | nn.LeakyReLU | nn.PReLU | nn.Tanh
           | nn.Softsign | nn.Sigmoid | nn.Softplus)  # fmt: skip
_PASSING_CALLS = frozenset({"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"})


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """`source` reads `read` and makes the channels; `norms` come behind it, then an activation that gets `before`.

    `source` is None where the channels are not made by one weighted layer: `stopped` names the step that makes them.
    `cuts`: the activation rests at zero, and passes no gradient, up to the input `floor`; from `top` on (infinity: it
    has none) it is full.
    """

    source: nn.Module | None
    source_name: str
    read: fx.Node | None
    read_name: str
    before: fx.Node | None
    norms: tuple[tuple[str, nn.Module], ...]
    cuts: bool = False
    floor: float = 0.0
    top: float = float("inf")
    bounds: tuple[float, float] | None = None  # of what is read; None where it is the picture
    stopped: str = ""

    def weights(self, channel: int) -> torch.Tensor:
        """-> (inputs, ...), of this channel alone."""
        assert self.source is not None
        return self.source.weight[channel].detach()  # type: ignore[index]

    def inputs(self, channel: int) -> slice:
        """-> which channels of `read` it sees."""
        groups = getattr(self.source, "groups", 1)
        wide = self.weights(channel).shape[0]
        first = channel // (len(self.source.weight) // groups) * wide  # type: ignore[union-attr,arg-type]
        return slice(first, first + wide)

    def scale(self, channel: int) -> float:
        """-> what norms multiply the channel by, all together."""
        found = 1.0
        for _, norm in self.norms:
            found *= _affine(norm, channel)[0]
        return found

    def strength(self, channel: int) -> float:
        """-> its largest weight, as norms scale it."""
        return abs(self.scale(channel)) * float(self.weights(channel).abs().max())

    def bias(self, channel: int) -> float:
        """-> what is added to scale * (weights * inputs)."""
        own = getattr(self.source, "bias", None)
        found = 0.0 if own is None else float(own[channel].detach())
        for _, norm in self.norms:
            factor, shift = _affine(norm, channel)
            found = factor * found + shift
        return found

    @property
    def normed(self) -> bool:
        """-> whether a batch norm lies on the way: in training it moves the channel by the batch's own statistics."""
        return any(isinstance(norm, _NORMS) for _, norm in self.norms)

    def zeroed(self, channel: int) -> str:
        return next(name for name, norm in self.norms if _affine(norm, channel)[0] == 0)

    def spread(self, channel: int) -> tuple[float, float] | None:
        """-> mean and standard deviation in training before the activation, known where a batch norm comes last."""
        if not self.norms or not isinstance(norm := self.norms[-1][1], _NORMS):
            return None
        shift, factor = (0.0 if norm.bias is None else float(norm.bias[channel].detach())), 1.0
        if norm.weight is not None:
            factor = abs(float(norm.weight[channel].detach()))
        return shift, factor

    def reach(self, channel: int, contract: InputContract) -> float | None:
        """-> the largest sum any picture can bring about, None where what is read has no known end."""
        weights = self.weights(channel).double() * self.scale(channel)
        if self.bounds is None:
            low, high = (end[self.inputs(channel)] for end in _ends(contract))
        else:
            low, high = (torch.full((len(weights),), end, dtype=torch.float64) for end in self.bounds)
        shape = (-1, *[1] * (weights.ndim - 1))
        best = torch.where(weights > 0, weights * high.view(shape), weights * low.view(shape))
        best = torch.where(weights == 0, 0.0, best)
        if getattr(self.source, "padding", 0) not in (0, (0,), (0, 0)):  # zeros of the border are read too
            best = best.clamp_min(0)
        total = float(best.sum()) + self.bias(channel)
        return total if total < float("inf") else None


def path_to(graph: fx.GraphModule, layer: str) -> Path:
    """Graph, name of a step -> the way its channels came. Raises BadInput for a name that is not there."""
    node = step_named(graph, layer)
    norms: list[tuple[str, nn.Module]] = []
    before: fx.Node | None = None
    ends: tuple[bool, float, float] = (False, 0.0, float("inf"))
    while True:
        module = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, _SOURCES):
            read = node.all_input_nodes[0]
            at = node if before is None else before
            bounds = _bounds(graph, read)
            return Path(module, label(node), read, label(read), at, tuple(reversed(norms)), *ends, bounds)
        if len(node.all_input_nodes) != 1:
            return Path(None, "", None, "", before, (), *ends, stopped=label(node))
        if before is None and node.op != "placeholder" and rule_of(graph, node).name == "zero":
            before, ends = node.all_input_nodes[0], (True, *_ends_of(graph, node))
        elif before is None and isinstance(module, _SMOOTH):
            before = node.all_input_nodes[0]
        elif isinstance(module, _NORMS | extra.ScaleChannels) and _fixed(module):
            norms.append((label(node), module))
            before = node if before is None else before
        elif before is not None or not _passes(graph, node):
            return Path(None, "", None, "", before, (), *ends, stopped=label(node))
        node = node.all_input_nodes[0]


def _affine(norm: nn.Module, channel: int) -> tuple[float, float]:
    if isinstance(norm, extra.ScaleChannels):
        return norm.factors[channel], 0.0
    assert isinstance(norm, _NORMS)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight = 1.0 if norm.weight is None else float(norm.weight[channel].detach())
    shift = 0.0 if norm.bias is None else float(norm.bias[channel].detach())
    factor = weight / float(norm.running_var[channel] + norm.eps) ** 0.5
    return factor, shift - factor * float(norm.running_mean[channel])


def _fixed(norm: nn.Module) -> bool:
    return (norm.dim == 1) if isinstance(norm, extra.ScaleChannels) else norm.running_mean is not None


def _named(node: fx.Node) -> str:
    return name_of(node.target) or ""  # type: ignore[arg-type]


def _passes(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), _PASSES)
    return node.op == "call_function" and _named(node) in _PASSING_CALLS


def _ends_of(graph: fx.GraphModule, node: fx.Node) -> tuple[float, float]:
    """Activation that rests at zero -> up to which input it does, and from which on it is full."""
    if node.op == "call_module":
        layer = graph.get_submodule(str(node.target))
        if isinstance(layer, nn.Hardtanh):  # ReLU6 too
            return 0.0, float(layer.max_val)
        if isinstance(layer, extra.ClippedReLU):
            return layer.threshold, float("inf") if layer.top is None else layer.top
        return (-3.0, 3.0) if isinstance(layer, nn.Hardsigmoid) else (0.0, float("inf"))
    high = node.kwargs.get("max", node.args[2] if len(node.args) > 2 else None)
    return 0.0, float(high) if _named(node) == "clamp" and isinstance(high, int | float) else float("inf")


def _bounds(graph: fx.GraphModule, node: fx.Node) -> tuple[float, float] | None:
    """Ends of a value whatever the picture; None for the picture itself."""
    while node.op != "placeholder":
        module = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
        if len(node.all_input_nodes) == 1 and rule_of(graph, node).name == "zero":
            return 0.0, 1.0 if isinstance(module, nn.Hardsigmoid) else _ends_of(graph, node)[1]
        moved = isinstance(module, nn.Flatten | extra.ChannelsLastFlatten) or _named_call(node) == "flatten"
        if len(node.all_input_nodes) != 1 or not (moved or _passes(graph, node)):
            return float("-inf"), float("inf")
        node = node.all_input_nodes[0]
    return None


def _named_call(node: fx.Node) -> str:
    return _named(node) if node.op == "call_function" else str(node.target)


def _ends(contract: InputContract) -> tuple[torch.Tensor, torch.Tensor]:
    """Contract -> the least and the largest number each channel of the picture can hold (C,)."""
    from cutaway.engine.prepare import affine

    gain, shift = affine(contract, torch.zeros(1, dtype=torch.float64))
    black, white = shift.flatten(), (gain * 255 + shift).flatten()
    return torch.minimum(black, white), torch.maximum(black, white)
