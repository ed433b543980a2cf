"""What the checks of many methods say -> a chart: a row for each, dots with whiskers, the verdict by word and shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cutaway.draw.colours import Rgb
from cutaway.draw.scale import Axis, plain, rounded_out, ticks
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
    Scene,
    Words,
    cut,
    page,
)

_WIDE = PAGE_WIDTH - 2 * MARGIN
_PITCH, _HEAD = 38.0, 62.0
_NAME, _VERDICT, _GAP = 240.0, 170.0, 46.0
_TRACK: Rgb = (243, 244, 241)
_BAD: Rgb = (249, 231, 220)
_GOOD_INK: Rgb = (10, 118, 86)
_DOUBT_INK: Rgb = (138, 88, 0)
_FAIL_INK: Rgb = (179, 38, 30)


@dataclass(frozen=True, slots=True)
class Dot:
    """A mean and its interval, None where there is none."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A method, its verdict and its dots, one for each column; None where nothing could be measured."""

    name: str
    level: str
    dots: Sequence[Dot | None]


@dataclass(frozen=True, slots=True)
class Column:
    """A check, what it says in a few words, its limit and on which side of it a method is bad."""

    title: str
    words: str
    limit: float
    bad: Literal["below", "above"]
    low: float
    high: float


def trust_chart(rows: Sequence[Row], columns: Sequence[Column], *, title: str, words: Sequence[str]) -> Scene:
    """Methods, checks -> the chart. The side of a limit on which a method is bad is tinted."""
    each = (_WIDE - _NAME - _VERDICT - _GAP * len(columns)) / len(columns)
    foot = _HEAD + len(rows) * _PITCH
    marks: list[Mark] = []
    for i, column in enumerate(columns):
        start = _NAME + _GAP / 2 + i * (each + _GAP)
        marks += _column(column, [row.dots[i] for row in rows], Axis(*_ends(column, rows, i), start, start + each))
    for n, row in enumerate(rows):
        y = _HEAD + n * _PITCH + _PITCH / 2
        marks.append(Words(0, y + 6, cut(row.name, _NAME - 12, 17), 17, INK))
        marks += _verdict(row.level, _WIDE - _VERDICT + _GAP, y)
        if n:
            marks.append(Line(0, y - _PITCH / 2, _WIDE, y - _PITCH / 2, RULE, 0.4))
    return page(title, words, [Block(foot + 46, tuple(marks))])


def _column(column: Column, dots: Sequence[Dot | None], x: Axis) -> list[Mark]:
    foot = _HEAD + len(dots) * _PITCH
    wide = x.end - x.start
    bad = (x.start, x.at(column.limit)) if column.bad == "below" else (x.at(column.limit), x.end)
    marks: list[Mark] = [
        Words(x.start, 18, cut(column.title, wide, 16, strong=True), 16, INK, strong=True),
        Words(x.start, 40, cut(column.words, wide + _GAP - 6, 13), 13, MUTED),
        Box(x.start, _HEAD, wide, foot - _HEAD, _TRACK),
        Box(bad[0], _HEAD, max(0.0, bad[1] - bad[0]), foot - _HEAD, _BAD),
        Line(x.at(column.limit), _HEAD - 4, x.at(column.limit), foot + 4, MUTED, 1),
    ]
    for tick in ticks(x.low, x.high, 4):
        at = x.at(tick)
        marks += [
            Line(at, foot, at, foot + 5, MUTED, 0.5),
            Words(at, foot + 20, plain(tick).replace("-", "−"), 12, MUTED, "middle"),
        ]
    for n, dot in enumerate(dots):
        y = _HEAD + n * _PITCH + _PITCH / 2
        if dot is None:
            marks.append(Words(x.start + wide / 2, y + 5, "not measured", 12, MUTED, "middle"))
            continue
        low, high = (v if v is not None else dot.value for v in (dot.low, dot.high))
        marks += [Line(x.at(low), y, x.at(high), y, BLUE, 2)]
        marks += [Line(x.at(v), y - 5, x.at(v), y + 5, BLUE, 2) for v in (low, high) if dot.low is not None]
        marks.append(Box(x.at(dot.value) - 5, y - 5, 10, 10, BLUE))
    return marks


def _ends(column: Column, rows: Sequence[Row], i: int) -> tuple[float, float]:
    dots = [row.dots[i] for row in rows]
    values = [v for d in dots if d is not None for v in (d.value, d.low, d.high) if v is not None]
    return rounded_out(min([column.low, *values]), max([column.high, *values]), 4)


def _verdict(level: str, x: float, y: float) -> list[Mark]:
    """A tick, a question mark or a cross beside the word: told without colour too."""
    ink = {"passes": _GOOD_INK, "doubtful": _DOUBT_INK, "fails": _FAIL_INK}[level]
    shape: list[Mark]
    if level == "passes":
        shape = [Line(x, y, x + 6, y + 6, ink, 3), Line(x + 6, y + 6, x + 17, y - 7, ink, 3)]
    elif level == "fails":
        shape = [Line(x + 2, y - 6, x + 15, y + 7, ink, 3), Line(x + 15, y - 6, x + 2, y + 7, ink, 3)]
    else:
        shape = [Words(x + 8, y + 8, "?", 24, ink, "middle", strong=True)]
    return [*shape, Words(x + 28, y + 6, level, 17, ink, strong=True)]
