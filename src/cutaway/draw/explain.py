"""Explanations -> a page: for each photo its maps side by side, each with what was measured of it below."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cutaway.draw.colours import Pixels
from cutaway.draw.maps import AREA, LABELS
from cutaway.draw.overlay import PERCENTILE, Shades, bar_pixels, map_pixels, overlaid, shades_of
from cutaway.draw.scene import (
    BLUE,
    MUTED,
    RULE,
    SHARP,
    Block,
    Box,
    Mark,
    Raster,
    Words,
    cut,
    cut_middle,
    moved,
    number,
    width_of,
)
from cutaway.draw.trust_strip import Trust, trust_block, verdict_sign, wrapped

_SPACE = 24.0
_GAP = 8.0
_PHOTO = 236.0
_SMOOTH_FROM = 64
"""Pixels from which a photo is enlarged smoothly; fewer stay squares."""
_LARGEST_TILE = 300.0
_ALONE = 2 * _LARGEST_TILE + _GAP
_NOTHING = Block(0, ())
_CLASSES = 5


@dataclass(frozen=True, slots=True, eq=False)
class MapCell:
    """One explanation: `title` the method, `told` its layer and settings, `says` what a large value means, `of` the
    class where the page has several, `notes` what a reader must know."""

    title: str
    map: NDArray[Any]
    says: str = ""
    told: str = ""
    of: str = ""
    notes: tuple[str, ...] = ()
    trust: Trust | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PictureMaps:
    """One photo (H, W, 3) as the network gets it, its likeliest classes, the sentence about what is explained, and
    lines of cells: those of a line share one scale (one method, several classes) where `shared`, else each its own."""

    name: str
    pixels: Pixels
    top: Sequence[tuple[str, float]]
    classes: int
    question: str
    lines: Sequence[Sequence[MapCell]]
    shared: bool = False


def picture_block(picture: PictureMaps) -> Block:
    """One photo with its maps -> a block over the page's width: the photo and its answer left, the maps right."""
    left = _photo(picture)
    cells = [cell for line in picture.lines for cell in line]
    columns = _columns(picture, len(cells))
    wide = (AREA - _SPACE * (columns - 1)) / columns
    lines = picture.lines if picture.shared else list(_chunks(cells, columns))
    marks, y = list(left.marks), 0.0
    for line in lines:
        scales = (
            [shades_of([c.map for c in line])] * len(line) if picture.shared else [shades_of([c.map]) for c in line]
        )
        for part in _chunks(list(zip(line, scales, strict=True)), columns):
            drawn = _row(part, picture, wide, len(line) if picture.shared else 1, alone=columns == 1)
            for i, block in enumerate(drawn):
                marks += moved(block.marks, LABELS + i * (wide + _SPACE), y)
            y += max(b.height for b in drawn) + 30
    return Block(max(left.height, y - 30), tuple(marks))


def left_out_block(rows: Sequence[tuple[str, str]]) -> Block:
    """(method, why) -> a list of what is not on the page, and why."""
    marks: list[Mark] = [Words(0, 16, "Left out", 17, strong=True)]
    y = 16.0
    for name, why in rows:
        lines = wrapped(why, AREA, 13, 3)
        marks.append(Words(0, y + 22, cut(name, LABELS - 16, 14), 14))
        marks += [Words(LABELS, y + 22 + 17 * i, line, 13, MUTED) for i, line in enumerate(lines)]
        y += 22 + 17 * (len(lines) - 1)
    return Block(y + 8, tuple(marks))


def _columns(picture: PictureMaps, cells: int) -> int:
    if picture.shared:
        return max(2, min(4, max(len(line) for line in picture.lines)))
    return cells if cells <= 2 else 3 if cells <= 6 else 4


def _chunks(cells: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [cells[i : i + size] for i in range(0, len(cells), size)]


def _photo(picture: PictureMaps) -> Block:
    height, width = picture.pixels.shape[:2]
    w, h = _PHOTO * width / max(height, width), _PHOTO * height / max(height, width)
    wide = LABELS - 32
    marks: list[Mark] = [
        Raster(0, 4, w, h, picture.pixels, smooth=max(height, width) > _SMOOTH_FROM),
        Words(0, h + 24, cut_middle(picture.name, wide, 15, strong=True), 15, strong=True),
    ]
    y = h + 24
    for line in wrapped(picture.question, wide, 13, 4):
        y += 18
        marks.append(Words(0, y, line, 13))
    y += 16
    for i, (name, share) in enumerate(picture.top[:_CLASSES]):
        said = f"{100 * share:.1f} %"
        room = wide - width_of(said, 13, strong=True) - 10
        marks += [
            Words(0, y + 13, cut(name, room, 13, strong=not i), 13, strong=not i),
            Words(wide, y + 13, said, 13, anchor="end", strong=not i),
            Box(0, y + 18, wide, 5, (236, 236, 232)),
            Box(0, y + 18, max(1.0, wide * min(1.0, max(0.0, share))), 5, BLUE if not i else (150, 160, 171)),
        ]
        y += 30
    more = picture.classes - min(_CLASSES, len(picture.top))
    if more > 0:
        marks.append(Words(0, y + 12, f"and {more:,} more class{'es' * (more > 1)}", 12, MUTED))
        y += 16
    return Block(y + 4, tuple(marks))


def _row(
    parts: Sequence[tuple[MapCell, Shades]], picture: PictureMaps, wide: float, sharing: int, *, alone: bool
) -> list[Block]:
    """Cells side by side: their maps at one height, and what was measured of them. A cell alone has the latter beside
    its maps."""
    own = _ALONE if alone else wide
    heads = [_head(cell, own) for cell, _ in parts]
    pairs = [_pair(cell, shades, picture.pixels, own, sharing) for cell, shades in parts]
    notes = [_notes(cell.notes, own) for cell, _ in parts]
    strips = [
        trust_block(c.trust, AREA - own - 2 * _SPACE if alone else wide) if c.trust else _NOTHING for c, _ in parts
    ]
    top = max(head.height for head in heads) + 9
    under = top + max(pair.height + note.height for pair, note in zip(pairs, notes, strict=True))
    at = (own + 2 * _SPACE, top - 16) if alone else (0.0, under + 12)
    found = []
    for head, pair, note, strip in zip(heads, pairs, notes, strips, strict=True):
        marks = [*head.marks, *moved(pair.marks, 0, top), *moved(note.marks, 0, top + pair.height),
                 *moved(strip.marks, *at)]  # fmt: skip
        found.append(Block(max(under, at[1] + strip.height), tuple(marks)))
    return found


def _head(cell: MapCell, wide: float) -> Block:
    marks: list[Mark] = [Words(0, 16, cut(cell.title, wide - 30, 17, strong=True), 17, strong=True)]
    if cell.trust is not None:
        marks += moved(verdict_sign(cell.trust.level), wide - 18, 1)
    y = 16.0
    if cell.of:
        y += 19
        marks.append(Words(0, y, cut(cell.of, wide, 14), 14))
    for line in wrapped(cell.says, wide, 12.5, 3):
        y += 16
        marks.append(Words(0, y, line, 12.5))
    for line in wrapped(cell.told, wide, 11.5, 2):
        y += 15
        marks.append(Words(0, y, line, 11.5, MUTED))
    return Block(y, tuple(marks))


def _notes(notes: Sequence[str], wide: float) -> Block:
    lines = [line for note in notes for line in wrapped(note, wide, 12, 3)]
    return Block(
        16.0 * len(lines) + 4 * bool(lines), tuple(Words(0, 16 + 16 * i, line, 12) for i, line in enumerate(lines))
    )


def _pair(cell: MapCell, shades: Shades, photo: Pixels, wide: float, sharing: int) -> Block:
    """The map on the photo, the map alone, and below them what the colours stand for."""
    tile = min(_LARGEST_TILE, (wide - _GAP) / 2)
    height, width = cell.map.shape
    w, h = tile * width / max(height, width), tile * height / max(height, width)
    x = w + _GAP
    scale = shades.range
    marks: list[Mark] = [
        Raster(0, 0, w, h, overlaid(photo, cell.map, scale), smooth=max(height, width) > _SMOOTH_FROM),
        Raster(x, 0, w, h, map_pixels(cell.map, scale, round(tile * SHARP))),
        Box(x, 0, w, h, None, RULE, 0.5),
    ]
    y = h + 8
    bar = bar_pixels(scale, round(w * SHARP), 9 * SHARP)
    marks += [Raster(x, y, w, 9, bar, smooth=False), Box(x, y, w, 9, None, RULE, 0.5)]
    ends = [(0.0, scale.low, "start"), (w, scale.high, "end"), *([(w / 2, 0.0, "middle")] if scale.signed else [])]
    marks += [Words(x + at, y + 22, number(v), 11.5, MUTED, anchor) for at, v, anchor in ends]  # type: ignore[arg-type]
    for i, line in enumerate(itertools.islice(_scale_words(shades, sharing, w), 2)):
        marks.append(Words(0, y + 8 + 14 * i, line, 11.5, MUTED))
    return Block(y + 26, tuple(marks))


def _scale_words(shades: Shades, sharing: int, wide: float) -> list[str]:
    if not shades.range.high:
        return ["zero everywhere"]
    whose = f"one scale for {sharing}; " if sharing > 1 else ""
    if not shades.beyond or math.isclose(shades.largest, shades.range.high, rel_tol=1e-3):
        return wrapped(f"{whose}nothing is clipped", wide, 11.5, 2)
    told = f"{whose}clipped at {PERCENTILE:g} %; largest {number(shades.largest)}"
    return wrapped(told, wide, 11.5, 2)
