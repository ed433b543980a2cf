"""The arithmetic of one number as a figure: patch × kernel = products, sums, bias, activation, and where it looked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Pixels, Range, Rgb, painted, range_of
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
    page,
)

Told = Mapping[str, Any]
"""One step's arithmetic as engine.unfold.Arithmetic.to_dict() gives it."""
WINDOWS = 4
"""Windows of a step that are drawn, those with the largest sums."""
ROWS = 10
"""Rows of a long list (a dense layer's products) that are drawn, the largest."""
PICTURE = 340.0
_MARK: Rgb = (214, 51, 108)
_GRID = 214.0
_SMALLEST = 26.0
_ZOOM = 150.0
_WIDE = PAGE_WIDTH - 2 * MARGIN


def arithmetic_scene(
    steps: Sequence[Told], title: str, picture: Pixels | None = None, box: Sequence[Sequence[int]] | None = None
) -> Scene:
    """A cell's arithmetic step after step, title, the picture uint8 (H, W, 3) and the pixels it saw -> the figure.

    `box`: ((first row, last row), (first column, last column)) of the picture.
    """
    first = steps[0]
    blocks = [_first(first, picture, box)]
    blocks += _later(steps[1:])
    said = f"{first['kind']}: {first['formula']}."
    return page(title, [said, *([first["note"]] if first["note"] else [])], blocks, gap=26)


def grid_marks(
    numbers: NDArray[Any],
    x: float,
    y: float,
    side: float,
    scale: Range,
    outside: NDArray[np.bool_] | None = None,
    picked: tuple[int, int] | None = None,
) -> list[Mark]:
    """Numbers (R, C), corner, cell's side, colour range -> cells, the numbers in them where there is room."""
    rows, columns = numbers.shape
    marks: list[Mark] = [Raster(x, y, columns * side, rows * side, painted(numbers, scale))]
    for r in range(rows):
        for c in range(columns):
            left, top = x + c * side, y + r * side
            if outside is not None and outside[r, c]:
                marks += hatched(left, top, side, side, pitch=max(4.0, side / 5))
            if side >= _SMALLEST:
                words = brief(numbers[r, c])
                size = min(side * 0.26, side * 1.5 / max(1, len(words)))
                spot = (left + side / 2, top + side / 2 + size * 0.36)
                marks.append(Words(*spot, words, size, ink_on(numbers[r, c], scale), "middle"))
    marks += [Box(x, y, columns * side, rows * side, None, RULE, 1)]
    if picked is not None:
        marks.append(Box(x + picked[1] * side, y + picked[0] * side, side, side, None, _MARK, 2.5))
    return marks


def ink_on(value: float, scale: Range) -> Rgb:
    """Black or white, whichever is read on that value's colour."""
    r, g, b = (int(v) for v in painted(np.array([value]), scale)[0])
    return INK if 0.299 * r + 0.587 * g + 0.114 * b > 140 else (255, 255, 255)


def brief(value: float) -> str:
    """A number for a small cell: at most five characters and the sign."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 0.0005:
        shown = f"{value:.0e}".replace("e-0", "e-")
    else:
        shown = f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"
    return shown.replace("-", "−")


def full(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}".replace("-", "−")


def array_of(rows: Any) -> NDArray[np.float64]:
    """Nested lists out of JSON, None for what is not finite -> float64."""
    return np.array([[np.nan if v is None else float(v) for v in row] for row in rows], np.float64)


def _first(told: Told, picture: Pixels | None, box: Sequence[Sequence[int]] | None) -> Block:
    """The picture with what was seen on the left, the step itself on the right."""
    if picture is None:
        return _step(told, _WIDE, heading=False)
    seen = _seen(picture, box)
    right = _step(told, _WIDE - PICTURE - 50, heading=False)
    marks = (*seen.marks, *moved(right.marks, PICTURE + 50, 0))
    return Block(max(seen.height, right.height), marks)


def _later(steps: Sequence[Told]) -> list[Block]:
    """The steps that follow, two beside each other where they are short."""
    blocks: list[Block] = []
    half = (_WIDE - 60) / 2
    at = 0
    while at < len(steps):
        pair = steps[at : at + 2]
        if len(pair) == 2 and not any(told["windows"] for told in pair):
            left, right = (_step(told, half, heading=True) for told in pair)
            blocks.append(Block(max(left.height, right.height), (*left.marks, *moved(right.marks, half + 60, 0))))
            at += 2
        else:
            blocks.append(_step(pair[0], _WIDE, heading=True))
            at += 1
    return blocks


def _seen(picture: Pixels, box: Sequence[Sequence[int]] | None) -> Block:
    high, wide = picture.shape[:2]
    scale = PICTURE / max(high, wide)
    marks: list[Mark] = [Raster(0, 0, wide * scale, high * scale, picture, smooth=scale < 3)]
    said = "the picture as the network gets it"
    if box is not None:
        (top, bottom), (left, right) = box
        place = grown(left * scale, top * scale, (right - left + 1) * scale, (bottom - top + 1) * scale, 14)
        marks += [Box(*place, None, (255, 255, 255), 4), Box(*place, None, _MARK, 2)]
        said = f"sees rows {top}–{bottom}, columns {left}–{right} of {high} × {wide} px"
    marks.append(Words(0, high * scale + 22, said, 14, MUTED))
    y = high * scale + 40
    if box is not None and max(bottom - top, right - left) < min(high, wide) // 4:
        crop = picture[top : bottom + 1, left : right + 1]
        zoom = _ZOOM / max(crop.shape[:2])
        place = (0.0, y, crop.shape[1] * zoom, crop.shape[0] * zoom)
        marks += [Raster(*place, np.ascontiguousarray(crop)), Box(*place, None, _MARK, 2)]
        marks.append(Words(place[2] + 14, y + 16, "these pixels, enlarged", 14, MUTED))
        y += place[3]
    return Block(y, tuple(marks))


def grown(x: float, y: float, width: float, height: float, least: float) -> tuple[float, float, float, float]:
    """A box -> the same one, grown around its middle where it is too small to be seen."""
    wide, high = max(width, least), max(height, least)
    return x - (wide - width) / 2, y - (high - height) / 2, wide, high


def _step(told: Told, wide: float, *, heading: bool) -> Block:
    marks: list[Mark] = []
    y = 0.0
    if heading:
        marks.append(Line(0, 0, wide, 0, RULE, 1))
        marks.append(Words(0, 30, f"then {told['step']}", 18, INK, strong=True))
        marks.append(Words(0, 52, cut(f"{told['kind']}: {told['formula']}", wide, 14), 14, MUTED))
        y = 68
    for block in (*_windows(told, wide), _ladder(told, wide)):
        marks += moved(block.marks, 0, y)
        y += block.height
    return Block(y, tuple(marks))


def _windows(told: Told, wide: float) -> list[Block]:
    windows = told["windows"]
    if not windows:
        return []
    if told["windows"][0]["weights"] is not None or told["windows"][0]["sum"] is not None:
        windows = sorted(windows, key=lambda w: -abs(w["sum"] or 0.0))
    if len(windows) == 1 and (len(windows[0]["values"]) == 1 and len(windows[0]["values"][0]) > 9):
        return [_list(windows[0], wide)]
    shown = windows[:WINDOWS]
    value_scale = range_of(np.concatenate([array_of(w["values"]).ravel() for w in shown]))
    blocks = [_grids(w, value_scale, shown, wide) for w in shown]
    if len(windows) > len(shown):
        rest = sum(w["sum"] or 0.0 for w in windows[WINDOWS:])
        said = f"the other {len(windows) - WINDOWS} channels, whose sums are smaller: {full(rest)} together"
        blocks.append(Block(34, (Words(0, 18, said, 15, MUTED),)))
    return blocks


def _grids(window: Told, scale: Range, shown: Sequence[Told], wide: float) -> Block:
    """One window: patch × kernel = products, and their sum."""
    values = array_of(window["values"])
    side = min(56.0, min(_GRID, (wide - 260) / 3) / max(values.shape))
    y = 26.0
    where = window["step"] + _cells(window)
    marks: list[Mark] = [Words(0, 14, cut(f"{window['label']} of {where}".removeprefix(" of "), wide, 14), 14, MUTED)]
    outside = None if window["padding"] is None else np.array(window["padding"], bool)
    marks += grid_marks(values, 0, y, side, scale, outside, _picked(window, values.shape))
    x, middle = values.shape[1] * side, y + values.shape[0] * side / 2
    for key, sign in (("weights", "×"), ("terms", "=")):
        if window[key] is None:
            continue
        own = range_of(np.concatenate([array_of(w[key]).ravel() for w in shown]))
        sign = "→" if window["weights"] is None else sign
        marks.append(Words(x + 20, middle + 8, sign, 24, INK, "middle"))
        marks += grid_marks(array_of(window[key]), x + 40, y, side, own)
        x += 40 + values.shape[1] * side
    if window["sum"] is not None:
        marks.append(Words(x + 16, middle + 7, f"sum {full(window['sum'])}", 19, INK, strong=True))
    return Block(y + values.shape[0] * side + 22, tuple(marks))


def _list(window: Told, wide: float) -> Block:
    """A long row: the largest terms as bars, the sum of the rest."""
    values = array_of(window["values"])[0]
    terms = None if window["terms"] is None else array_of(window["terms"])[0]
    weights = None if window["weights"] is None else array_of(window["weights"])[0]
    by = values if terms is None else terms
    order = np.argsort(-np.abs(np.nan_to_num(by)), kind="stable")[:ROWS]
    most = float(np.abs(np.nan_to_num(by)).max()) or 1.0
    places = next((axis for axis in window["axes"] if len(axis) == len(values)), list(range(len(values))))
    heads = ("cell", "value", "× weight" if weights is not None else "", "= product" if weights is not None else "term")
    columns = (0.0, 170.0, 290.0, 410.0)
    right = (90.0, 170.0, 290.0, 410.0)
    marks: list[Mark] = [Words(0, 14, f"the largest of {len(values):,} from {window['step']}", 14, MUTED)]
    marks += [Words(r, 38, h, 13, MUTED, "end") for r, h in zip(right, heads) if h]
    for n, i in enumerate(order):
        y = 62 + n * 26
        cells = (f"[{places[i]}]", brief(values[i]), "" if weights is None else brief(weights[i]), brief(float(by[i])))
        marks += [Words(r, y, c, 15, INK, "end") for r, c in zip(right, cells) if c]
        bar = abs(float(by[i])) / most * (wide - columns[3] - 160) / 2
        middle = columns[3] + 40 + (wide - columns[3] - 160) / 2
        colour: Rgb = (200, 104, 20) if by[i] >= 0 else BLUE
        marks.append(Box(middle if by[i] >= 0 else middle - bar, y - 13, max(bar, 1), 16, colour))
    y = 62 + len(order) * 26
    if terms is not None and len(terms) > len(order):
        rest = float(terms.sum() - terms[order].sum())
        marks.append(Words(0, y, f"the other {len(terms) - len(order):,} together: {full(rest)}", 14, MUTED))
        y += 26
    return Block(y, tuple(marks))


def _ladder(told: Told, wide: float) -> Block:
    """The lines of the calculation, one under the other, the last one large, what the network computed below it."""
    marks: list[Mark] = []
    end = min(560.0, 0.62 * wide)
    y = 10.0
    for line in told["lines"][:-1]:
        y += 24
        marks.append(Words(0, y, cut(line["label"], end - 130, 15), 15, INK))
        marks.append(Words(end, y, full(line["value"]), 15, INK, "end"))
        if line["text"]:
            marks.append(Words(end + 26, y, cut(line["text"], wide - end - 26, 13), 13, MUTED))
    y += 14
    marks.append(Line(0, y, end, y, INK, 1.2))
    y += 30
    last = told["lines"][-1]["label"] if told["lines"] else told["kind"]
    marks.append(Words(0, y, cut(f"{last}  {_name(told)}", end - 130, 19, True), 19, INK, strong=True))
    marks.append(Words(end, y, full(told["total"]), 19, INK, "end", True))
    if told["unfolded"]:
        y += 24
        said = f"the network computed {full(told['value'])}; difference {told['difference'] or 0:.1g}"
        marks.append(Words(0, y, said, 13, MUTED))
    return Block(y + 18, tuple(marks))


def _name(told: Told) -> str:
    return f"{told['step']}[{', '.join(map(str, told['index']))}]"


def _cells(window: Told) -> str:
    """ "[3, 4–6, 7–9]": the cells a window reads, padding left out."""
    spans = []
    for axis in window["axes"]:
        inside = [c for c in axis if c >= 0]
        if not inside:
            return ""
        first, last = min(inside), max(inside)
        spans.append(str(first) if first == last else f"{first}–{last}")
    return f"[{', '.join(spans)}]"


def _picked(window: Told, shape: tuple[int, ...]) -> tuple[int, int] | None:
    if window["picked"] is None:
        return None
    sizes = [len(axis) for axis in window["axes"]]
    flat = int(np.ravel_multi_index(window["picked"], sizes))
    return flat // shape[1], flat % shape[1]
