"""RISE: show the network many random parts of the picture and average what was visible when the answer was high."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from cutaway.engine.fast import BATCH
from cutaway.errors import must_be
from cutaway.events import Progress
from cutaway.explanation.baseline import Baseline, baseline
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question

_TOLD = 64  # masks between two reports


@dataclass(frozen=True, slots=True)
class RiseSettings:
    """How many masks are drawn, and how."""

    masks: int = 2000
    """Random masks, each one run of the network; 2000 from two seeds gave maps alike to r = 0.96, 500 to r = 0.81."""
    cells: int = 7
    """Cells of the coarse grid along each side, each shown or hidden."""
    shown: float = 0.5
    """Probability that a cell is shown."""
    baseline: Baseline = "zero"
    """What hidden pixels become: black, white, grey, mean (the picture's mean colour), blur or zero."""
    seed: int = 0
    """Of the random masks; the same seed gives the same map."""


def rise(question: Question, settings: RiseSettings) -> Generator[Progress, None, Answer]:
    """Question -> by how much f is higher where a pixel is seen than on average: E[f | seen] - E[f].

    Petsiuk, Das and Saenko 2018, "RISE: randomized input sampling for explanation of black-box models", equation 6 with
    f less its mean over the masks, so that the map is signed and does not depend on a constant added to the logit (the
    paper's map of a probability differs by the constant E[f]; subtracting it also lowers the noise). Masks as the
    paper's section 3.2: a grid of cells, enlarged bilinearly to one cell more than the picture, moved at random by up
    to a cell. All pictures see the same masks. Raises BadInput for settings out of their range.
    """
    _check(settings)
    cover = baseline(question, settings.baseline)
    height, width = question.size
    weighed = torch.zeros(len(question), height, width, dtype=torch.float64)
    seen = torch.zeros(height, width, dtype=torch.float64)
    total = torch.zeros(len(question), dtype=torch.float64)
    # f less that of the picture: sums of large numbers that nearly cancel are avoided, the result is the same
    standing = [question.values_at(row, question.logits(question.x[row : row + 1])) for row in range(len(question))]
    random = np.random.default_rng(settings.seed)
    for done in range(0, settings.masks, BATCH):
        if done % _TOLD == 0:
            yield Progress("Showing parts", done, settings.masks, "masks")
        masks = masks_of(random, min(BATCH, settings.masks - done), question.size, settings)
        seen += masks.sum(0)[0]
        for row in range(len(question)):
            x, hidden = question.x[row : row + 1], cover[row : row + 1]
            values = question.values_at(row, question.logits(torch.lerp(hidden, x, masks))) - standing[row]
            weighed[row] += torch.einsum("m,mhw->hw", values, masks[:, 0])
            total[row] += values.sum()
    yield Progress("Showing parts", settings.masks, settings.masks, "masks")
    mean = total / settings.masks
    maps = (weighed - mean[:, None, None] * seen) / (settings.masks * settings.shown)
    return Answer(maps.float().numpy())


def masks_of(random: np.random.Generator, count: int, size: tuple[int, int], settings: RiseSettings) -> torch.Tensor:
    """Source of random numbers, how many, (H, W), settings -> float32 (count, 1, H, W) from 0 hidden to 1 shown."""
    cell = [-(-side // settings.cells) for side in size]
    grid = random.random((count, 1, settings.cells, settings.cells)) < settings.shown
    wide = [(settings.cells + 1) * side for side in cell]
    large = F.interpolate(torch.from_numpy(grid.astype(np.float32)), wide, mode="bilinear", align_corners=False)
    found = torch.empty(count, 1, *size)
    for i, (top, left) in enumerate(
        zip(random.integers(0, cell[0], count), random.integers(0, cell[1], count), strict=True)
    ):
        found[i] = large[i, :, top : top + size[0], left : left + size[1]]
    return found


def _check(settings: RiseSettings) -> None:
    if settings.masks < 1:
        raise must_be("masks", "at least 1", settings.masks)
    if settings.cells < 1:
        raise must_be("cells", "at least 1", settings.cells)
    if not 0 < settings.shown < 1:
        raise must_be("shown", "between 0 and 1", settings.shown)


METHOD = Method(
    name="rise",
    title="RISE",
    says="The answer is higher than on average when this pixel is seen (below zero: lower).",
    paper="Petsiuk, Das, Saenko 2018: RISE: randomized input sampling for explanation of black-box models",
    departs="f less its mean over the masks, so that the map is signed.",
    runs="2000 masked pictures",
    explain=rise,
    settings=RiseSettings,
    cost="slow",
    signed=True,
    needs_gradient=False,
)
