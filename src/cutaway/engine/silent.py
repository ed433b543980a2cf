"""Which channels of a network ever fire on a data set: folded batch by batch, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import fx, nn

from cutaway.engine.extremes import largest, smallest
from cutaway.graph import extra
from cutaway.graph.functions import name_of
from cutaway.graph.names import step_named

RuleName = Literal["zero", "constant"]
Extremes = tuple[torch.Tensor, torch.Tensor | None]
"""Of one layer on N pictures: largest values (N, C); smallest (C,), None where the rule does not ask for them."""
EPS = 1e-5
"""A channel is constant where its values differ by at most this share of its layer's largest value."""
RARE = 0.01
"""A channel that fires on fewer pictures than this share fires rarely."""

# Above zero exactly where their input is: for these "fires" has a meaning without a floor at zero, too.
_SIGNED = (nn.SiLU, nn.GELU, nn.Mish, nn.Hardswish, nn.ELU, nn.SELU, nn.CELU, nn.LeakyReLU, nn.PReLU, nn.Tanh,
           nn.Softsign)  # fmt: skip
_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm)
_SECOND = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d,
           nn.GroupNorm, nn.InstanceNorm2d)  # fmt: skip
_TO_LAST, _TO_SECOND = (0, 2, 3, 1), (0, 3, 1, 2)  # the axes of maps, channels to the end and back


@dataclass(frozen=True, slots=True)
class Rule:
    """When a channel of one layer is silent: "zero", never above the threshold; "constant", always the same value.

    `fires`: whether being above the threshold on a picture means something, so that pictures can be counted.
    `last`: whether the channels are the last axis of the layer's value rather than the second.
    """

    name: RuleName
    fires: bool
    last: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Of one layer's C channels so far: largest and smallest value, and the number of pictures each has fired on."""

    high: torch.Tensor  # (C,)
    low: torch.Tensor  # (C,)
    fired: torch.Tensor  # (C,) int64


@dataclass(frozen=True, slots=True)
class Silence:
    """One layer: channels that never fire and channels that fire on fewer than 1 % of the pictures, by number.

    `rule` says what never firing means here; `rare` is None where firing has no meaning (a sigmoid is never zero).
    `finite` is False where the layer gave NaN or infinity: its other numbers mean little then.
    """

    layer: str
    rule: RuleName
    channels: int
    silent: tuple[int, ...]
    rare: tuple[int, ...] | None
    finite: bool = True


class ChannelCounter:
    """Sees the values of layers batch by batch (`stream` hands them over) and says at any time which channels fired."""

    def __init__(self, graph: fx.GraphModule, layers: Collection[str], threshold: float = 0.0) -> None:
        """Raises BadInput for a layer that is not there."""
        self.threshold = threshold
        self.rules = {name: rule_of(graph, step_named(graph, name)) for name in layers}
        self._state: tuple[int, dict[str, Record]] = (0, {})

    @property
    def pictures(self) -> int:
        return self._state[0]

    def look(self, name: str, value: torch.Tensor) -> Extremes:
        """Layer, its value for N pictures -> the largest of each channel on each, and the smallest of each channel."""
        rule = self.rules[name]
        places = [a for a in range(1, value.ndim) if a != (value.ndim - 1 if rule.last else 1)]
        maps = places == [2, 3]
        tops = largest(value) if maps else value.amax(places) if places else value  # (N, C)
        if rule.name != "constant":
            return tops, None
        return tops, (smallest(value) if maps else value.amin(places) if places else value).amin(0)

    def __call__(self, seen: Mapping[str, Extremes]) -> None:
        """{layer: what `look` made of its value} -> counted; all of it or, where Ctrl-C falls in between, nothing."""
        pictures, records = self._state
        new = {name: self._with(records.get(name), *extremes) for name, extremes in seen.items()}
        self._state = (pictures + len(next(iter(seen.values()))[0]), new)

    def found(self) -> tuple[Silence, ...]:
        """-> what is known after the pictures so far, layers in the order they were asked for."""
        pictures, records = self._state
        return tuple(self._silence(name, records[name], pictures) for name in self.rules if name in records)

    def _with(self, before: Record | None, tops: torch.Tensor, low: torch.Tensor | None) -> Record:
        high, fired = tops.amax(0), (tops > self.threshold).sum(0)
        low = high if low is None else low
        if before is None:
            return Record(high, low, fired)
        return Record(torch.maximum(before.high, high), torch.minimum(before.low, low), before.fired + fired)

    def _silence(self, name: str, record: Record, pictures: int) -> Silence:
        rule = self.rules[name]
        if rule.name == "zero":
            quiet = record.high <= self.threshold
        else:
            scale = torch.maximum(record.high.abs(), record.low.abs()).max()
            quiet = record.high - record.low <= EPS * scale
        seldom = ~quiet & (record.fired < RARE * pictures) if rule.fires else None
        finite = bool(record.high.isfinite().all()) and bool(record.low.isfinite().all())
        return Silence(name, rule.name, len(quiet), _at(quiet), None if seldom is None else _at(seldom), finite)


def rule_of(graph: fx.GraphModule, node: fx.Node) -> Rule:
    """Graph, node -> the rule for its channels: "zero" for what rests at zero (ReLU and its kin), else "constant"."""
    last = channels_last(graph, node)
    if node.op != "call_module":
        floor = node.op == "call_function" and (name_of(node.target) == "relu" or _clamped(node))  # type: ignore[arg-type]
        return Rule("zero", True, last) if floor else Rule("constant", False, last)
    layer = graph.get_submodule(str(node.target))
    if _rests_at_zero(layer):
        return Rule("zero", True, last)
    return Rule("constant", isinstance(layer, _SIGNED), last)


def channels_last(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a value's channels are its last axis: so behind a dense layer or layer norm, not behind a convolution."""
    at = node
    while True:
        layer = graph.get_submodule(str(at.target)) if at.op == "call_module" else None
        if type(layer) in _LAST or isinstance(layer, _SECOND):
            return type(layer) in _LAST
        if (order := _permuted(at, layer)) in (_TO_LAST, _TO_SECOND):
            return order == _TO_LAST
        if not at.all_input_nodes:
            return False
        at = at.all_input_nodes[0]


def _permuted(node: fx.Node, layer: nn.Module | None) -> tuple[object, ...]:
    """A step that puts the axes into another order -> that order; () for any other step."""
    if layer is not None:
        return tuple(getattr(layer, "dims", ())) if type(layer).__name__ == "Permute" else ()
    word = node.target if isinstance(node.target, str) else name_of(node.target)
    if node.op not in ("call_method", "call_function") or word != "permute":
        return ()
    dims = node.args[1:] or (node.kwargs.get("dims", ()),)
    return tuple(dims[0]) if isinstance(dims[0], tuple | list) else dims


def _rests_at_zero(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Hardtanh) and not isinstance(layer, nn.ReLU6):
        return layer.min_val == 0
    if isinstance(layer, extra.ClippedReLU):
        return layer.negative_slope == 0
    return isinstance(layer, nn.ReLU | nn.ReLU6 | nn.Hardsigmoid)


def _clamped(node: fx.Node) -> bool:
    low = node.kwargs.get("min", node.args[1] if len(node.args) > 1 else None)
    return name_of(node.target) == "clamp" and isinstance(low, int | float) and low == 0  # type: ignore[arg-type]


def _at(mask: torch.Tensor) -> tuple[int, ...]:
    return tuple(int(i) for i in mask.nonzero().flatten())
