"""Why a channel's map is black: what it reads, what weights, norm and bias make of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.prepare import prepare
from cutaway.engine.run import input_of, run
from cutaway.engine.silent import EPS, channels_last
from cutaway.errors import must_be
from cutaway.explanation.black_path import Path, path_to
from cutaway.graph.names import step_named
from cutaway.image import InputContract
from cutaway.model import Model

Kind = Literal[
    "alive", "weights", "scale", "cannot", "input", "bias", "against", "full", "below", "constant", "unknown"
]
KINDS: dict[Kind, str] = {
    "alive": "not black",
    "weights": "all its weights zero",
    "scale": "multiplied by zero",
    "cannot": "no picture can excite it",
    "input": "reads only zeros",
    "bias": "held down by its bias",
    "against": "everything it reads speaks against it",
    "below": "nothing above zero reaches it",
    "full": "at its upper end everywhere",
    "constant": "the same everywhere",
    "unknown": "made by a step that has no weights of its own",
}
_SPREADS = 3.0
"""Standard deviations below zero from which on a norm's own numbers say that it was black in training, too."""


_NOTHING = 1e-6
"""Weights below this share of the layer's largest count as zero: weight decay leaves numbers like 1e-39."""


@dataclass(frozen=True, slots=True)
class Why:
    """Of one channel: the kind of reason, the sentence that says it with numbers.

    `highest`: the largest value before the activation over the pictures looked at; `bias`: what is added to the
    weighted sum, norm included, so `highest - bias` is what the pictures themselves bring. None where not measured.
    """

    layer: str
    channel: int
    kind: Kind
    sentence: str
    highest: float | None = None
    bias: float | None = None

    @property
    def words(self) -> str:
        """The kind in a few words, as after a number of channels."""
        return KINDS[self.kind]

    def to_dict(self) -> dict[str, Any]:
        return {"channel": self.channel, "reason": self.kind, "sentence": self.sentence,
                "highest": _rounded(self.highest), "bias": _rounded(self.bias)}  # fmt: skip


def why_silent(model: Model, layer: str, channel: int, pixels: NDArray[np.uint8], photos: int = 0) -> Why:
    """Model, name of a step, its channel, uint8 (N, H, W, 3) at the contract's size -> why it is black on all of them.

    `photos`: on so many photos it never fired (more than the N looked at here), 0 if that was not counted. Raises
    BadInput for a step or a channel that is not there.
    """
    return why_black(model, layer, (channel,), prepare(pixels, model.contract), photos)[0]


def why_black(model: Model, layer: str, channels: Collection[int], x: torch.Tensor, photos: int = 0) -> tuple[Why, ...]:
    """Like `why_silent` for several channels of a step, on a batch as the network gets it (N, C, H, W)."""
    return why_layers(model, {layer: channels}, x, photos)[layer]


def why_layers(
    model: Model, silent: Mapping[str, Collection[int]], x: torch.Tensor, photos: int = 0
) -> dict[str, tuple[Why, ...]]:
    """Like `why_silent` for channels of several steps in one run: {step: channels}, a batch (N, C, H, W) as the network
    gets it -> {step: a Why for each of its channels}. Values are kept until the last step that needs them is through.
    """
    graph = model.graph
    paths = {layer: path_to(graph, layer) for layer in silent}
    own = {step_named(graph, layer): layer for layer in silent}
    needs = {node: {node, paths[layer].before, paths[layer].read} for node, layer in own.items()}
    held: dict[fx.Node | None, torch.Tensor] = {input_of(graph): x}
    found: dict[str, tuple[Why, ...]] = {}

    def look(node: fx.Node, value: Any) -> None:
        if any(node in nodes for nodes in needs.values()):
            held[node] = value
        if node not in own:
            return
        layer = own[node]
        last = channels_last(graph, node)
        shown, before, read = (
            None if n is None else _channels_second(held[n], last)
            for n in (node, paths[layer].before, paths[layer].read)
        )
        assert shown is not None
        found[layer] = _whys(_Seen(layer, shown, before, read, photos, model.contract), paths[layer], silent[layer])
        del needs[node]
        for done in [n for n in held if not any(n in nodes for nodes in needs.values())]:
            del held[done]

    run(graph, {input_of(graph): x}, (), look)
    return found


def _whys(seen: _Seen, path: Path, channels: Collection[int]) -> tuple[Why, ...]:
    count = seen.shown.shape[1] if seen.shown.ndim > 1 else 0
    if any(not 0 <= channel < count for channel in channels):
        raise must_be("channel", f"from 0 to {count - 1}, as {seen.layer} has {count} channels", list(channels))
    strongest = 0.0 if path.source is None else max((path.strength(channel) for channel in range(count)), default=0.0)
    seen = dataclasses.replace(seen, strongest=strongest)
    return tuple(_why(seen, path, channel) for channel in channels)


def _channels_second(value: torch.Tensor, last: bool) -> torch.Tensor:
    return value.movedim(-1, 1) if last and value.ndim > 2 else value


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    layer: str
    shown: torch.Tensor
    before: torch.Tensor | None  # what the activation gets
    read: torch.Tensor | None  # what the weighted layer reads
    photos: int
    contract: InputContract
    strongest: float = 0.0  # the largest weight of all the layer's channels, as norms scale it

    @property
    def where(self) -> str:
        return "this picture" if len(self.shown) == 1 else f"the {len(self.shown)} pictures looked at"


def _why(seen: _Seen, path: Path, channel: int) -> Why:
    values = seen.shown[:, channel]
    name = f"Channel {channel} of {seen.layer}"

    def because(kind: Kind, text: str, *numbers: float | None) -> Why:
        return Why(seen.layer, channel, kind, f"{name} {text}{_training(seen, path, channel, kind)}", *numbers)

    low, high = float(values.min()), float(values.max())
    same = low == high or (not path.cuts and high - low <= EPS * float(seen.shown.abs().max()))
    if not same or (values.numel() == 1 and low):
        share = float((values > 0).float().mean())
        return because("alive", f"is not black: it is above zero at {share:.1%} of the places on {seen.where}.")
    gives = f"gives {high:.4g} everywhere"
    before = None if seen.before is None else seen.before[:, channel]
    top = None if before is None else float(before.max())
    if path.source is None or seen.read is None or before is None or top is None:
        if top is not None and path.cuts and top <= path.floor:
            return because(
                "below", f"is black: what {path.stopped} gives it never exceeds {top:.4g} on {seen.where}.", top
            )
        return because("unknown", f"{gives} on {seen.where}; it is made by {path.stopped}, which has no weights.", top)
    weights, bias = path.weights(channel), path.bias(channel)  # (inputs, places...)
    if path.scale(channel) == 0:
        return because("scale", f"{gives} whatever the picture: {path.zeroed(channel)} multiplies it by 0.", top, bias)
    strength, most = path.strength(channel), seen.strongest
    if strength <= _NOTHING * most:
        least = (
            "zero" if strength == 0 else f"nearly zero (at most {strength:.1g}; others of the layer reach {most:.2g})"
        )
        return because("weights", f"{gives} whatever the picture: all its {weights.numel():,} weights in "
                       f"{path.source_name} are {least}, and its bias is {bias:.4g}.", top, bias)  # fmt: skip
    reach = path.reach(channel, seen.contract) if path.cuts else None
    if reach is not None and reach <= path.floor:
        return because("cannot", "is black whatever the picture: with everything it reads as it likes it best, its sum "
                       f"reaches {reach:.4g} (bias {bias:.4g}).", top, bias)  # fmt: skip
    mine = seen.read[:, path.inputs(channel)]
    used = mine[:, weights.reshape(len(weights), -1).any(1)]
    if not used.any():
        those, are = (f"all {used.shape[1]} channels", "are") if used.shape[1] > 1 else ("the one channel", "is")
        return because("input", f"{gives}: {those} it reads of {path.read_name} {are} zero on {seen.where}, which "
                       f"leaves its bias, {bias:.4g}.", top, bias)  # fmt: skip
    if path.cuts and float(before.min()) >= path.top:
        return because("full", f"is at its upper end everywhere on {seen.where}: what it gets never falls below "
                       f"{float(before.min()):.4g}.", top, bias)  # fmt: skip
    if not path.cuts or top > path.floor:
        return because("constant", f"{gives} on {seen.where}.", top, bias)
    brought = top - bias
    if brought > path.floor:
        return because("bias", f"is black: on {seen.where} what it reads excites it to {brought:.4g} at most, and its "
                       f"bias of {bias:.4g} pulls that down to {top:.4g}.", top, bias)  # fmt: skip
    return because("against", f"is black: its sum never exceeds {top:.4g} on {seen.where}; what it reads brings "
                   f"{brought:.4g} at best, its bias {bias:+.4g}.", top, bias)  # fmt: skip


def _training(seen: _Seen, path: Path, channel: int, kind: Kind) -> str:
    """What else is known: how it was in training, and that it cannot come back."""
    text = ""
    spread = path.spread(channel)
    if kind in ("bias", "against", "input") and spread is not None:
        middle, deviation = spread
        if deviation > 0 and middle < -_SPREADS * deviation:
            text += (f" In training its values lay around {middle:.3g}, give or take {deviation:.2g}: it was black "
                     "there, too.")  # fmt: skip
    if kind in ("bias", "against", "cannot", "input") and path.cuts and seen.photos and not path.normed:
        text += (
            f" None of {seen.photos:,} photos excites it, so its weights get no gradient: "
            "training on them leaves it as it is."
        )
    return text


def tally(reasons: Sequence[Why]) -> dict[Kind, int]:
    """Reasons -> how many channels each kind holds, the commonest first."""
    kinds = [why.kind for why in reasons]
    return {kind: kinds.count(kind) for kind in sorted(dict.fromkeys(kinds), key=lambda k: -kinds.count(k))}


def _rounded(value: float | None) -> float | None:
    return None if value is None or value != value else float(f"{value:.6g}")
