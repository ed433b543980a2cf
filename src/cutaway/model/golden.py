"""A picture that any program can make, and what a model answers to it: kept in exports, asked again on opening.

So a file that was changed on the way, or is read wrongly, is found out before its answers are believed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.prepare import prepare
from cutaway.errors import BadModel
from cutaway.image import InputContract
from cutaway.model.model import Model

CLOSE = 1e-4
"""Of the largest answer: programs and processors round differently."""


def golden_picture(contract: InputContract) -> NDArray[np.uint8]:
    """Contract -> uint8 (1, H, W, 3): value (7 row + 13 column + 29 channel + row * column) modulo 256."""
    height, width = contract.size
    row, column, channel = np.ogrid[:height, :width, :3]
    values: NDArray[np.int64] = (7 * row + 13 * column + 29 * channel + row * column) % 256
    return values.astype(np.uint8)[None]


def golden_answers(model: Model) -> tuple[float, ...]:
    """Model -> what its graph gives for the known picture, as numbers (K,)."""
    with torch.inference_mode():
        out = model.graph(prepare(golden_picture(model.contract), model.contract)).double()
    return tuple(out.flatten().tolist())


def must_answer_as(model: Model, golden: Sequence[float], name: str) -> None:
    """Model just read, what its file says it answers -> nothing. Raises BadModel where it answers otherwise."""
    found = golden_answers(model)
    off = max((abs(a - b) for a, b in zip(found, golden, strict=False)), default=0.0)
    if len(found) != len(golden) or not off <= CLOSE * max(1.0, *map(abs, golden)):
        raise BadModel(
            f"{name} does not give the answers it was written with: {len(golden)} numbers were kept, {len(found)} "
            f"came, off by {off:.2g}; the file was changed or damaged on the way: export it again."
        )
