"""What-if: boxes drawn on a picture -> the network's answers with each of them covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cutaway.errors import must_be
from cutaway.explanation.baseline import baseline as baseline_of
from cutaway.explanation.covering.covering import Box, Covering
from cutaway.explanation.covering.plan import Network
from cutaway.explanation.question import Question


@dataclass(frozen=True, slots=True, eq=False)
class BoxScores:
    """f and the class's probability with each of M boxes covered; `value`, `probability`: of the picture as it is."""

    values: torch.Tensor  # (M,)
    probabilities: torch.Tensor  # (M,)
    value: float
    probability: float


def covering_of(question: Question, row: int, baseline: str | torch.Tensor = "grey") -> Covering:
    """Question, number of the picture, what covers -> Covering, which answers one box after another quickly.

    `baseline`: a name (see baseline.baseline) or values as the network gets them, (C,), (C, H, W) or (1, C, H, W).
    Raises BadInput for another name, or a tensor that does not fit the picture.
    """
    x = question.x[row : row + 1]
    if isinstance(baseline, str):
        cover = baseline_of(question.row(row), baseline)
    else:
        cover = baseline.view(1, -1, 1, 1) if baseline.ndim == 1 else baseline
        sides = zip(cover.shape[::-1], x.shape[::-1], strict=False)
        if cover.ndim not in (3, 4) or any(given not in (1, wanted) for given, wanted in sides):
            picture = " x ".join(map(str, x.shape[1:]))
            raise must_be("baseline", f"a tensor that extends to {picture}", f"shape {tuple(baseline.shape)}")
    return Covering(Network.of(question.fast, x), x, cover)


def scores_of_boxes(
    question: Question,
    row: int,
    boxes: Sequence[Box],
    baseline: str | torch.Tensor = "grey",
    covering: Covering | None = None,
) -> BoxScores:
    """Question, number of the picture, boxes (top, left, bottom, right; the last two not covered any more) -> f and the
    probability with each box covered, as exact as a full run.

    `covering`: of an earlier call on the same picture and baseline, which saves a run. Raises BadInput for a box that
    is empty or leaves the picture.
    """
    height, width = question.size
    for box in boxes:
        top, left, bottom, right = box
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise must_be("boxes", f"top < bottom <= {height} and left < right <= {width}, from 0 on", box)
    found = covering or covering_of(question, row, baseline)
    plain = found.logits()
    logits = torch.cat([plain, found.logits_of_boxes(boxes)]) if len(boxes) else plain
    values, probabilities = question.values_at(row, logits), question.probabilities_at(row, logits)
    return BoxScores(values[1:], probabilities[1:], float(values[0]), float(probabilities[0]))
