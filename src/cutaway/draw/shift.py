"""Probabilities over a changing picture -> a chart: a curve for each class, the changed pictures below it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Pixels, Rgb
from cutaway.draw.scale import Axis, plain, ticks
from cutaway.draw.scene import (
    INK,
    MARGIN,
    MUTED,
    PAGE_WIDTH,
    RULE,
    Block,
    Line,
    Mark,
    Raster,
    Scene,
    Words,
    cut,
    page,
    width_of,
)

# Apart in hue and in lightness, so that they stay apart in grey and for colour-blind eyes.
COLOURS: tuple[Rgb, ...] = ((11, 98, 176), (194, 84, 10), (10, 118, 86), (146, 70, 145), (120, 120, 120))
MOST_CURVES = 5
_TALL = 420.0
_MOST_PICTURES = 9
_LEFT, _RIGHT = 84.0, 200.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A class and its probability at each step."""

    name: str
    values: Sequence[float]


def shift_chart(
    curves: Sequence[Curve],
    amounts: Sequence[float],
    pictures: Pixels,
    *,
    title: str,
    words: Sequence[str],
    x_label: str,
    start: int,
    equal_factors: bool = False,
) -> Scene:
    """At most five curves, amounts of the steps, pictures uint8 (S, H, W, 3) -> the chart; `start`: the unchanged one.

    `equal_factors`: steps that multiply stand at equal distances.
    """
    wide = PAGE_WIDTH - 2 * MARGIN
    x = Axis(amounts[0], amounts[-1], _LEFT, wide - _RIGHT, log=equal_factors)
    y = Axis(0.0, 1.0, _TALL, 24.0)
    marks: list[Mark] = []
    for share in ticks(0, 1):
        marks += [
            Line(x.start, y.at(share), x.end, y.at(share), RULE, 0.5),
            Words(x.start - 12, y.at(share) + 5, f"{100 * share:g} %", 14, MUTED, "end"),
        ]
    here = x.at(amounts[start])
    marks += [Line(here, y.at(1), here, y.at(0), MUTED, 1), Words(here, y.at(1) - 8, "unchanged", 13, MUTED, "middle")]
    for colour, curve in zip(COLOURS, curves, strict=False):
        places = [(x.at(a), y.at(v)) for a, v in zip(amounts, curve.values, strict=True)]
        marks += [Line(*a, *b, colour, 3) for a, b in itertools.pairwise(places)]
        marks += [_dot(px, py, colour) for px, py in places]
    marks += _names(curves, x.end + 16, y, wide)
    foot = _TALL + 30
    shown = _spread(len(amounts), min(_MOST_PICTURES, len(amounts)))
    step = (x.end - x.start) / max(1, len(shown) - 1)
    side = min(0.86 * step, 150.0)
    height = side * pictures.shape[1] / pictures.shape[2]
    for i in shown:
        at = x.at(amounts[i])
        marks += [
            Line(at, y.at(0), at, y.at(0) + 6, MUTED, 0.5),
            Words(at, _TALL + 22, _amount(amounts[i]), 13, INK if i == start else MUTED, "middle"),
            Raster(at - side / 2, foot, side, height, pictures[i], smooth=True),
        ]
    marks.append(Words((x.start + x.end) / 2, foot + height + 26, x_label, 14, MUTED, "middle"))
    return page(title, words, [Block(foot + height + 34, tuple(marks))])


def _names(curves: Sequence[Curve], at: float, y: Axis, wide: float) -> list[Mark]:
    """Each curve's name at its end, moved apart where two end together."""
    order = sorted(range(len(curves)), key=lambda i: -curves[i].values[-1])
    marks: list[Mark] = []
    lowest = -1e9
    for position, i in enumerate(order):
        left = len(order) - position
        place = max(y.at(curves[i].values[-1]) + 5, lowest + 20)
        place = min(place, y.start + 5 - 20 * (left - 1)) if lowest + 20 <= y.start + 5 - 20 * (left - 1) else place
        lowest = place
        share = f"  {100 * curves[i].values[-1]:.0f} %"
        name = cut(curves[i].name, wide - at - width_of(share, 15), 15)
        marks.append(Words(at, place, name + share, 15, COLOURS[i], strong=True))
    return marks


def _dot(x: float, y: float, colour: Rgb) -> Mark:
    half = 3.0
    return Raster(x - half, y - half, 2 * half, 2 * half, np.full((1, 1, 3), colour, np.uint8))


def _spread(count: int, most: int) -> list[int]:
    return list(dict.fromkeys(round(i * (count - 1) / max(1, most - 1)) for i in range(most)))


def _amount(value: float) -> str:
    return plain(round(value, 3)).replace("-", "−")


def most_likely(probabilities: NDArray[np.float64], start: int, most: int = MOST_CURVES) -> list[int]:
    """Probabilities (S, K) -> at most so many classes, those of the highest peaks.

    The likeliest at step `start` comes first, so that the answer to the unchanged picture always has the first colour.
    """
    kept = np.argsort(-probabilities.max(0), kind="stable")[:most]
    return [int(k) for k in kept[np.argsort(-probabilities[start, kept], kind="stable")]]
