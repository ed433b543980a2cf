"""Weights of a convolution (O, I, kH, kW) -> pictures: in colour, one kernel to a tile, output x input, or a matrix."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Pixels, Range, painted, range_of
from cutaway.draw.maps import averaged, legend_bar
from cutaway.draw.scene import (
    INK,
    MARGIN,
    MUTED,
    PAGE_WIDTH,
    PAPER,
    RULE,
    SHARP,
    Block,
    Box,
    Mark,
    Raster,
    Words,
    hatched,
    moved,
    number,
)
from cutaway.errors import must_be

Look = Literal["colour", "one", "grid", "matrix"]
WIDTH = PAGE_WIDTH - 2 * MARGIN
MOST_TILES = 256
MOST_OUT, MOST_IN = 16, 32
GREY = 128
_LARGEST = 180.0
_NEARLY_ZERO = 0.01
_ABREAST = 56.0  # between groups of outputs side by side


def look_of(weights: NDArray[Any], *, sees_colours: bool) -> Look:
    """(O, I, kH, kW) -> how it is drawn. colour: kernels over red, green, blue; one: kernels of a single input channel
    (depthwise, gray input); matrix: 1 x 1 kernels and dense layers; grid: all others, output by input."""
    if weights.shape[2:] == (1, 1):
        return "matrix"
    if sees_colours and weights.shape[1] == 3:
        return "colour"
    return "one" if weights.shape[1] == 1 else "grid"


def kernels_block(weights: NDArray[Any], *, sees_colours: bool = False) -> Block:
    """(O, I, kH, kW) finite floats, whether the three input channels are red, green, blue -> legend and kernels.

    One scale for all kernels: grey (in colour) or white is zero. Up to 256 kernels, or 16 x 32 of a grid, the
    strongest (largest root of the sum of squares) where there are more; matrices are shown whole. Raises BadInput.
    """
    if weights.ndim != 4 or 0 in weights.shape:
        raise must_be("kernels", "an array (O, I, kH, kW)", f"shape {weights.shape}")
    if not np.isfinite(weights).all():
        raise must_be("kernels", "finite numbers", f"{int((~np.isfinite(weights)).sum())} that are not")
    look, colours = look_of(weights, sees_colours=sees_colours), Range(range_of(weights).high, True)
    if look == "matrix":
        return _below(_signed_legend(colours, ""), _matrix(weights[:, :, 0, 0], colours))
    if look == "grid":
        return _grid(weights, colours)
    tiles = in_colour(weights) if look == "colour" else painted(weights[:, 0], colours)  # (O, kH, kW, 3)
    order = np.sort(strongest(weights)[:MOST_TILES])
    left_out = f"; the {len(order)} strongest of {len(weights)}" if len(weights) > MOST_TILES else ""
    legend = _grey_legend(colours, left_out) if look == "colour" else _signed_legend(colours, left_out)
    return _below(legend, _tiles(tiles[order], order, strengths(weights)[order]))


def strengths(weights: NDArray[Any]) -> NDArray[np.float64]:
    """(O, ...) -> (O,): root of the sum of squares of each filter."""
    found: NDArray[np.float64] = np.sqrt((weights.reshape(len(weights), -1).astype(np.float64) ** 2).sum(1))
    return found


def strongest(weights: NDArray[Any]) -> NDArray[np.intp]:
    """(O, ...) -> numbers of the filters, the strongest first."""
    return np.argsort(-strengths(weights), kind="stable")


def in_colour(weights: NDArray[Any]) -> Pixels:
    """(O, 3, kH, kW) -> uint8 (O, kH, kW, 3): 128 is zero, the largest weight of all of them reaches 1 or 255."""
    high = float(np.abs(weights).max(initial=0.0)) or 1.0
    found: Pixels = np.rint(GREY + 127 * weights / high).astype(np.uint8).transpose(0, 2, 3, 1)
    return found


def _tiles(tiles: Pixels, numbers: NDArray[np.intp], strength: NDArray[np.float64]) -> Block:
    """(N, kH, kW, 3) -> lines of tiles with their numbers; those below a hundredth of the strongest are marked."""
    gap, longest = 8.0, max(tiles.shape[1:3])
    per_line = min(len(tiles), next((n for n in (8, 12, 16) if len(tiles) <= 4 * n), 24))
    side = min(_LARGEST, (WIDTH + gap) / max(per_line, 8) - gap)
    factor = max(1, int(side * SHARP) // longest)
    height, width = (n * factor / SHARP for n in tiles.shape[1:3])
    pitch = width + gap
    per_line = max(1, int((WIDTH + gap) // pitch))
    per_line = math.ceil(len(tiles) / math.ceil(len(tiles) / per_line))  # full lines rather than one short last line
    marks: list[Mark] = []
    for i, tile in enumerate(tiles):
        x, y = (i % per_line) * pitch, (i // per_line) * (height + 20)
        marks += [Raster(x, y, width, height, tile), Box(x, y, width, height, None, RULE, 0.5),
                  Words(x, y + height + 12, str(int(numbers[i])), 11, INK)]  # fmt: skip
        if strength[i] < _NEARLY_ZERO * strength.max():
            marks += [
                *hatched(x, y, width, height, 9, PAPER),
                Words(x + width, y + height + 12, "≈ 0", 11, MUTED, "end"),
            ]
    return Block(math.ceil(len(tiles) / per_line) * (height + 20), tuple(marks))


def _grid(weights: NDArray[Any], colours: Range) -> Block:
    """(O, I, kH, kW) -> a line for each output channel, a column for each input channel, the strongest of both."""
    rows = np.sort(strongest(weights)[:MOST_OUT])
    columns = np.sort(strongest(weights.swapaxes(0, 1))[:MOST_IN])
    left, gap = 64.0, 6.0
    side = min(44.0, (WIDTH - left) / len(columns) - gap)
    factor = max(1, int(side * SHARP) // max(weights.shape[2:]))
    height, width = (n * factor / SHARP for n in weights.shape[2:])
    wide, high = left + len(columns) * (width + gap), height + gap
    abreast = min(len(rows), int((WIDTH + _ABREAST) // (wide + _ABREAST)), 4)  # few inputs: outputs side by side
    lines = math.ceil(len(rows) / abreast)
    marks: list[Mark] = []
    for start in range(0, len(rows), lines):
        x0 = start // lines * (wide + _ABREAST)
        marks += [Words(x0, 12, "output", 11, MUTED), Words(x0 + left, 12, "input channel", 11, MUTED)]
        marks += [Words(x0 + left + c * (width + gap), 28, str(int(i)), 11, INK) for c, i in enumerate(columns)]
        for r, o in enumerate(rows[start : start + lines]):
            y = 34 + r * high
            marks.append(Words(x0 + left - 14, y + height / 2 + 4, str(int(o)), 11, INK, "end"))
            for c, i in enumerate(columns):
                x = x0 + left + c * (width + gap)
                marks += [Raster(x, y, width, height, painted(weights[o, i], colours)),
                          Box(x, y, width, height, None, RULE, 0.5)]  # fmt: skip
    some = len(rows) < weights.shape[0] or len(columns) < weights.shape[1]
    note = f"; the {len(rows)} strongest of {weights.shape[0]} outputs, {len(columns)} of {weights.shape[1]} inputs"
    drawn = Block(34 + lines * high, tuple(marks))
    return _below(_signed_legend(colours, note if some else ""), drawn)


def _matrix(weights: NDArray[Any], colours: Range) -> Block:
    """(O, I) -> one dot per weight (averaged where there are more than dots), the longer side across."""
    across, down = ("input", "output") if weights.shape[1] >= weights.shape[0] else ("output", "input")
    turned = weights if across == "input" else weights.T
    left, most_high = 64.0, 760.0
    wide = WIDTH - left
    merged = max(1, math.ceil(turned.shape[1] / (wide * SHARP)), math.ceil(turned.shape[0] / (most_high * SHARP)))
    shown = averaged(turned, merged) if merged > 1 else turned
    factor = max(1, min(int(wide * SHARP) // shown.shape[1], int(most_high * SHARP) // shown.shape[0], 48))
    tall = max(factor, min(24 * SHARP, 240 * SHARP // shown.shape[0]))  # a few long rows would be a thread
    height, width = shown.shape[0] * tall / SHARP, shown.shape[1] * factor / SHARP
    note = f", a dot is the mean of {merged} × {merged} weights" if merged > 1 else ""
    marks: list[Mark] = [
        Words(left, 12, f"{across} 0 to {turned.shape[1] - 1}{note}", 11, MUTED),
        Words(left - 10, 30, "0", 11, INK, "end"),
        Words(0, 20 + height / 2 + 4, down, 11, MUTED),
        Raster(left, 20, width, height, painted(shown, colours)), Box(left, 20, width, height, None, RULE, 0.5),
    ]  # fmt: skip
    if turned.shape[0] > 1 and height > 24:
        marks.append(Words(left - 10, 20 + height, str(turned.shape[0] - 1), 11, INK, "end"))
    return Block(max(50.0, 24 + height), tuple(marks))


def _signed_legend(colours: Range, note: str) -> Block:
    bar = legend_bar(colours, 200)
    words = Words(220, 10, f"blue: below zero, white: zero, orange to brown: above zero{note}", 13, MUTED)
    return Block(34, (*bar.marks, words))


def _grey_legend(colours: Range, note: str) -> Block:
    ramp = np.rint(np.linspace(1, 255, 255)).astype(np.uint8)[None, :, None].repeat(3, 2).repeat(2, 0)
    high = number(colours.high)
    marks = (
        Raster(0, 0, 200, 9, ramp, smooth=True), Box(0, 0, 200, 9, None, RULE, 0.5),
        Words(0, 22, f"−{high}", 11.5, MUTED), Words(100, 22, "0", 11.5, MUTED, "middle"),
        Words(200, 22, high, 11.5, MUTED, "end"),
        Words(220, 10, f"each kernel in the colours it answers to; middle grey is zero, one scale for all{note}",
              13, MUTED),
    )  # fmt: skip
    return Block(34, marks)


def _below(first: Block, second: Block) -> Block:
    return Block(first.height + 10 + second.height, (*first.marks, *moved(second.marks, 0, first.height + 10)))
