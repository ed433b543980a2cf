"""Pictures -> where their edges are: what a map looks like that knows the picture and nothing of the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LUMA = (0.299, 0.587, 0.114)


def edges(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (N, H, W, 3) -> float32 (N, H, W): the length of the brightness's Sobel gradient, 0 to 1,443; the picture
    is mirrored at its border."""
    grey = np.pad(pixels.astype(np.float32) @ np.array(_LUMA, np.float32), ((0, 0), (1, 1), (1, 1)), mode="symmetric")
    smooth_down = grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    smooth_across = grey[:, :, :-2] + 2 * grey[:, :, 1:-1] + grey[:, :, 2:]
    across = smooth_down[:, :, 2:] - smooth_down[:, :, :-2]
    down = smooth_across[:, 2:] - smooth_across[:, :-2]
    return np.hypot(across, down)
