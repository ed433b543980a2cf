"""Many small pictures of one size -> a few large JPEGs that hold them side by side, for a page to show any of them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDES = (160, 128, 96, 72, 56, 48)
LONGEST = 2400
"""Pixels of a sheet's side: browsers on phones refuse pictures of more than 16 million pixels."""
_BUDGET = 12 * 2**20
_PER_PIXEL = 0.31  # bytes of JPEG at this quality: 0.31 at 48 px, 0.22 at 160 px on 400 photos of cats and dogs
QUALITY = 78


@dataclass(frozen=True, slots=True)
class Atlas:
    """`sheets`: JPEG bytes, each with up to `columns` x `columns` tiles of `width` x `height` px, in reading order."""

    sheets: tuple[bytes, ...]
    columns: int
    width: int
    height: int


def tile_side(count: int) -> int:
    """How many pictures -> pixels of a tile's longer side, so that all sheets together stay near 12 MB."""
    return next((side for side in SIDES if count * side * side * _PER_PIXEL <= _BUDGET), SIDES[-1])


def atlas(tiles: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Atlas:
    """uint8 RGB (N, H, W, 3) -> Atlas."""
    from PIL import Image

    height, width = tiles[0].shape[:2]
    columns = max(1, LONGEST // max(height, width))
    sheets = []
    for start in range(0, len(tiles), columns * columns):
        part = tiles[start : start + columns * columns]
        rows = math.ceil(len(part) / columns)
        sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
        for number, tile in enumerate(part):
            top, left = number // columns * height, number % columns * width
            sheet[top : top + height, left : left + width] = tile
        out = io.BytesIO()
        Image.fromarray(sheet).save(out, "JPEG", quality=QUALITY, optimize=True)
        sheets.append(out.getvalue())
    return Atlas(tuple(sheets), columns, width, height)
