"""What an edit does -> a page: layers before, after and their difference; probabilities; photos with another answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Pixels, Range, Rgb, painted, range_of
from cutaway.draw.flat import flat_block
from cutaway.draw.maps import AREA, LABELS, averaged, chosen_channels, legend_bar, tile_of
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
    moved,
    number,
)
from cutaway.errors import must_be

Values = NDArray[Any]
TILE = 112.0
TILES = 3
"""Maps of each layer: those that changed most."""
_PITCH = TILE + 8
_COLUMN = TILES * TILE + (TILES - 1) * 8
_SPACE = (AREA - 3 * _COLUMN) / 2
_STILL: Rgb = (176, 184, 193)
_RIGHT: Rgb = (10, 118, 86)
_WRONG: Rgb = (176, 72, 3)
_PHOTO = 118.0


@dataclass(frozen=True, slots=True, eq=False)
class LayerPair:
    """One layer's values before and after, (C, H, W), (L, C) or (F,); None where the layer is not there."""

    name: str
    kind: str
    before: Values | None
    after: Values | None


@dataclass(frozen=True, slots=True)
class SharePair:
    """A share in [0, 1] before and after, None where there is none; `note` stands behind the numbers."""

    name: str
    before: float | None
    after: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FlipTile:
    """A photo whose answer is another one now; `good`: whether it is right now, None where nobody knows."""

    pixels: Pixels
    before: str
    after: str
    good: bool | None
    name: str = ""


def picture_block(pixels: Pixels, caption: str, edits: Sequence[str]) -> Block:
    """The picture as the network sees it, what it is called, the edits in words -> the page's first block."""
    height, width = pixels.shape[:2]
    side = 150.0
    w, h = side * width / max(height, width), side * height / max(height, width)
    marks: list[Mark] = [Raster(0, 0, w, h, pixels, smooth=max(height, width) > side * SHARP)]
    marks.append(Words(0, h + 17, cut(caption, LABELS - 16, 13), 13, MUTED))
    shown = list(edits[:6])
    if len(edits) > 6:
        shown[5:] = [f"and {len(edits) - 5} more edits"]
    for i, sentence in enumerate(shown):
        text = f"{i + 1}.  {sentence}" if len(edits) > 1 else sentence[:1].upper() + sentence[1:]
        marks.append(Words(LABELS, 20 + 24 * i, cut(text, AREA, 17), 17))
    return Block(max(h + 22, 24 * len(shown)), tuple(marks))


def layers_blocks(layers: Sequence[LayerPair]) -> list[Block]:
    """Layers in running order -> a heading and one block each: label, before, after, difference.

    Before and after share one range of colours, the difference has its own. Raises BadInput for odd shapes.
    """
    heads = [
        Words(LABELS + i * (_COLUMN + _SPACE), 16, text, 17, strong=True)
        for i, text in enumerate(("before", "after", "after − before"))
    ]
    note = Words(0, 16, "Maps that changed most.", 13, MUTED)
    return [Block(22, (note, *heads)), *(_layer(layer) for layer in layers)]


def shares_block(title: str, told: str, rows: Sequence[SharePair], *, first: bool = False) -> Block:
    """Shares before and after -> two bars each, the numbers behind; the largest are strong, or only the `first` row."""
    marks: list[Mark] = [Words(0, 16, title, 17, strong=True)]
    if told:
        marks.append(Words(0, 36, cut(told, LABELS - 16, 13), 13, MUTED))
    name, pitch, bar = 220.0, 34.0, AREA - 220.0 - 260.0
    x = LABELS + name
    marks += [Box(x, 2, 14, 9, _STILL), Words(x + 20, 11, "before", 13, MUTED)]
    marks += [Box(x + 84, 2, 14, 9, BLUE), Words(x + 104, 11, "after", 13, MUTED)]
    best = {0} if first else {_largest([r.before for r in rows]), _largest([r.after for r in rows])}
    for i, row in enumerate(rows):
        y = 24 + i * pitch
        marks.append(Words(x - 14, y + 18, cut(row.name, name - 14, 15), 15, anchor="end", strong=i in best))
        marks.append(Box(x, y + 1, bar, 24, (243, 244, 241)))
        for share, top, colour in ((row.before, y + 2, _STILL), (row.after, y + 14, BLUE)):
            if share is not None and math.isfinite(share) and share > 0:
                marks.append(Box(x, top, max(1.0, bar * min(1.0, share)), 10, colour))
        said = f"{_percent(row.before)} → {_percent(row.after)}{'   ' + row.note if row.note else ''}"
        marks.append(Words(x + bar + 12, y + 18, cut(said, 248, 15), 15, strong=i in best))
    return Block(max(24 + len(rows) * pitch, 44), tuple(marks))


def flips_block(title: str, tiles: Sequence[FlipTile], left_out: int) -> Block:
    """Photos with another answer -> a grid with both answers below each; green: right now, orange: wrong now."""
    per_line = int((LABELS + AREA + 14) // (_PHOTO + 14))
    pitch = (LABELS + AREA - _PHOTO) / (per_line - 1)
    tall = _PHOTO + 52
    marks: list[Mark] = [Words(0, 16, title, 17, strong=True)]
    for i, tile in enumerate(tiles):
        x, y = (i % per_line) * pitch, 30 + (i // per_line) * tall
        height, width = tile.pixels.shape[:2]
        w, h = _PHOTO * width / max(height, width), _PHOTO * height / max(height, width)
        colour = MUTED if tile.good is None else _RIGHT if tile.good else _WRONG
        marks += [
            Raster(x, y + (_PHOTO - h), w, h, tile.pixels, smooth=max(height, width) > 2 * _PHOTO),
            Words(x, y + _PHOTO + 16, cut(tile.before, _PHOTO, 12.5), 12.5, MUTED),
            Words(x, y + _PHOTO + 32, cut(f"→ {tile.after}", _PHOTO, 12.5, strong=True), 12.5, colour, strong=True),
        ]
    height = 30 + math.ceil(len(tiles) / per_line) * tall - 10
    if left_out:
        marks.append(Words(0, height + 12, f"and {left_out:,} more photos", 13, MUTED))
        height += 18
    return Block(height, tuple(marks))


def words_block(*lines: str) -> Block:
    """Sentences over the page's width, one a line."""
    marks = (Words(0, 18 + 25 * i, cut(line, LABELS + AREA, 17), 17) for i, line in enumerate(lines))
    return Block(25 * len(lines), tuple(marks))


def _layer(layer: LayerPair) -> Block:
    there = [v for v in (layer.before, layer.after) if v is not None]
    if not there or any(v.ndim not in (1, 2, 3) or 0 in v.shape for v in there):
        shapes = ", ".join(str(v.shape) for v in there) or "nothing"
        raise must_be(f"the values of {layer.name}", "(C, H, W), (L, C) or (F,)", shapes)
    both = np.concatenate([v.ravel() for v in there])
    colours = range_of(both)
    apart = _difference(layer)
    own = range_of(apart, signed=True) if apart is not None else None
    which = _channels(layer, apart)
    cells = [_cell(layer.before, colours, which[0], "not there before"),
             _cell(layer.after, colours, which[1], "not there any more")]  # fmt: skip
    if apart is not None and own is not None:
        cells.append(_cell(apart, own, which[0], ""))
    elif len(there) == 2:
        sizes = [" × ".join(map(str, v.shape)) for v in there]
        cells.append(_text("other shapes:", f"{sizes[0]} before,", f"{sizes[1]} after"))
    label = _label(layer, there, apart, colours, own)
    marks = list(label.marks)
    for i, cell in enumerate(cells):
        marks += moved(cell.marks, LABELS + i * (_COLUMN + _SPACE), 0)
    return Block(max(label.height, *(c.height for c in cells)), tuple(marks))


def _difference(layer: LayerPair) -> Values | None:
    if layer.before is None or layer.after is None or layer.before.shape != layer.after.shape:
        return None
    with np.errstate(invalid="ignore"):
        found: Values = layer.after.astype(np.float64) - layer.before
    return found


def _channels(layer: LayerPair, apart: Values | None) -> tuple[Values, Values]:
    """Numbers of the maps to show before and after: the same ones wherever there are as many."""
    if apart is not None:
        same = chosen_channels(apart, TILES, "strength") if apart.ndim == 3 else np.arange(0)
        moved_ones = same[[bool(np.any(apart[c] != 0)) for c in same]] if len(same) else same
        same = moved_ones if len(moved_ones) else same
        return same, same
    one, two = layer.before, layer.after
    first = chosen_channels(one, TILES, "contrast") if one is not None and one.ndim == 3 else np.arange(0)
    if two is None or two.ndim != 3:
        return first, np.arange(0)
    alike = one is not None and one.ndim == 3 and len(one) == len(two)
    return first, first if alike else chosen_channels(two, TILES, "contrast")


def _cell(values: Values | None, colours: Range, which: Values, missing: str) -> Block:
    if values is None:
        return _text(missing)
    if values.ndim == 1:
        return flat_block(values, colours, _COLUMN)
    if values.ndim == 2:
        turned = values.T if values.shape[0] > values.shape[1] else values
        merged = math.ceil(turned.shape[1] / (_COLUMN * SHARP))
        shown = averaged(turned, merged) if merged > 1 else turned
        high = min(TILE, _COLUMN * shown.shape[0] / shown.shape[1])
        return Block(high, (Raster(0, 0, _COLUMN, high, painted(shown, colours)),
                            Box(0, 0, _COLUMN, high, None, RULE, 0.5)))  # fmt: skip
    marks: list[Mark] = []
    for i, channel in enumerate(which):
        pixels, width, height, _ = tile_of(values[channel], colours, TILE)
        x = i * _PITCH
        marks += [Raster(x, 0, width, height, pixels), Box(x, 0, width, height, None, RULE, 0.5)]
        marks.append(Words(x, height + 13, f"{channel}", 11))
    return Block(TILE + 16, tuple(marks))


def _label(layer: LayerPair, there: Sequence[Values], apart: Values | None, colours: Range, own: Range | None) -> Block:
    wide = LABELS - 22
    marks: list[Mark] = [
        Words(0, 14, cut(layer.name, wide, 16, strong=True), 16, strong=True),
        Words(0, 31, cut(_kind(layer, there), wide, 13), 13, MUTED),
        *moved(legend_bar(colours, 150).marks, 0, 42),
        Words(160, 51, "values", 11.5, MUTED),
    ]
    y = 70.0
    if own is not None and apart is not None:
        marks += moved(legend_bar(own, 150).marks, 0, 76)
        marks.append(Words(160, 85, "difference", 11.5, MUTED))
        marks.append(Words(0, 120, cut(_changed(there[0], apart), wide, 12.5), 12.5))
        y = 124.0
    return Block(y, tuple(marks))


def _kind(layer: LayerPair, there: Sequence[Values]) -> str:
    """Kind and size; two sizes stand in the place of the difference, and two kinds leave little room for one."""
    if len({v.shape for v in there}) > 1:
        return layer.kind
    shape = there[0].shape
    return f"{layer.kind} · {' × '.join(map(str, shape)) if '→' in layer.kind else _size(shape)}"


def _size(shape: tuple[int, ...]) -> str:
    size = " × ".join(map(str, shape[1:]))
    return {3: f"{shape[0]} maps of {size}", 2: f"{shape[0]} × {size}", 1: f"{shape[0]} numbers"}[len(shape)]


def _changed(before: Values, apart: Values) -> str:
    """How much, in words: the difference's norm over that of the values before."""
    size, gap = (float(np.linalg.norm(v.astype(np.float64).ravel())) for v in (before, apart))
    if not math.isfinite(gap):
        return "not finite any more"
    if not gap:
        return "as before"
    return f"changed by {_amount(gap / size)} of its norm" if size else f"was zero, is now up to {number(gap)}"


def _amount(share: float) -> str:
    return f"{100 * share:.3g} %" if share < 10 else f"{share:.3g} times"


def _text(*lines: str) -> Block:
    return Block(60, tuple(Words(0, 48 + 18 * i, line, 14, MUTED) for i, line in enumerate(lines)))


def _percent(share: float | None) -> str:
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.1f} %"


def _largest(shares: Sequence[float | None]) -> int:
    """Index of the largest that is a number, -1 where none is."""
    known = [(share, i) for i, share in enumerate(shares) if share is not None and math.isfinite(share)]
    return max(known)[1] if known else -1
