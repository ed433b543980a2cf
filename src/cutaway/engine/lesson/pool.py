"""Pooling of one map, and how alike two maps are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cutaway.engine.lesson.window import Step

Floats = NDArray[np.float64]
Kind = Literal["max", "average"]


def pooled(values: Floats, kind: Kind, size: int, stride: int) -> Floats:
    """Map (H, W), kind, side of the window, places per step -> the smaller map. Cells that fill no window are left out.

    Raises BadInput where the window is larger than the map.
    """
    for side in values.shape:
        Step(stride).out(side, size)
    x = torch.from_numpy(values)[None]
    found: Floats = (F.max_pool2d if kind == "max" else F.avg_pool2d)(x, size, stride)[0].numpy()
    return found


def alike(one: Floats, other: Floats) -> float:
    """Two maps of the same shape -> the cosine of the angle between them: sum(a b) / sqrt(sum(a a) sum(b b)).

    1: the same up to a factor. Of maps without negative numbers it is at least 0. Two empty maps are alike: 1; an empty
    one and another: 0.
    """
    length = float(np.sqrt((one * one).sum() * (other * other).sum()))
    if length == 0:
        return 1.0 if not one.any() and not other.any() else 0.0
    return min(1.0, float((one * other).sum()) / length)
