"""A picture as the network gets it: what is cut, the resized pixels, the channels as numbers, some pixels up close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Pixels, Rgb, range_of
from cutaway.draw.maps import legend_bar, tile_of
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
    Scene,
    Words,
    cut,
    moved,
    number,
    page,
)
from cutaway.errors import must_be

KeptBox = tuple[float, float, float, float]
"""(left, top, right, bottom) of what the network sees, as shares of the original's width and height."""
PATCH = 6
"""Pixels a side of the enlarged patch."""
_SIGNAL: Rgb = (214, 51, 108)
_WASH = 0.62


def input_block(
    original: Pixels, kept: KeptBox, fitted: Pixels, channels: NDArray[Any], names: Sequence[str],
    *, patch: tuple[int, int] | None = None, size: tuple[int, int] = (0, 0),
) -> Block:  # fmt: skip
    """Original (H, W, 3), what is kept, uint8 (h, w, 3), the network's numbers (C, h, w), channel names -> one line.

    `patch`: (row, column) of the enlarged pixels' corner, default the middle; `size`: the file's (H, W) where
    `original` was decoded smaller. Raises BadInput where the shapes do not belong together.
    """
    if channels.ndim != 3 or channels.shape[1:] != fitted.shape[:2]:
        raise must_be("channels", f"(C, {fitted.shape[0]}, {fitted.shape[1]})", f"shape {channels.shape}")
    panels = 3 + len(channels)
    pitch = (PAGE_WIDTH - 2 * MARGIN + 16) / max(6, panels)
    side = pitch - 16
    rows = PATCH if min(fitted.shape[:2]) >= PATCH else min(fitted.shape[:2])
    corner = _middle(fitted, rows) if patch is None else patch
    high, wide = size if all(size) else original.shape[:2]
    shown = [
        _photo(original, kept, side, f"photo, {wide} × {high} px", "faded: not seen"),
        _fitted(fitted, corner, rows, side),
        *(_channel(c, name, side) for c, name in zip(channels, names, strict=True)),
        _patch(fitted, corner, rows, side),
    ]
    marks = [m for i, block in enumerate(shown) for m in moved(block.marks, i * pitch, 0)]
    return Block(side + 56, tuple(marks))


def input_sheet(title: str, subtitle: Sequence[str], block: Block) -> Scene:
    """The line of `input_block` -> a page of its own."""
    return page(title, subtitle, [block])


def _photo(original: Pixels, kept: KeptBox, side: float, title: str, note: str) -> Block:
    height, width = original.shape[:2]
    left, top, right, bottom = (max(0.0, min(1.0, k)) for k in kept)
    whole = (left, top, right, bottom) == (0, 0, 1, 1)
    faded = (original * (1 - _WASH) + 255 * _WASH).astype(np.uint8)
    rows, columns = slice(round(top * height), round(bottom * height)), slice(round(left * width), round(right * width))
    faded[rows, columns] = original[rows, columns]
    ratio = side / max(height, width)
    w, h = width * ratio, height * ratio
    y = (side - h) / 2
    marks: list[Mark] = [Raster((side - w) / 2, y, w, h, faded, smooth=True)]
    if not whole:
        box = Box((side - w) / 2 + left * w, y + top * h, (right - left) * w, (bottom - top) * h, None, _SIGNAL, 1.5)
        marks.append(box)
    return _captioned(marks, side, title, "all of it is seen" if whole else note)


def _fitted(fitted: Pixels, corner: tuple[int, int], rows: int, side: float) -> Block:
    height, width = fitted.shape[:2]
    dots = int(side * SHARP)
    factor = max(1, dots // max(height, width))
    shrunk = max(height, width) > dots
    w, h = (side * n / max(height, width) if shrunk else n * factor / SHARP for n in (width, height))
    place = Box(corner[1] * w / width - 1, corner[0] * h / height - 1, rows * w / width + 2, rows * h / height + 2,
                None, _SIGNAL, 1.5)  # fmt: skip
    note = "1 dot of this sheet: 1 pixel" if factor == 1 else f"each pixel {factor} × {factor} dots"
    raster = Raster(0, 0, w, h, fitted, smooth=shrunk)
    return _captioned([raster, place], side, f"resized to {width} × {height} px", "" if shrunk else note)


def _channel(values: NDArray[Any], name: str, side: float) -> Block:
    colours = range_of(values)
    pixels, w, h, _ = tile_of(values, colours, side)
    told = f"{name}: {number(float(values.min()))} to {number(float(values.max()))}"
    bar = moved(legend_bar(colours, min(w, side)).marks, 0, side + 26)
    return Block(side + 56, (Raster(0, 0, w, h, pixels), Box(0, 0, w, h, None, RULE, 0.5),
                             Words(0, side + 17, cut(told, side, 13), 13, INK), *bar))  # fmt: skip


def _patch(fitted: Pixels, corner: tuple[int, int], rows: int, side: float) -> Block:
    """`rows` x `rows` pixels, each a square with its red, green and blue level written on it."""
    cell = side / rows
    marks: list[Mark] = []
    size = min(11.0, cell * 0.27)
    for r in range(rows):
        for c in range(rows):
            pixel = fitted[corner[0] + r, corner[1] + c]
            x, y = c * cell, r * cell
            marks.append(Box(x, y, cell + 0.5, cell + 0.5, (int(pixel[0]), int(pixel[1]), int(pixel[2]))))
            ink = PAPER if float(pixel @ np.array([0.299, 0.587, 0.114])) < 122 else INK
            first = y + cell / 2 - size * 0.72
            marks += [
                Words(x + cell / 2, first + i * size * 1.12, str(int(level)), size, ink, "middle")
                for i, level in enumerate(pixel)
            ]
    where = f"from row {corner[0]}, column {corner[1]}; red, green, blue"
    return _captioned(marks, side, f"{rows} × {rows} of its pixels", where)


def _captioned(marks: Sequence[Mark], side: float, title: str, note: str) -> Block:
    words = (Words(0, side + 17, cut(title, side, 13), 13, INK), Words(0, side + 34, cut(note, side, 12), 12, MUTED))
    return Block(side + 56, (*marks, *words))


def _middle(fitted: Pixels, rows: int) -> tuple[int, int]:
    return (fitted.shape[0] - rows) // 2, (fitted.shape[1] - rows) // 2
