"""A picture as numbers: its brightness, a row of it, made small and large again."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import must_be
from cutaway.image import InputContract
from cutaway.image.fit import fit_picture

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601-2, as in engine.prepare


def brightness(pixels: Pixels) -> Floats:
    """uint8 (H, W, 3) -> (H, W) in [0, 1]: 0.299 red + 0.587 green + 0.114 blue, over 255."""
    found: Floats = pixels.astype(np.float64) @ np.array(LUMA) / 255
    return found


def colours(pixels: Pixels) -> Floats:
    """uint8 (H, W, 3) -> (3, H, W) in [0, 1]."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) / np.float64(255)


def row_of(pixels: Pixels, row: int, cells: int) -> Floats:
    """uint8 (H, W, 3), row of the picture, how many cells -> brightness of that row, as means over equal pieces.

    In [0, 1], rounded to two decimals so that a person can follow the sums. Raises BadInput for a row that is not there
    and more cells than pixels.
    """
    height, width = pixels.shape[:2]
    if not 0 <= row < height:
        raise must_be("row", f"from 0 to {height - 1}", row)
    if not 1 <= cells <= width:
        raise must_be("cells", f"from 1 to {width}", cells)
    line = brightness(pixels[row : row + 1])[0]
    edges = np.linspace(0, width, cells + 1).round().astype(int)
    means = [line[a:b].mean() for a, b in itertools.pairwise(edges)]
    return np.array(means).round(2)


def brightest(pixels: Pixels) -> tuple[int, int, int]:
    """uint8 (H, W, 3) -> row, column and level (0 to 255, rounded) of the first of its brightest pixels."""
    light = brightness(pixels)
    row, column = np.unravel_index(int(light.argmax()), light.shape)
    return int(row), int(column), round(float(light.max()) * 255)


def shrunk(pixels: Pixels, side: int, contract: InputContract) -> tuple[Pixels, Pixels]:
    """uint8 (H, W, 3) at the contract's size, longer side wanted -> the small picture, and it enlarged again.

    Both ways by the contract's interpolation. Raises BadInput for a side below 1 or above the picture's.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if not 1 <= side <= longest:
        raise must_be("side", f"from 1 to {longest}", side)
    small_size = (max(1, round(height * side / longest)), max(1, round(width * side / longest)))
    small = fit_picture(pixels, _resizing(contract, small_size))
    return small, fit_picture(small, _resizing(contract, (height, width)))


def _resizing(contract: InputContract, size: tuple[int, int]) -> InputContract:
    return InputContract(size=size, fit="squash", interpolation=contract.interpolation)
