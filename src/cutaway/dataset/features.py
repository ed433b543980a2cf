"""Classical features of a picture: where its edges point (HOG) and which colours it has.

HOG: Dalal & Triggs 2005, https://doi.org/10.1109/CVPR.2005.177, 9 directions, 8 x 8 cells, blocks of 2 x 2 cells.
The numbers are those of `skimage.feature.hog`, which takes one picture at a time; a batch as one array costs a tenth.
Colour: a 4 x 4 x 4 RGB histogram, square-rooted (Hellinger) so that large areas do not drown small ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.resample import to_gray
from cutaway.dataset.steps import Steps, result_of
from cutaway.errors import BadInput
from cutaway.events import Progress

CELLS = 8
BLOCK = 2
DIRECTIONS = 9
LEVELS = 4
WIDTH = (CELLS - BLOCK + 1) ** 2 * BLOCK**2 * DIRECTIONS + LEVELS**3
LEAST_SIDE = 4 * CELLS
BATCH = 8  # what is computed in between stays in the processor's cache
TOLD = 8 * BATCH
_STEEPEST = 0.2  # L2-Hys: no direction may hold more of a block
_SOFT = 1e-5

Floats = NDArray[np.float32]


def features(pixels: NDArray[np.uint8]) -> Floats:
    """uint8 (N, H, W, 3) -> float32 (N, 1828): 1,764 edge features in [0, 1], 64 colour features in [0, 1].

    Pictures under 32 px a side are enlarged by whole pixels first. The same pixels give the same numbers. Raises
    BadInput for another shape.
    """
    return result_of(extracting_features(pixels))


def extracting_features(pixels: NDArray[np.uint8]) -> Steps[Floats]:
    """`features` that yields Progress."""
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
        raise BadInput(f"features need uint8 pictures of shape (N, H, W, 3). Got {pixels.dtype} of {pixels.shape}.")
    rows = np.empty((len(pixels), WIDTH), np.float32)
    for start in range(0, len(pixels), BATCH):
        end = min(start + BATCH, len(pixels))
        pictures = _large_enough(pixels[start:end])
        rows[start:end, : -(LEVELS**3)] = _edges(to_gray(pictures) / np.float32(255))
        rows[start:end, -(LEVELS**3) :] = _colours(pictures)
        if end % TOLD == 0 or end == len(pixels):
            yield Progress("classical features", end, len(pixels), "pictures")
    return rows


def _large_enough(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    times = -(-LEAST_SIDE // min(pictures.shape[1:3]))
    return pictures if times <= 1 else pictures.repeat(times, 1).repeat(times, 2)


def _edges(gray: Floats) -> Floats:
    """Luma (N, H, W) -> (N, 1764): the directions of each cell, in overlapping blocks that each have length 1."""
    cells = _directions(gray)  # (N, 8, 8, 9)
    last = CELLS - BLOCK + 1
    corners = [cells[:, y : y + last, x : x + last] for y in range(BLOCK) for x in range(BLOCK)]
    blocks = np.stack(corners, 3).reshape(len(gray), last * last, -1)  # (N, 49, 36)
    return _of_length_1(np.minimum(_of_length_1(blocks), _STEEPEST)).reshape(len(gray), -1)


def _directions(gray: Floats) -> Floats:
    """Luma (N, H, W) -> (N, 8, 8, 9): mean slope of each cell's pixels in each direction of 20 degrees."""
    n = len(gray)
    height, width = (side // CELLS for side in gray.shape[1:])
    down, right = _slopes(gray[:, : height * CELLS, : width * CELLS])
    y, x = np.arange(height * CELLS) // height, np.arange(width * CELLS) // width
    cell = (np.arange(n)[:, None, None] * CELLS + y[:, None]) * CELLS + x  # (N, H, W)
    steepness = np.sqrt(down * down + right * right)
    within = (cell * DIRECTIONS + _direction(down, right)).ravel()
    sums = np.bincount(within, steepness.ravel(), n * CELLS**2 * DIRECTIONS)
    means: Floats = (sums / (height * width)).astype(np.float32)
    return means.reshape(n, CELLS, CELLS, DIRECTIONS)


def _direction(down: Floats, right: Floats) -> NDArray[np.uint8]:
    """Slopes -> in which ninth of a half turn each points: how many of the eight lines between it has passed.

    A third of the time of arctan2.
    """
    back = (down < 0) | ((down == 0) & (right < 0))
    half_turn = np.where(back, np.float32(-1), np.float32(1))
    down, right = down * half_turn, right * half_turn
    passed = np.zeros(down.shape, np.uint8)
    for angle in np.pi / DIRECTIONS * np.arange(1, DIRECTIONS):
        passed += down * np.float32(np.cos(angle)) >= right * np.float32(np.sin(angle))
    return passed


def _slopes(gray: Floats) -> tuple[Floats, Floats]:
    """(N, H, W) -> differences of the neighbours below and above, right and left; 0 along the border."""
    down, right = np.zeros_like(gray), np.zeros_like(gray)
    np.subtract(gray[:, 2:], gray[:, :-2], out=down[:, 1:-1])
    np.subtract(gray[:, :, 2:], gray[:, :, :-2], out=right[:, :, 1:-1])
    return down, right


def _of_length_1(blocks: Floats) -> Floats:
    length: Floats = np.sqrt(np.square(blocks).sum(-1, keepdims=True) + _SOFT**2)
    return blocks / length


def _colours(pictures: NDArray[np.uint8]) -> NDArray[Any]:
    """uint8 (N, H, W, 3) -> (N, 64), the square root of each colour's share."""
    red, green, blue = np.moveaxis(pictures // (256 // LEVELS), 3, 0)
    cell = ((red * LEVELS + green) * LEVELS + blue).reshape(len(pictures), -1)
    return np.sqrt([np.bincount(of_one, minlength=LEVELS**3) / len(of_one) for of_one in cell])
