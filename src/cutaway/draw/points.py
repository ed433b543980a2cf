"""Pictures laid out on a plane, and the marks that stand for them: the same on the page and in the PNG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.scene import Rgb

# Told apart on paper and on black (3:1 against both grounds of the page); a class also has one of five shapes.
COLOURS = {
    "light": ("#0b62b0", "#c24e06", "#0a7656", "#8a3ba8", "#8f6a00", "#c2286b", "#1f8fa8", "#5b6470"),
    "dark": ("#6cb4f5", "#f2a154", "#55c99f", "#cf9bea", "#e3cc5c", "#f58bb8", "#62d0e6", "#b3bcc6"),
}
SHAPES = ("circle", "square", "triangle", "diamond", "cross")


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """N pictures: places `xy` (N, 2); `label` (N,) indexes `classes`, `predicted` (N,) indexes `answers` (-1: none).

    `wrong` (N,) says where the answer is not the label, None where labels are not the model's classes. `agree` (N,):
    share of its nearest in the layer that carry its label (NaN without); `among` (N,): the label commonest there.
    """

    names: tuple[str, ...]
    xy: NDArray[np.float64]
    classes: tuple[str, ...]
    label: NDArray[np.int64]
    answers: tuple[str, ...]
    predicted: NDArray[np.int64]
    probability: NDArray[np.float64]
    wrong: NDArray[np.bool_] | None
    agree: NDArray[np.float64]
    among: NDArray[np.int64]

    @property
    def labelled(self) -> bool:
        return bool((self.label >= 0).any())


def colour_of(number: int) -> Rgb:
    """Number of a class -> its colour on paper."""
    words = COLOURS["light"][number % len(COLOURS["light"])]
    return int(words[1:3], 16), int(words[3:5], 16), int(words[5:7], 16)


def shape_of(number: int) -> str:
    return SHAPES[number % len(SHAPES)]


def unit_square(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (N, 2) -> the same in [0, 1] with y downwards: one scale for both axes, the middle in the middle."""
    low, high = xy.min(0), xy.max(0)
    span = float((high - low).max()) or 1.0
    placed = (xy - (low + high) / 2) / span + 0.5
    placed[:, 1] = 1 - placed[:, 1]
    held: NDArray[np.float64] = np.clip(placed, 0, 1)
    return held
