"""An order of pixels -> what the class's probability does while they are removed, or brought back, in that order.

Petsiuk, Das and Saenko 2018, "RISE", section 4.3. Departures: STEPS equal steps of pixels instead of one row's width
each; what removed pixels become is the caller's choice (see checks.py), in place of one grey.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.fast import BATCH
from cutaway.explanation.question import Question

STEPS = 24
Masks = NDArray[np.bool_]  # (STEPS - 1, H, W): the pixels that go first, more at every step


@dataclass(frozen=True, slots=True)
class Curves:
    """The class's probability after 0 to all pixels, in STEPS equal steps: removed, and brought back."""

    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def areas(self) -> tuple[float, float]:
        """Areas under both, 0 to 1, by trapezoids."""
        return area(self.deletion), area(self.insertion)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """What the curves of one picture run between: the picture, and two that say nothing, with their probabilities."""

    picture: torch.Tensor  # (C, H, W)
    removed: torch.Tensor  # (C, H, W)
    blurred: torch.Tensor  # (C, H, W)
    probabilities: tuple[float, float, float]


def ends(question: Question, row: int, removed: torch.Tensor, blurred: torch.Tensor) -> Ends:
    """Question, which of its pictures, two pictures (C, H, W) that say nothing -> Ends."""
    three = torch.stack([question.x[row], removed, blurred])
    full, low, blur = question.probabilities_at(row, question.logits(three)).tolist()
    return Ends(question.x[row], removed, blurred, (full, low, blur))


def curves(question: Question, row: int, between: Ends, masks: Masks) -> Curves:
    """Question, which picture, its Ends, what goes first -> Curves."""
    full, low, blur = between.probabilities
    gone = torch.as_tensor(masks)[:, None]  # (STEPS - 1, 1, H, W)
    deleted = _along(
        question, row, (torch.where(m, between.removed, between.picture) for m in torch.split(gone, BATCH))
    )
    inserted = _along(
        question, row, (torch.where(m, between.picture, between.blurred) for m in torch.split(gone, BATCH))
    )
    return Curves((full, *deleted, low), (blur, *inserted, full))


def first_by(values: NDArray[np.float32], seed: int = 0) -> Masks:
    """Map (H, W) -> the pixels of its largest values, at each step; equal ones are drawn by lot."""
    lot = np.random.default_rng(seed).permutation(values.size)
    order = np.lexsort((lot, -values.ravel()))
    place = np.empty(values.size, np.int64)
    place[order] = np.arange(values.size)
    return _masks(place[None]).reshape(-1, *values.shape)


def by_lot(size: tuple[int, int], seed: int = 0) -> Masks:
    """Height and width -> pixels drawn by lot, drawn anew for each step: a curve of many orders, not of one."""
    random = np.random.default_rng(seed)
    pixels = size[0] * size[1]
    places = np.stack([random.permutation(pixels) for _ in range(STEPS - 1)])
    return _masks(places).reshape(-1, *size)


def area(curve: Iterable[float]) -> float:
    """Values at equal steps from 0 to 1 -> the area under them, by trapezoids."""
    values = np.fromiter(curve, np.float64)
    return float(((values[1:] + values[:-1]) / 2).mean())


def _masks(places: NDArray[np.int64]) -> Masks:
    """Place of each pixel in the order(s) (1 or STEPS - 1, pixels) -> (STEPS - 1, pixels): is it among the first?"""
    shares = np.arange(1, STEPS)[:, None] / STEPS
    found: Masks = places < np.rint(shares * places.shape[1])
    return found


def _along(question: Question, row: int, parts: Iterable[torch.Tensor]) -> list[float]:
    return [p for part in parts for p in question.probabilities_at(row, question.logits(part)).tolist()]
