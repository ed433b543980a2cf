"""Classical features of a picture: where its edges point (HOG) and which colours it has.

HOG: Dalal & Triggs 2005, https://doi.org/10.1109/CVPR.2005.177, 9 orientations, 8 x 8 cells, 2 x 2 blocks, by
scikit-image. Colour: a 4 x 4 x 4 RGB histogram, square-rooted (Hellinger) so that large areas do not drown small ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.resample import LUMA
from cutaway.dataset.steps import Steps, result_of
from cutaway.errors import BadInput
from cutaway.events import Progress

CELLS = 8
BLOCK = 2
DIRECTIONS = 9
LEVELS = 4
WIDTH = (CELLS - BLOCK + 1) ** 2 * BLOCK**2 * DIRECTIONS + LEVELS**3
LEAST_SIDE = 4 * CELLS
EVERY = 64


def features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (N, H, W, 3) -> float32 (N, 1828): 1,764 edge features in [0, 1], 64 colour features in [0, 1].

    Pictures under 32 px a side are enlarged by whole pixels first. The same pixels give the same numbers. Raises
    BadInput for another shape.
    """
    return result_of(extracting_features(pixels))


def extracting_features(pixels: NDArray[np.uint8]) -> Steps[NDArray[np.float32]]:
    """`features` that yields Progress."""
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
        raise BadInput(f"features need uint8 pictures of shape (N, H, W, 3). Got {pixels.dtype} of {pixels.shape}.")
    rows = np.empty((len(pixels), WIDTH), np.float32)
    for index in range(len(pixels)):
        picture = _large_enough(pixels[index])
        rows[index, : -(LEVELS**3)] = _edges(picture)
        rows[index, -(LEVELS**3) :] = _colours(picture)
        if (index + 1) % EVERY == 0 or index + 1 == len(pixels):
            yield Progress("classical features", index + 1, len(pixels), "pictures")
    return rows


def _large_enough(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    times = -(-LEAST_SIDE // min(picture.shape[:2]))
    return picture if times <= 1 else picture.repeat(times, 0).repeat(times, 1)


def _edges(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    from skimage.feature import hog

    gray = picture.astype(np.float32) @ LUMA / 255
    height, width = (side // CELLS for side in gray.shape)
    found: NDArray[np.float32] = hog(
        gray[: height * CELLS, : width * CELLS],
        orientations=DIRECTIONS,
        pixels_per_cell=(height, width),
        cells_per_block=(BLOCK, BLOCK),
    )
    return found


def _colours(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    level = (picture // (256 // LEVELS)).astype(np.int64).reshape(-1, 3)
    cell = level @ np.array([LEVELS * LEVELS, LEVELS, 1])
    share: NDArray[np.float64] = np.bincount(cell, minlength=LEVELS**3) / len(cell)
    return np.sqrt(share)
