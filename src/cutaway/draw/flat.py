"""Rows of numbers -> bars or a strip of coloured cells; probabilities -> bars with class names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Range, Rgb, painted
from cutaway.draw.scene import BLUE, INK, MUTED, RULE, SHARP, Block, Box, Line, Mark, Raster, Words, cut

HEIGHT = 72.0
BARS_UP_TO = 128
_STILL: Rgb = (196, 203, 211)


def flat_block(values: NDArray[Any], colours: Range, width: float) -> Block:
    """(F,) -> bars from zero for up to 128 numbers, otherwise cells in reading order, numbered at both ends."""
    if len(values) <= BARS_UP_TO:
        return _bars(values, colours, width)
    return _cells(values, colours, width)


def probabilities_block(rows: Sequence[tuple[str, float]], left_out: int, width: float, label: float) -> Block:
    """(class, probability) with the likeliest first -> one bar each; `left_out` more classes are told in words."""
    pitch = 26.0
    marks: list[Mark] = []
    bar = width - label - 90
    for i, (name, share) in enumerate(rows):
        y = i * pitch
        marks += [
            Words(label - 14, y + 15, cut(name, label - 14, 15, strong=i == 0), 15, anchor="end", strong=i == 0),
            Box(label, y + 1, bar, 18, (243, 244, 241)),
            Box(label, y + 1, max(1.0, bar * min(1.0, max(0.0, share))), 18, BLUE if i == 0 else _STILL),
            Words(label + bar + 12, y + 15, f"{share:.1%}".replace("%", " %"), 15, strong=i == 0),
        ]
    height = len(rows) * pitch
    if left_out:
        words = f"and {left_out} more class{'es' if left_out > 1 else ''}, each less likely"
        marks.append(Words(label, height + 11, words, 12, MUTED))
        height += 20
    return Block(height, tuple(marks))


def _bars(values: NDArray[Any], colours: Range, width: float) -> Block:
    pitch = max(1.0, math.floor(min(40.0, width / len(values)) * SHARP) / SHARP)
    thick = max(0.5, pitch - max(0.5, round(pitch * 0.2 * SHARP) / SHARP))
    top = HEIGHT / 2 if colours.signed else HEIGHT
    reach = top - 1
    marks: list[Mark] = []
    shades = painted(values, colours)
    for i, value in enumerate(np.nan_to_num(values.astype(np.float64), posinf=colours.high, neginf=colours.low)):
        tall = reach * min(1.0, abs(value) / colours.high) if colours.high else 0.0
        if tall > 0:
            # Pale bars would vanish on paper: the darker of the value's own colour and a middle tone.
            shade = shades[i] if int(shades[i].min()) < 140 else painted(np.array(colours.high * 0.35 * np.sign(value)),
                                                                        colours)  # fmt: skip
            marks.append(Box(i * pitch, top - (tall if value > 0 else 0), thick, tall, _rgb(shade)))
    long = pitch * len(values)
    marks.append(Line(0, top, long, top, MUTED, 0.5))
    return Block(HEIGHT + 18, (*marks, *_numbered(len(values), pitch, thick)))


def _cells(values: NDArray[Any], colours: Range, width: float) -> Block:
    cell = _cell_size(len(values), width)
    columns = int(width // cell)
    rows = math.ceil(len(values) / columns)
    columns = math.ceil(len(values) / rows)
    pixels = np.full((rows * columns, 3), 255, np.uint8)
    pixels[: len(values)] = painted(values, colours)
    wide, high = columns * cell, rows * cell
    marks = (
        Raster(0, 0, wide, high, pixels.reshape(rows, columns, 3)), Box(0, 0, wide, high, None, RULE, 0.5),
        Words(0, high + 12, "0", 11, INK),
        Words(wide, high + 12, f"{len(values) - 1}", 11, INK, "end"),
        Words(wide / 2, high + 12, f"{columns} to a line", 11, MUTED, "middle"),
    )  # fmt: skip
    return Block(high + 18, marks)


def _cell_size(n: int, width: float) -> float:
    """How many points a side of a cell may have so that all fit into the width and HEIGHT; half a point at least."""
    size = 12.0
    while size > 0.5 and math.ceil(n / int(width // size)) * size > HEIGHT:
        size -= 0.5
    return size


def _numbered(n: int, pitch: float, thick: float) -> list[Mark]:
    every = next((e for e in (1, 5, 10, 20, 50) if e * pitch >= 22), 100)
    return [Words(i * pitch + thick / 2, HEIGHT + 13, str(i), 11, INK, "middle") for i in range(0, n, every)]


def _rgb(pixel: NDArray[np.uint8]) -> Rgb:
    return int(pixel[0]), int(pixel[1]), int(pixel[2])
