"""Silent and rarely firing channels per layer -> a chart: one bar for each layer, in running order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.draw.colours import Rgb
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
    cut_middle,
    moved,
    page,
)

PITCH = 26.0
GAP = 48.0
MOST_IN_COLUMN = 24
_TRACK: Rgb = (243, 244, 241)
_RARE: Rgb = (150, 190, 226)
_ENDS = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One layer: channels, how many never fire, how many fire rarely (None: not told)."""

    name: str
    channels: int
    silent: int
    rare: int | None


def silence_chart(rows: Sequence[Row], *, title: str, pictures: int, data: str) -> Scene:
    """Rows in running order -> the chart; every bar starts at 0 and the full track is the same share for all."""
    worst = max((r.silent + (r.rare or 0)) / r.channels for r in rows)
    end = next(e for e in _ENDS if worst <= e or e == 1.0)
    columns = min(3, math.ceil(len(rows) / MOST_IN_COLUMN))
    tall = math.ceil(len(rows) / columns)
    wide = (PAGE_WIDTH - 2 * MARGIN - GAP * (columns - 1)) / columns
    marks: list[Mark] = []
    for i in range(columns):
        part = rows[i * tall : (i + 1) * tall]
        marks += moved(_column(part, wide, end), i * (wide + GAP), 0)
    silent, channels = sum(r.silent for r in rows), sum(r.channels for r in rows)
    words = (
        f"{silent:,} of {channels:,} channels never fire on {pictures:,} picture{'s' * (pictures != 1)} of {data}.",
        f"Layers in running order; a full bar is {_percent(end)} of a layer's channels.",
    )
    return page(title, words, [_legend(any(r.rare is not None for r in rows)), Block(tall * PITCH + 24, tuple(marks))])


def _column(rows: Sequence[Row], wide: float, end: float) -> list[Mark]:
    name, number = min(320.0, 0.42 * wide), 92.0
    bar = wide - name - number - 28
    marks: list[Mark] = []
    for i, row in enumerate(rows):
        y = i * PITCH
        silent, rare = (min(bar, bar * n / row.channels / end) for n in (row.silent, row.rare or 0))
        quiet = not row.silent
        marks += [
            Words(name, y + 16, cut_middle(row.name, name, 14), 14, MUTED if quiet else INK, "end"),
            Box(name + 14, y + 3, bar, 18, _TRACK),
            *([Box(name + 14, y + 3, silent, 18, BLUE)] if silent else []),
            *([Box(name + 14 + silent, y + 3, min(rare, bar - silent), 18, _RARE)] if rare else []),
            Words(wide, y + 16, f"{row.silent:,} of {row.channels:,}", 14, MUTED if quiet else INK, "end"),
        ]
    foot = len(rows) * PITCH + 2
    marks.append(Line(name + 14, foot, name + 14 + bar, foot, RULE, 0.5))
    for share in (0.0, end / 2, end):
        at = name + 14 + bar * share / end
        marks += [Line(at, foot, at, foot + 4, MUTED, 0.5), Words(at, foot + 17, _percent(share), 12, MUTED, "middle")]
    return marks


def _legend(rare: bool) -> Block:
    marks: list[Mark] = [Box(0, 0, 16, 16, BLUE), Words(24, 13, "never fires", 14)]
    if rare:
        marks += [Box(140, 0, 16, 16, _RARE), Words(164, 13, "fires on fewer than 1 % of the pictures", 14)]
    return Block(18, tuple(marks))


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
