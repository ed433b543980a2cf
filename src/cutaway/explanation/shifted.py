"""Does a map move with its picture? One pixel to the right and down, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cutaway.engine.prepare import prepare
from cutaway.explanation.question import Question
from cutaway.explanation.ranks import rank_correlation

Maps = NDArray[np.float32]


def moved(question: Question) -> Question:
    """Question -> the same about each picture moved one pixel right and down, mirrored at the border it leaves."""
    pixels = np.pad(question.pixels, ((0, 0), (1, 0), (1, 0), (0, 0)), mode="reflect")[:, :-1, :-1]
    pixels = np.ascontiguousarray(pixels)
    return question.with_(pixels=pixels, x=prepare(pixels, question.contract))


def agreement(map_: Maps, of_moved: Maps) -> float | None:
    """A picture's map (H, W), the moved picture's map -> Spearman's rank correlation where both saw the same pixel.

    None where one of them is the same everywhere.
    """
    return rank_correlation(map_[:-1, :-1], of_moved[1:, 1:])
