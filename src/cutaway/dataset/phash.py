"""Perceptual hash: 64 bits that survive re-compression, resizing and brightness, for whole pictures and parts of them.

The hash is the DCT hash of Zauner 2010 (phash.org) as ImageHash implements it: 32 x 32 luma, 2-D DCT-II, the 8 x 8
lowest frequencies against their median. Departure: the 32 x 32 picture is an area mean of pixels squashed to a square,
so that mirrored and turned copies give exactly the coefficients of the original, transposed or with signs changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.resample import Floats, through, to_gray, window
from cutaway.dataset.steps import Steps, result_of
from cutaway.errors import BadInput
from cutaway.events import Progress

Hashes = NDArray[np.uint64]
SIDE = 32
KEPT = 8
BATCH = 1024
ORIENTATIONS = (
    "same way up",
    "turned by 90°",
    "turned by 180°",
    "turned by 90°",
    "mirrored",
    "mirrored and turned by 90°",
    "upside-down mirrored",
    "mirrored and turned by 90°",
)
"""What orientation o of `turned` does, in words; left or right depends on which of two copies is meant."""

CROP_SHARE = 0.9
CROP_STARTS: tuple[tuple[float, float], ...] = ((0.05, 0.05), (0.0, 0.0), (0.0, 0.1), (0.1, 0.0), (0.1, 0.1))
"""Top and left edge, as shares of the picture, of the windows that stand for crops: the middle and four corners."""


def turned(pictures: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """(N, H, W, ...) -> orientation 0..7 of the square's symmetries: mirrored left-right from 4 on, then 90° steps."""
    mirrored = pictures[:, :, ::-1] if orientation >= 4 else pictures
    return np.rot90(mirrored, orientation % 4, axes=(1, 2))


def orientation_hashes(pixels: NDArray[np.uint8]) -> Hashes:
    """uint8 (N, H, W, 3) that hold the whole picture squashed to a square -> uint64 (N, 8), one per orientation.

    Column 0 is the upright picture. Raises BadInput for another shape.
    """
    return result_of(hashing_orientations(pixels))


def crop_hashes(pixels: NDArray[np.uint8]) -> Hashes:
    """uint8 (N, H, W, 3), squashed whole pictures -> uint64 (N, 5), the hashes of the windows in CROP_STARTS."""
    return result_of(hashing_crops(pixels))


def hashing_orientations(pixels: NDArray[np.uint8]) -> Steps[Hashes]:
    """`orientation_hashes` that yields Progress."""
    _check(pixels)
    hashes = np.empty((len(pixels), 8), np.uint64)
    rows, columns = window(pixels.shape[1], SIDE), window(pixels.shape[2], SIDE)
    for start in range(0, len(pixels), BATCH):
        gray = to_gray(pixels[start : start + BATCH])
        hashes[start : start + BATCH] = _turned_bits(_frequencies(through(rows, gray, columns)))
        yield Progress("fingerprints", min(start + BATCH, len(pixels)), len(pixels), "pictures")
    return hashes


def hashing_crops(pixels: NDArray[np.uint8], starts: Sequence[tuple[float, float]] = CROP_STARTS) -> Steps[Hashes]:
    """`crop_hashes` that yields Progress."""
    _check(pixels)
    hashes = np.empty((len(pixels), len(starts)), np.uint64)
    height, width = pixels.shape[1:3]
    for start in range(0, len(pixels), BATCH):
        gray = to_gray(pixels[start : start + BATCH])
        for k, (top, left) in enumerate(starts):
            rows, columns = window(height, SIDE, CROP_SHARE, top), window(width, SIDE, CROP_SHARE, left)
            hashes[start : start + BATCH, k] = _bits(_frequencies(through(rows, gray, columns)))
        yield Progress("fingerprints of crops", min(start + BATCH, len(pixels)), len(pixels), "pictures")
    return hashes


def _check(pixels: NDArray[np.uint8]) -> None:
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
        raise BadInput(f"pixels must be uint8 of shape (N, H, W, 3). Got {pixels.dtype} of shape {pixels.shape}.")


def _frequencies(gray: Floats) -> Floats:
    """(N, 32, 32) -> its lowest (N, 8, 8) DCT-II coefficients."""
    from scipy.fft import dctn

    low: Floats = dctn(gray, axes=(1, 2), norm="ortho")[:, :KEPT, :KEPT]
    return low


def _turned_bits(low: Floats) -> Hashes:
    """(N, 8, 8) -> (N, 8): mirroring flips the sign of odd frequencies, a quarter turn transposes first."""
    odd = np.where(np.arange(KEPT) % 2, -1, 1).astype(np.float32)
    down, across = odd[:, None], odd[None, :]
    across_first = low * across  # mirrored left-right
    views = []
    for plain in (low, across_first):
        other = plain.transpose(0, 2, 1)
        views += [plain, other * down, plain * down * across, other * across]  # 0, 90, 180, 270 degrees to the left
    return np.stack([_bits(view) for view in views], 1)


def _bits(low: Floats) -> Hashes:
    flat = low.reshape(len(low), KEPT * KEPT)
    return np.packbits(flat > np.median(flat, 1, keepdims=True), axis=1).view(np.uint64)[:, 0]
