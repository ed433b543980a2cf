"""Pictures -> smaller ones, whole batches at once."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray


def shrink(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """uint8 (N, H, W, 3) -> uint8 (N, h, w, 3), both sides at most `side`, aspect ratio kept, antialiased bilinear."""
    height, width = pixels.shape[1:3]
    factor = side / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    small = F.interpolate(x, size=size, mode="bilinear", antialias=True)  # uint8 kernels, channels-last
    return small.permute(0, 2, 3, 1).contiguous().numpy()
