"""Pictures -> where their edges are: what a map looks like that knows the picture and nothing of the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.resample import LUMA


def edges(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (N, H, W, 3) -> float32 (N, H, W): the length of the brightness's Sobel gradient, 0 to 1,443; the picture
    is mirrored at its border."""
    from scipy.ndimage import sobel

    grey = pixels.astype(np.float32) @ LUMA  # (N, H, W)
    return np.stack([np.hypot(sobel(one, 0), sobel(one, 1)) for one in grey])
