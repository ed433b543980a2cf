"""What was measured of an explanation -> the strip under its map: two small curves, the figures, the verdict."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cutaway.draw.colours import Rgb
from cutaway.draw.scale import Axis
from cutaway.draw.scene import INK, MUTED, RULE, Block, Box, Line, Mark, Words, cut, moved, width_of

Level = Literal["passes", "doubtful", "fails"]
_COLOURS: dict[Level, Rgb] = {"passes": (10, 118, 86), "doubtful": (134, 98, 0), "fails": (176, 36, 30)}
_RANDOM: Rgb = (150, 158, 168)
_TALL = 56.0
_GAP = 8.0
_SENTENCE_LINES = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """The class's probability after 0 to all pixels, beside that of a random order; the areas of both, and the area of
    an edge detector's order."""

    title: str
    values: Sequence[float]
    random: Sequence[float]
    area: float
    area_random: float
    area_edges: float


@dataclass(frozen=True, slots=True)
class Trust:
    """`curves`: deletion and insertion. `figures`: (number as written, what it is). The verdict's word and sentence;
    `notes`: how it was measured, where that differs from the map shown."""

    curves: tuple[Curve, ...]
    figures: tuple[tuple[str, str], ...]
    level: Level
    sentence: str
    notes: tuple[str, ...] = ()


def trust_block(trust: Trust, wide: float) -> Block:
    """What was measured, width -> the strip."""
    marks: list[Mark] = []
    y = 0.0
    if trust.curves:
        each = (wide - _GAP * (len(trust.curves) - 1)) / len(trust.curves)
        drawn = [_curve(curve, each) for curve in trust.curves]
        for i, block in enumerate(drawn):
            marks += moved(block.marks, i * (each + _GAP), 0)
        y = max(b.height for b in drawn) + 10
    if trust.figures:
        step = wide / len(trust.figures)
        for i, (value, what) in enumerate(trust.figures):
            marks.append(Words(i * step, y + 13, cut(value, step - 8, 14, strong=True), 14, strong=True))
            marks.append(Words(i * step, y + 28, cut(what, step - 8, 11), 11, MUTED))
        y += 38
    marks += moved(verdict_sign(trust.level), 0, y)
    marks.append(Words(24, y + 14, trust.level, 14, _COLOURS[trust.level], strong=True))
    y += 18
    for line in wrapped(trust.sentence, wide, 12.5, _SENTENCE_LINES):
        y += 16
        marks.append(Words(0, y, line, 12.5, INK))
    for line in (line for note in trust.notes for line in wrapped(note, wide, 11, 2)):
        y += 14
        marks.append(Words(0, y, line, 11, MUTED))
    return Block(y + 4, tuple(marks))


def verdict_sign(level: Level) -> list[Mark]:
    """A tick, a question mark or a cross in a box of 18 points: told apart without colour."""
    colour = _COLOURS[level]
    box: Mark = Box(0, 1, 17, 17, None, colour, 1.5)
    if level == "passes":
        return [box, Line(4, 9.5, 7.5, 13.5, colour, 2), Line(7.5, 13.5, 13.5, 5, colour, 2)]
    if level == "fails":
        return [box, Line(4.5, 5.5, 12.5, 13.5, colour, 2), Line(12.5, 5.5, 4.5, 13.5, colour, 2)]
    return [box, Words(8.5, 14.5, "?", 14, colour, "middle", strong=True)]


def wrapped(words: str, wide: float, size: float, most: int) -> list[str]:
    """A sentence -> lines that fit into `wide`, `most` at most; the last ends with an ellipsis where more was said."""
    lines: list[str] = []
    line = ""
    for word in words.split():
        longer = f"{line} {word}" if line else word
        if line and width_of(longer, size) > wide:
            lines.append(line)
            line = word
        else:
            line = longer
    lines = [*lines, line] if line else lines
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [cut(one, wide, size) for one in lines]


def _curve(curve: Curve, wide: float) -> Block:
    top = 18.0
    foot = top + _TALL
    x, y = Axis(0.0, 1.0, 0.0, wide), Axis(0.0, 1.0, foot, top)
    area = f"{curve.area:.2f}"
    left = width_of(area, 14, strong=True) + 8
    beside = [f"random {curve.area_random:.2f}", f"edges {curve.area_edges:.2f}"]
    if width_of(", ".join(beside), 11) <= wide - left:
        beside = [", ".join(beside)]
    marks: list[Mark] = [
        Words(0, 12, cut(curve.title, wide, 11.5), 11.5, MUTED),
        Box(0, top, wide, _TALL, (250, 250, 248)),
        Line(0, foot, wide, foot, MUTED, 0.75),
        Line(0, top, wide, top, RULE, 0.5),
        *_path(curve.random, x, y, _RANDOM, 1.25),
        *_path(curve.values, x, y, INK, 2.25),
        Words(0, foot + 16, area, 14, strong=True),
        *(Words(left, foot + 16 + 13 * i, line, 11, MUTED) for i, line in enumerate(beside)),
    ]
    return Block(foot + 18 + 13 * (len(beside) - 1), tuple(marks))


def _path(values: Sequence[float], x: Axis, y: Axis, colour: Rgb, thick: float) -> list[Mark]:
    last = max(1, len(values) - 1)
    spots = [(x.at(i / last), y.at(v)) for i, v in enumerate(values)]
    return [Line(*a, *b, colour, thick) for a, b in itertools.pairwise(spots)]
