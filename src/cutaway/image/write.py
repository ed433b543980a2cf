"""Pixels -> PNG or JPEG bytes, and arrays of any depth -> pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from cutaway.errors import must_be
from cutaway.image.colour import to_rgb
from cutaway.image.depth import array_to_8_bit
from cutaway.image.picture import Pixels


def from_array(array: NDArray[Any]) -> Pixels:
    """Array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of numbers -> uint8 (H, W, 3).

    bool: 0 and 255; uint8: as it is; uint16: divided by 257; floats within [0, 1]: times 255; any numbers within
    [0, 255]: as they are, rounded; within [0, 65535]: divided by 257. One value range for all channels. Gray is
    repeated, a fourth channel is opacity, laid on white; (3, H, W) is not guessed. uint8 (H, W, 3) comes back as it is.
    Raises BadInput for other shapes, NaN, infinity, and values outside [0, 65535].
    """
    flat = array[..., None] if array.ndim == 2 else array
    if flat.ndim != 3 or flat.shape[2] not in (1, 3, 4) or 0 in flat.shape:
        raise must_be("pixels", "an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)", f"shape {array.shape}")
    levels = array_to_8_bit(flat)
    if levels.shape[2] == 1:
        return np.repeat(levels, 3, axis=2)
    if levels.shape[2] == 4:
        return np.array(to_rgb(Pillow.fromarray(levels, "RGBA"))[0])
    return levels


def to_png(pixels: NDArray[Any]) -> bytes:
    """Array as `from_array` takes it -> PNG file's bytes, the same levels when read back. Raises BadInput as there."""
    return _saved(Pillow.fromarray(from_array(pixels)), "PNG")


def to_jpeg(pixels: NDArray[Any], quality: int = 90) -> bytes:
    """Array as `from_array` takes it, quality 1 to 100 -> JPEG file's bytes; colour at full resolution from 95 on.

    Raises BadInput as `from_array`, and for a quality outside that range.
    """
    if not 1 <= quality <= 100:
        raise must_be("quality", "a number from 1 to 100", quality)
    picture = Pillow.fromarray(from_array(pixels))
    return _saved(picture, "JPEG", quality=quality, subsampling="4:4:4" if quality >= 95 else "4:2:0")


def thumbnail(pixels: NDArray[Any], side_px: int) -> bytes:
    """Array as `from_array` takes it -> JPEG whose longer side is `side_px` pixels (never enlarged), quality 85.

    Raises BadInput as `from_array`, and for a side below 1.
    """
    if side_px < 1:
        raise must_be("side_px", "at least 1 pixel", side_px)
    picture = Pillow.fromarray(from_array(pixels))
    ratio = max(1.0, max(picture.size) / side_px)
    small = (max(1, round(picture.width / ratio)), max(1, round(picture.height / ratio)))  # a thread keeps one pixel
    if small != picture.size:
        picture = picture.resize(small, Pillow.Resampling.BICUBIC, reducing_gap=2)
    return _saved(picture, "JPEG", quality=85)


def _saved(picture: Pillow.Image, kind: str, **settings: object) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind, **settings)
    return held.getvalue()
