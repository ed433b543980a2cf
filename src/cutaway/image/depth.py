"""Gray levels of any depth -> 8 bits, by one stated rule that files and arrays share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput, must_be
from cutaway.image.picture import Pixels

Numbers = NDArray[Any]


def levels_to_8_bit(values: Numbers) -> Pixels:
    """Numbers of a deep picture, any shape -> uint8 of that shape, by type and then by the range that is used.

    - bool: 0 and 255; uint8: as they are; uint16: divided by 257, so that 65535 becomes 255.
    - floats within [0, 1]: times 255.
    - whole or broken numbers within [0, 255]: as they are; within [0, 65535]: divided by 257.
    - any other range: its lowest value becomes 0, its highest 255; a single level becomes 0.
    Fractions are rounded to the nearest level. NaN becomes 0, -inf and inf the ends of the range.
    """
    if values.dtype == np.bool_:
        return np.where(values, np.uint8(255), np.uint8(0))
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return _by_range(_finite(values.astype(np.float64)), whole=values.dtype.kind in "iu")


def array_to_8_bit(values: Numbers) -> Pixels:
    """Numbers a caller hands over -> uint8 as `levels_to_8_bit`, where the range says plainly what is meant.

    Raises BadInput for NaN or infinite values, values below 0 or above 65535, and types that are no numbers.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "buif":
        raise must_be("pixels", "numbers (bool, integer or float)", str(values.dtype))
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BadInput("pixels must be finite numbers. Got NaN or infinity: replace them (numpy.nan_to_num) first.")
    if values.size and (values.min() < 0 or values.max() > 65535):
        low, high = float(values.min()), float(values.max())
        raise must_be("pixels", "within [0, 1], [0, 255] or [0, 65535]", f"values from {low:g} to {high:g}")
    return levels_to_8_bit(values)


def _by_range(values: NDArray[np.float64], whole: bool) -> Pixels:
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if low >= 0 and high <= 1 and not whole:
        scaled = values * 255
    elif low >= 0 and high <= 255:
        scaled = values
    elif low >= 0 and high <= 65535:
        scaled = values / 257
    else:
        span = high / 2 - low / 2  # halves: the full range of floats does not overflow
        scaled = (values / 2 - low / 2) / span * 255 if span else np.zeros_like(values)
    rounded: Pixels = np.floor(scaled + 0.5).clip(0, 255).astype(np.uint8)
    return rounded


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    good = values[np.isfinite(values)]
    low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 0.0)
    return np.nan_to_num(values, copy=False, nan=0.0, posinf=high, neginf=low)
