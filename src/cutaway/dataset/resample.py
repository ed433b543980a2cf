"""Area resampling as two small matrices: the whole picture, or a window of it, at any size, for a batch at once."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, the weights JPEG and Pillow's "L" use


def to_gray(pixels: NDArray[np.uint8]) -> Floats:
    """uint8 (N, H, W, 3) -> float32 (N, H, W) luma in [0, 255]."""
    gray: Floats = pixels.astype(np.float32) @ LUMA
    return gray


@functools.lru_cache(maxsize=1024)
def window(length: int, samples: int, share: float = 1.0, start: float = 0.0) -> Floats:
    """Matrix (samples, length) that averages [start, start + share) of a line of `length` pixels into `samples` values.

    `share` and `start` are fractions of the line; each row sums to 1 and weighs a pixel by how much of it lies inside.
    """
    edges = np.linspace(start * length, (start + share) * length, samples + 1)
    left, right = edges[:-1, None], edges[1:, None]
    pixel = np.arange(length)
    inside = np.clip(np.minimum(right, pixel + 1) - np.maximum(left, pixel), 0, None)  # (samples, length)
    matrix: Floats = (inside / inside.sum(1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False  # shared by every caller
    return matrix


def through(rows: Floats, planes: Floats, columns: Floats) -> Floats:
    """Matrices (h, H) and (w, W) of `window`, planes (..., H, W) -> float32 (..., h, w)."""
    small: NDArray[Any] = rows @ planes @ columns.T
    return small


def shrink(pixels: NDArray[np.uint8], side: int) -> Floats:
    """uint8 (N, H, W, 3) -> float32 (N, side, side, 3), the mean of the area under each cell, in [0, 255]."""
    rows, columns = window(pixels.shape[1], side), window(pixels.shape[2], side)
    planes = pixels.transpose(0, 3, 1, 2).astype(np.float32)  # (N, 3, H, W)
    return np.ascontiguousarray(through(rows, planes, columns).transpose(0, 2, 3, 1))
