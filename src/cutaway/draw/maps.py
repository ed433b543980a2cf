"""What layers gave for one picture -> a line of maps each: (C, H, W) as tiles, (F,) as bars or cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Pixels, Range, Scale, painted, range_of
from cutaway.draw.flat import flat_block
from cutaway.draw.scene import (
    INK,
    MARGIN,
    MUTED,
    PAGE_WIDTH,
    RULE,
    SHARP,
    Block,
    Box,
    Mark,
    Raster,
    Words,
    cut,
    cut_middle,
    hatched,
    moved,
    number,
)
from cutaway.errors import must_be

Order = Literal["contrast", "strength", "index"]

LABELS = 268.0
"""Width of the column that names the layer and holds its legend."""
AREA = PAGE_WIDTH - 2 * MARGIN - LABELS
DEFAULT_CHANNELS = 10
# (channels up to, points a side, tiles to a line). 112 points are 224 dots: a multiple of 112, 56, 28, 14, 7 and
# of 32, 16, 8 and 4, so that nearly all maps are enlarged to one and the same size.
_TILES = ((5, 224.0, 5), (20, 112.0, 10), (10**9, 56.0, 20))
GAP = 7.0
FAINT = 1e-3
"""A channel below this share of the layer's largest value: colours have 256 steps, so that it looks empty."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerValues:
    """One layer's output for one picture: maps (C, H, W), a matrix (L, C) or a row of numbers (F,)."""

    name: str
    kind: str
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of a layer: its range over finite values, channels that are silent, values that are not finite."""

    shape: tuple[int, ...]
    min: float
    max: float
    mean: float
    silent: tuple[int, ...]
    not_finite: int


def summary_of(values: NDArray[Any]) -> Summary:
    """Values (C, H, W) or (F,) -> their summary; NaN for the numbers of a layer without a finite value."""
    kept = values[np.isfinite(values)]
    low, high, mean = (
        (float(kept.min()), float(kept.max()), float(kept.mean(dtype=np.float64))) if kept.size else (math.nan,) * 3
    )
    silent = tuple(int(i) for i in np.flatnonzero(silent_channels(values))) if values.ndim == 3 else ()
    return Summary(tuple(values.shape), low, high, mean, silent, int(values.size - kept.size))


def silent_channels(values: NDArray[Any]) -> NDArray[np.bool_]:
    """(C, H, W) -> (C,): whether a channel is zero, or the same everywhere (where it has several places).

    One that only goes below zero is not silent: before a ReLU, or behind a leaky one, it tells something. Nor is one
    with values that are not finite.
    """
    flat = values.reshape(len(values), -1)
    constant = (flat.max(1) == flat.min(1)) & (flat.shape[1] > 1)
    found: NDArray[np.bool_] = (constant | ~flat.any(1)) & np.isfinite(flat).all(1)
    return found


def faint_channels(values: NDArray[Any]) -> NDArray[np.bool_]:
    """(C, H, W) -> (C,): whether a channel that is not silent looks empty beside the others: its values stay below
    FAINT of the layer's largest one."""
    size = np.abs(np.nan_to_num(values.reshape(len(values), -1), posinf=np.inf, neginf=-np.inf)).max(1)
    finite = size[np.isfinite(size)]
    found: NDArray[np.bool_] = (size < FAINT * (finite.max() if finite.size else 0.0)) & ~silent_channels(values)
    return found


def chosen_channels(values: NDArray[Any], most: int, order: Order) -> NDArray[np.intp]:
    """(C, H, W) -> numbers of the channels to show, `most` at the most. contrast: largest standard deviation
    over the picture first; strength: largest mean of |value| first; index: the first ones."""
    if order == "index":
        return np.arange(len(values))[:most]
    flat = np.nan_to_num(values.reshape(len(values), -1).astype(np.float64), posinf=0.0, neginf=0.0)
    strength = flat.std(1) if order == "contrast" else np.abs(flat).mean(1)
    return np.argsort(-strength, kind="stable")[:most]


def maps_blocks(
    layers: Sequence[LayerValues], *, scale: Scale = "layer", most: int = DEFAULT_CHANNELS, order: Order = "contrast"
) -> list[Block]:
    """Layers in running order -> one block each, PAGE_WIDTH less the margins wide.

    `scale`: one range of colours per channel, per layer, or for all layers together. Raises BadInput.
    """
    if scale not in ("channel", "layer", "network"):
        raise must_be("scale", "channel, layer or network", scale)
    if order not in ("contrast", "strength", "index"):
        raise must_be("order", "contrast, strength or index", order)
    if most < 1:
        raise must_be("channels", "at least 1", most)
    common = max((range_of(layer.values).high for layer in layers), default=0.0) if scale == "network" else None
    return [_layer_block(layer, scale, common, most, order) for layer in layers]


def tile_of(values: NDArray[Any], scale: Range, side: float) -> tuple[Pixels, float, float, int]:
    """Map (H, W), range, points of its square -> pixels, width and height in points, values averaged per dot (along
    one side). A small map is enlarged by a whole factor; one with more values than the PNG has pixels is averaged."""
    dots, longest = int(side * SHARP), max(values.shape)
    merged = math.ceil(longest / dots)
    shown = averaged(values, merged) if merged > 1 else values
    factor = max(1, dots // max(shown.shape))
    height, width = (n * factor / SHARP for n in shown.shape)
    return painted(shown, scale), width, height, merged


def averaged(values: NDArray[Any], merged: int) -> NDArray[np.float64]:
    """(H, W) -> means over squares of `merged` values a side; the last ones hold what is left."""
    sums = values.astype(np.float64)
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], merged)
        counts = np.diff(np.append(starts, values.shape[axis]))
        shape = (-1, 1) if axis == 0 else (1, -1)
        with np.errstate(invalid="ignore"):  # two infinities of opposite sign: NaN, drawn grey
            sums = np.add.reduceat(sums, starts, axis) / counts.reshape(shape)
    return sums


def legend_bar(scale: Range, width: float) -> Block:
    """Range -> its colours as a bar with the ends, and zero in the middle where it is signed."""
    ramp = np.linspace(scale.low, scale.high, 256)[None].repeat(2, 0)  # (2, 256)
    ends: list[Mark] = [
        Raster(0, 0, width, 9, painted(ramp, scale if scale.high else Range(1.0, scale.signed)), smooth=True),
        Box(0, 0, width, 9, None, RULE, 0.5),
        Words(0, 22, number(scale.low), 11.5, MUTED),
        Words(width, 22, number(scale.high), 11.5, MUTED, "end"),
    ]
    if scale.signed:
        ends.append(Words(width / 2, 22, "0", 11.5, MUTED, "middle"))
    return Block(26, tuple(ends))


def _layer_block(layer: LayerValues, scale: Scale, common: float | None, most: int, order: Order) -> Block:
    values = layer.values
    if values.ndim not in (1, 2, 3) or 0 in values.shape:
        raise must_be(f"the values of {layer.name}", "(C, H, W), (L, C) or (F,)", f"shape {values.shape}")
    told, colours = summary_of(values), range_of(values)
    if common is not None:
        colours = Range(common, colours.signed)
    notes: list[str] = []
    if values.ndim == 1:
        drawn = flat_block(values, colours, AREA)
    elif values.ndim == 2:
        drawn = _matrix(values, colours)
    else:
        drawn = _tiles(values, colours, scale, chosen_channels(values, most, order), notes)
        if told.silent:
            notes.append(f"{len(told.silent)} silent of {len(values)}")
        if len(values) > most:
            notes.append(f"and {len(values) - most} more")
    if told.not_finite:
        notes.append(f"{told.not_finite} not finite")
    label = _label(layer, told, colours, "own" if scale == "channel" and values.ndim == 3 else scale, notes)
    return Block(max(drawn.height, label.height), (*label.marks, *moved(drawn.marks, LABELS, 0)))


def _label(layer: LayerValues, told: Summary, colours: Range, scale: str, notes: list[str]) -> Block:
    wide = LABELS - 22
    size = " × ".join(map(str, told.shape[1:]))
    what = {3: f"{told.shape[0]} maps of {size}", 2: f"{told.shape[0]} × {size}", 1: f"{told.shape[0]} numbers"}
    marks: list[Mark] = [
        Words(0, 14, cut_middle(layer.name, wide, 16, strong=True), 16, strong=True),
        Words(0, 32, cut(f"{layer.kind} · {what[len(told.shape)]}", wide, 13), 13, MUTED),
    ]
    if scale == "own":
        marks.append(Words(0, 52, "0 to each map's own largest value:" if not colours.signed
                           else "each map's own ± largest value:", 11.5, MUTED))  # fmt: skip
        marks.append(Words(0, 67, f"below it; all lie in {number(told.min)} to {number(told.max)}", 11.5, MUTED))
        y = 82.0
    else:
        marks += moved(legend_bar(colours, 150).marks, 0, 41)
        if colours.signed or scale == "network":
            marks.append(Words(160, 50, cut(f"min {number(told.min)}", 88, 11.5), 11.5, MUTED))
            marks.append(Words(160, 63, cut(f"max {number(told.max)}", 88, 11.5), 11.5, MUTED))
        y = 79.0
    for note in notes:
        marks.append(Words(0, y, cut(note, wide, 11.5), 11.5, MUTED))
        y += 15
    return Block(y - 6, tuple(marks))


def _tiles(values: NDArray[Any], colours: Range, scale: Scale, channels: NDArray[np.intp], notes: list[str]) -> Block:
    side, most = next((side, line) for up_to, side, line in _TILES if len(channels) <= up_to)
    per_line = math.ceil(len(channels) / math.ceil(len(channels) / most))
    pitch = (AREA + GAP) / most
    silent = silent_channels(values)
    tallest = 0.0
    marks: list[Mark] = []
    merged = 1
    for i, channel in enumerate(channels):
        own = range_of(values[channel], colours.signed) if scale == "channel" else colours
        pixels, width, height, merged = tile_of(values[channel], own, side)
        tallest = max(tallest, height)
        x, y = (i % per_line) * pitch, (i // per_line) * (height + 20)
        marks.append(Raster(x, y, width, height, pixels))
        if silent[channel]:
            marks += hatched(x, y, width, height)
        marks.append(Box(x, y, width, height, None, RULE, 0.5))
        marks.append(Words(x, y + height + 12, str(channel), 11, INK))
        word = _word(values[channel], bool(silent[channel]), own if scale == "channel" else None)
        if word:
            marks.append(Words(x + width, y + height + 12, word, 11, MUTED, "end"))
    if merged > 1:
        notes.append(f"a dot is the mean of {merged} × {merged}")
    lines = math.ceil(len(channels) / per_line)
    return Block(lines * (tallest + 20) - 4, tuple(marks))


def _word(values: NDArray[Any], silent: bool, own: Range | None) -> str:
    """What stands right below a map: that it is silent (or its one value), else the end of its own scale."""
    if silent:
        highest = float(values.max())
        return f"= {number(highest)}" if highest > 0 else "silent"
    return number(own.high) if own else ""


def _matrix(values: NDArray[Any], colours: Range) -> Block:
    turned = values.T if values.shape[0] > values.shape[1] else values
    merged = math.ceil(turned.shape[1] / (AREA * SHARP))
    shown = averaged(turned, merged) if merged > 1 else turned
    factor = max(1, min(int(AREA * SHARP) // shown.shape[1], int(160 * SHARP) // shown.shape[0]))
    height, width = (n * factor / SHARP for n in shown.shape)
    drawn = (Raster(0, 0, width, height, painted(shown, colours)), Box(0, 0, width, height, None, RULE, 0.5))
    return Block(height + 4, drawn)
