"""What units look for -> a page: the picture made for each, the patches and photos that excite it most, its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cutaway.draw.colours import Pixels, Rgb
from cutaway.draw.histogram import histogram_block
from cutaway.draw.scene import (
    BLUE,
    INK,
    MARGIN,
    MUTED,
    PAGE_WIDTH,
    RULE,
    Block,
    Box,
    Line,
    Mark,
    Raster,
    Scene,
    Words,
    cut,
    hatched,
    moved,
    number,
    page,
    width_of,
)

PixelBox = tuple[int, int, int, int]
"""First row, first column, last row, last column of a photo, all included."""
_WIDE = PAGE_WIDTH - 2 * MARGIN
_SIDE = 352.0
"""Of the made picture, and of each square of tiles."""
_GAP = 28.0
_SEEN: Rgb = (214, 51, 108)
_OUTSIDE: Rgb = (226, 227, 222)
_MOST_CLASSES = 8
_HEAD = 96.0


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A photo uint8 (H, W, 3) as the network gets it and the unit's value.

    `window`: what it sees, of the padding around the photo too, None for all of the photo. `under`: the pixels below
    the cell of its map, None where it has no map.
    """

    photo: Pixels
    value: float
    window: PixelBox | None
    under: PixelBox | None
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class UnitSheet:
    """One unit. `made`: the picture made for it with its `caption`, None for none; without photos the rest is empty."""

    name: str
    kind: str
    says: Sequence[str]
    strongest: Sequence[Tile]
    weakest: Sequence[Tile]
    counts: Sequence[int]
    edges: Sequence[float]
    classes: Sequence[tuple[str, float]]
    made: Pixels | None
    caption: Sequence[str] = ()


def neuron_page(sheets: Sequence[UnitSheet], *, title: str, subtitle: Sequence[str]) -> Scene:
    """Units -> a page with one block each; several without photos stand side by side."""
    if len(sheets) > 1 and not any(s.counts for s in sheets):
        return page(title, subtitle, _abreast(sheets), gap=30)
    return page(title, subtitle, [unit_block(sheet) for sheet in sheets], gap=44)


def unit_block(sheet: UnitSheet) -> Block:
    """One unit -> its block: name and what follows, then from left to right the picture, patches, photos, figures."""
    marks: list[Mark] = [Line(0, 0, _WIDE, 0, RULE, 1), *_head(sheet, _WIDE)]
    x, height = 0.0, 0.0
    top = _HEAD + 20 * max(0, len(_lines(sheet.says, _WIDE)) - 1)
    for part, wide in _parts(sheet):
        marks += moved(part.marks, x, top)
        height = max(height, part.height)
        x += wide + _GAP
    bottom = top + height
    if sheet.weakest:
        strip = _strip(sheet)
        marks += moved(strip.marks, 0, bottom + 22)
        bottom += 22 + strip.height
    return Block(bottom, tuple(marks))


def _abreast(sheets: Sequence[UnitSheet]) -> list[Block]:
    lines = []
    for start in range(0, len(sheets), 4):
        marks: list[Mark] = []
        for i, sheet in enumerate(sheets[start : start + 4]):
            marks += moved([*_head(sheet, _SIDE), *moved(_made(sheet).marks, 0, _HEAD)], i * (_SIDE + _GAP), 0)
        lines.append(Block(_HEAD + _SIDE + 64, tuple(marks)))
    return lines


def _head(sheet: UnitSheet, wide: float) -> list[Mark]:
    marks: list[Mark] = [
        Words(0, 34, cut(sheet.name, wide, 22, strong=True), 22, strong=True),
        Words(0, 54, cut(sheet.kind, wide, 13), 13, MUTED),
    ]
    if wide > _SIDE:
        marks += [
            Words(0, 76 + 20 * i, cut(line, wide, 15), 15, INK) for i, line in enumerate(_lines(sheet.says, wide))
        ]
    return marks


def _lines(sentences: Sequence[str], wide: float) -> list[str]:
    """Sentences -> lines of whole sentences, as few as fit."""
    found: list[str] = []
    for sentence in sentences:
        if found and width_of(f"{found[-1]} {sentence}", 15) <= wide:
            found[-1] += f" {sentence}"
        else:
            found.append(sentence)
    return found


def _parts(sheet: UnitSheet) -> list[tuple[Block, float]]:
    """The columns from left to right with their widths; where the unit sees whole photos, patches are the photos."""
    found = [(_made(sheet), _SIDE)] if sheet.made is not None else []
    if sheet.strongest and sheet.strongest[0].window is not None:
        found.append((_square(sheet.strongest, "what it sees there", _SIDE, patches=True), _SIDE))
        found.append((_square(sheet.strongest, "the photos; framed: what it sees", _SIDE, patches=False), _SIDE))
    elif sheet.strongest:
        mapped = sheet.strongest[0].under is not None
        title = "the photos, all of which it sees" + ("; framed: where it fires most" if mapped else "")
        wide = 2 * _SIDE + _GAP
        found.append((_square(sheet.strongest, title, wide, patches=False), wide))
    if sheet.counts:
        found.append((_figures(sheet), _SIDE))
    return found


def _made(sheet: UnitSheet) -> Block:
    if sheet.made is None:
        return Block(0, ())
    height, width = sheet.made.shape[:2]
    ratio = _SIDE / max(height, width)
    marks: list[Mark] = [
        Words(0, 13, "a picture made to excite it", 14, strong=True),
        Raster(0, 24, width * ratio, height * ratio, sheet.made, smooth=max(height, width) > 64),
        Box(0, 24, width * ratio, height * ratio, None, RULE, 0.5),
    ]
    y = 24 + height * ratio
    for line in sheet.caption:
        y += 17
        marks.append(Words(0, y, cut(line, _SIDE, 12.5), 12.5, MUTED))
    return Block(y + 4, tuple(marks))


def _square(tiles: Sequence[Tile], title: str, wide: float, *, patches: bool) -> Block:
    """Tiles -> lines of them with their values below, the strongest first; about as high as the picture beside them."""
    columns = max(2, math.ceil(math.sqrt(len(tiles) * wide / _SIDE) - 0.01))
    below = 16.0
    side = (wide - (columns - 1) * 8) / columns
    marks: list[Mark] = [Words(0, 13, cut(title, wide, 14, strong=True), 14, strong=True)]
    for i, tile in enumerate(tiles):
        x, y = (i % columns) * (side + 8), 24 + (i // columns) * (side + below + 6)
        marks += moved(_patch(tile, side) if patches else _photo(tile, side), x, y)
        word = number(tile.value) if patches else _told(tile)
        marks.append(Words(x, y + side + 12, cut(word, side, 11.5), 11.5, MUTED))
    rows = math.ceil(len(tiles) / columns)
    return Block(24 + rows * (side + below + 6), tuple(marks))


def _told(tile: Tile) -> str:
    return number(tile.value) + (f" · {tile.label}" if tile.label else "")


def _patch(tile: Tile, side: float) -> list[Mark]:
    """What the unit sees of the photo, enlarged; hatched grey where its window hangs over the photo's edge."""
    if tile.window is None:
        return _photo(tile, side)
    (top, left, bottom, right), (high, wide) = tile.window, tile.photo.shape[:2]
    ratio = side / max(bottom - top + 1, right - left + 1)
    corner = (side - (right - left + 1) * ratio) / 2, (side - (bottom - top + 1) * ratio) / 2
    inside = max(top, 0), max(left, 0), min(bottom, high - 1), min(right, wide - 1)
    pixels = np.ascontiguousarray(tile.photo[inside[0] : inside[2] + 1, inside[1] : inside[3] + 1])
    x, y = corner[0] + (inside[1] - left) * ratio, corner[1] + (inside[0] - top) * ratio
    size = pixels.shape[1] * ratio, pixels.shape[0] * ratio
    smooth = max(pixels.shape[:2]) > 64
    under: list[Mark] = [] if inside == tile.window else hatched(0, 0, side, side)
    return [Box(0, 0, side, side, _OUTSIDE), *under, Raster(x, y, *size, pixels, smooth=smooth)]


def _photo(tile: Tile, side: float) -> list[Mark]:
    """The photo with a frame around what the unit sees; where that is all of it, around where it fires most."""
    marks, ratio, (x, y) = _fitted(tile.photo, side)
    framed = _in_photo(tile) or tile.under
    if framed is None:
        return marks
    top, left, bottom, right = framed
    wide, high = max((right - left + 1) * ratio, 5.0), max((bottom - top + 1) * ratio, 5.0)
    middle = (left + right + 1) / 2 * ratio, (top + bottom + 1) / 2 * ratio
    at_x = min(max(middle[0] - wide / 2, 0), tile.photo.shape[1] * ratio - wide)
    at_y = min(max(middle[1] - high / 2, 0), tile.photo.shape[0] * ratio - high)
    marks += [
        Box(x + at_x - 0.75, y + at_y - 0.75, wide + 1.5, high + 1.5, None, (255, 255, 255), 2.5),
        Box(x + at_x, y + at_y, wide, high, None, _SEEN, 1.5),
    ]
    return marks


def _in_photo(tile: Tile) -> PixelBox | None:
    if tile.window is None:
        return None
    (top, left, bottom, right), (high, wide) = tile.window, tile.photo.shape[:2]
    return max(top, 0), max(left, 0), min(bottom, high - 1), min(right, wide - 1)


def _fitted(pixels: Pixels, side: float) -> tuple[list[Mark], float, tuple[float, float]]:
    """Pixels -> them fitted into a square, points to a pixel, and their corner; small ones stay squares."""
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    x, y = (side - width * ratio) / 2, (side - height * ratio) / 2
    marks: list[Mark] = [
        Box(0, 0, side, side, _OUTSIDE),
        Raster(x, y, width * ratio, height * ratio, pixels, smooth=max(height, width) > 64),
    ]
    return marks, ratio, (x, y)


def _figures(sheet: UnitSheet) -> Block:
    """Mean by class as bars, then how many photos have which largest value."""
    marks: list[Mark] = []
    y = 0.0
    if sheet.classes:
        bars = _bars(sheet.classes)
        marks += bars.marks
        y = bars.height + 18
    drawn = histogram_block(sheet.counts, sheet.edges, _SIDE, 130, "photos by its largest value")
    return Block(y + drawn.height, (*marks, *moved(drawn.marks, 0, y)))


def _bars(classes: Sequence[tuple[str, float]]) -> Block:
    shown = classes if len(classes) <= _MOST_CLASSES else (*classes[: _MOST_CLASSES - 2], *classes[-2:])
    low, high = min(0.0, *(mean for _, mean in shown)), max(0.0, *(mean for _, mean in shown))
    left, span = 112.0, _SIDE - 112.0 - 52
    unit = span / (high - low) if high > low else 0.0
    zero = left - low * unit
    marks: list[Mark] = [Words(0, 13, "mean of its largest value, by class", 14, strong=True)]
    y = 24.0
    for i, (name, mean) in enumerate(shown):
        if len(classes) > len(shown) and i == _MOST_CLASSES - 2:
            marks.append(Words(left - 8, y + 12, f"{len(classes) - len(shown)} between", 11.5, MUTED, "end"))
            y += 20
        start, end = sorted((zero, zero + mean * unit))
        marks += [
            Words(left - 8, y + 13, cut(name, left - 10, 13), 13, INK, "end"),
            Box(start, y + 2, max(end - start, 0.75), 14, BLUE),
            Words(max(end, zero) + 6, y + 13, number(mean), 12, MUTED),
        ]
        y += 21
    marks.append(Line(zero, 24, zero, y, MUTED, 0.75))
    return Block(y, tuple(marks))


def _strip(sheet: UnitSheet) -> Block:
    """What brings the unit lowest, in one line."""
    side = 96.0
    marks: list[Mark] = [Words(0, 13, "what brings it lowest", 14, strong=True)]
    for i, tile in enumerate(sheet.weakest):
        x = i * (side + 12)
        marks += moved(_patch(tile, side), x, 24)
        marks.append(Words(x, 24 + side + 13, cut(_told(tile), side, 11.5), 11.5, MUTED))
    return Block(24 + side + 18, tuple(marks))
