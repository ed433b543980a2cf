"""Training pictures as the network will meet them: a sheet of originals, each beside augmented copies."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.draw.sheet import contact_sheet
from cutaway.training.augment import Augment, augment
from cutaway.verbs.survey import Survey

PICTURES, COPIES = 4, 5


def augmentation_sheet(survey: Survey, how: Augment, seed: int) -> bytes:
    """Survey and augmentation -> PNG bytes: one row per picture, the original first, then augmented copies."""
    at = survey.at("train")
    chosen = at[np.linspace(0, len(at) - 1, PICTURES).astype(int)] if len(at) >= PICTURES else at
    generator = torch.Generator().manual_seed(seed)
    cells: list[NDArray[np.uint8]] = []
    captions: list[str] = []
    for position in chosen:
        original = survey.pixels.rows(np.array([position]))
        x = torch.from_numpy(original).permute(0, 3, 1, 2).repeat(COPIES, 1, 1, 1)
        copies = augment(x, how, generator).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        cells += [original[0], *copies]
        label = survey.dataset.samples[int(position)].label
        captions += [survey.dataset.classes[label or 0], *([""] * COPIES)]
    return contact_sheet(cells, captions, columns=COPIES + 1)
