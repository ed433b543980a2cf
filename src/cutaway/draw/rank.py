"""What parts of a network are worth -> a chart: a strip of channels for each layer, or bars for layers and blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cutaway.draw.colours import Rgb
from cutaway.draw.scale import Axis, plain, ticks
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
    moved,
    page,
)

_TRACK: Rgb = (243, 244, 241)
_BETTER: Rgb = (10, 118, 86)
_GAP = 56.0
_PITCH = 30.0
_MOST_IN_COLUMN = 30


@dataclass(frozen=True, slots=True)
class Strip:
    """One layer: what each of its channels costs when it is silenced, in nats of loss, channel 0 first."""

    name: str
    costs: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One layer or block: the accuracy (a share) and the loss (nats) that leaving it out costs."""

    name: str
    accuracy: float
    loss: float


def strips_chart(rows: Sequence[Strip], *, title: str, words: Sequence[str]) -> Scene:
    """Layers in running order -> a line for each of their channels at what it costs; all on one axis."""
    every = [c for row in rows for c in row.costs]
    low, high = _ends(every)
    columns = min(2, math.ceil(len(rows) / _MOST_IN_COLUMN))
    tall = math.ceil(len(rows) / columns)
    wide = (PAGE_WIDTH - 2 * MARGIN - _GAP * (columns - 1)) / columns
    marks: list[Mark] = []
    for i in range(columns):
        part = rows[i * tall : (i + 1) * tall]
        marks += moved(_strips(part, wide, low, high), i * (wide + _GAP), 0)
    return page(title, words, [_strip_legend(low < 0), Block(tall * _PITCH + 62, tuple(marks))])


def _strips(rows: Sequence[Strip], wide: float, low: float, high: float) -> list[Mark]:
    name, count, best = min(280.0, 0.3 * wide), 62.0, 132.0
    x = Axis(low, high, name + count + 20, wide - best)
    marks: list[Mark] = [
        Words(name + count, 10, "channels", 12, MUTED, "end"),
        Words(wide, 10, "costs most", 12, MUTED, "end"),
    ]
    for i, row in enumerate(rows):
        y = 16 + i * _PITCH
        top = max(range(len(row.costs)), key=row.costs.__getitem__)
        marks += [
            Words(name, y + 19, cut(row.name, name, 14), 14, INK, "end"),
            Words(name + count, y + 19, f"{len(row.costs):,}", 14, MUTED, "end"),
            Box(x.start, y + 4, x.end - x.start, _PITCH - 9, _TRACK),
            *(
                Line(x.at(c), y + 5, x.at(c), y + _PITCH - 6, BLUE if c >= 0 else _BETTER, 0.6)
                for c in sorted(set(row.costs))
            ),
            Line(x.at(median(row.costs)), y + 1, x.at(median(row.costs)), y + _PITCH - 2, INK, 2),
            Words(wide, y + 19, f"{top}  ({signed(row.costs[top])})", 14, INK, "end"),
        ]
    marks += _axis(x, 16 + len(rows) * _PITCH, "loss gained when the channel is silent, nats a picture")
    return marks


def _strip_legend(below: bool) -> Block:
    marks: list[Mark] = [Line(2, 0, 2, 16, BLUE, 1), Words(12, 13, "one channel", 14)]
    at = 120.0
    if below:
        marks += [Line(at, 0, at, 16, _BETTER, 1), Words(at + 10, 13, "the loss is lower without it", 14)]
        at += 230
    marks += [Line(at, 0, at, 16, INK, 2), Words(at + 10, 13, "middle channel of the layer (median)", 14)]
    return Block(24, tuple(marks))


def bars_chart(rows: Sequence[Bar], *, title: str, words: Sequence[str], unlabelled: bool = False) -> Scene:
    """Layers or blocks in running order -> what each costs: bars of accuracy and of loss side by side."""
    columns = min(2, math.ceil(len(rows) / _MOST_IN_COLUMN))
    tall = math.ceil(len(rows) / columns)
    wide = (PAGE_WIDTH - 2 * MARGIN - _GAP * (columns - 1)) / columns
    ends = (_ends([100 * r.accuracy for r in rows]), _ends([r.loss for r in rows]))
    marks: list[Mark] = []
    for i in range(columns):
        part = rows[i * tall : (i + 1) * tall]
        marks += moved(_bars(part, wide, ends, unlabelled), i * (wide + _GAP), 0)
    return page(title, words, [Block(tall * _PITCH + 46, tuple(marks))])


def _bars(rows: Sequence[Bar], wide: float, ends: tuple[tuple[float, float], ...], unlabelled: bool) -> list[Mark]:
    name, number = min(300.0, 0.3 * wide), 74.0
    each = (wide - name - 14 - 2 * number - 24) / 2
    first = Axis(*ends[0], name + 14, name + 14 + each)
    second = Axis(*ends[1], first.end + number + 24, first.end + number + 24 + each)
    marks: list[Mark] = []
    for i, row in enumerate(rows):
        y = i * _PITCH
        marks.append(Words(name, y + 19, cut(row.name, name, 14), 14, INK, "end"))
        for x, value in ((first, 100 * row.accuracy), (second, row.loss)):
            zero, end = x.at(0.0), x.at(value)
            marks.append(Box(x.start, y + 4, x.end - x.start, _PITCH - 9, _TRACK))
            if abs(end - zero) >= 0.5:
                left = min(zero, end)
                marks.append(Box(left, y + 4, abs(end - zero), _PITCH - 9, BLUE if value > 0 else _BETTER))
            marks.append(Words(x.end + 8, y + 19, signed(value), 14, INK if round(value, 9) else MUTED))
    foot = len(rows) * _PITCH
    what = "answers changed, points" if unlabelled else "accuracy lost, points"
    return [*marks, *_axis(first, foot, what, 3), *_axis(second, foot, "loss gained, nats a picture", 3)]


def _axis(x: Axis, foot: float, label: str, about: int = 5) -> list[Mark]:
    marks: list[Mark] = [Line(x.start, foot + 2, x.end, foot + 2, RULE, 0.5)]
    for tick in ticks(x.low, x.high, about):
        at = x.at(tick)
        marks += [
            Line(at, foot + 2, at, foot + 7, MUTED, 0.5),
            Words(at, foot + 20, plain(tick).replace("-", "−"), 12, MUTED, "middle"),
        ]
    return [*marks, Words((x.start + x.end) / 2, foot + 40, label, 13, MUTED, "middle")]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Values -> the ends of an axis that holds them and 0."""
    low, high = min(0.0, *values), max(*values, 1e-9)
    room = 0.02 * (high - low)
    return low - (room if low < 0 else 0.0), high + room


def signed(value: float) -> str:
    """0.1234 -> "+0.123"; -2.0 -> "−2"; 0.00004 -> "0"."""
    if abs(value) < 5e-4:
        return "0"
    return f"{value:+.3g}".replace("-", "−")
