"""A map over a photo: what its colours stand for, the map laid on the photo, the map alone with its sign in texture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.colours import Pixels, Range, painted
from cutaway.draw.maps import averaged
from cutaway.errors import must_be

Map = NDArray[Any]
PERCENTILE = 99.5
"""Of |values|: where the colours end. A few lone pixels would leave the rest of a gradient's map white."""
_STRONGEST = 0.75
"""How much of the photo the largest value hides."""
_HATCH_FROM = 0.1
"""Share of the range below zero from which a place is hatched."""
_CELLS = 28
"""Squares along the longer side whose mean decides what is hatched: single pixels would give specks."""
_PITCH = 6
_LUMA = (0.299, 0.587, 0.114)
_DARK = 90  # levels below which a dark line would not be seen
_DARK_LINE, _LIGHT_LINE = (28, 32, 36), 225


@dataclass(frozen=True, slots=True)
class Shades:
    """`range`: what the colours stand for; `largest`: the largest |value|, which may lie beyond; `beyond`: the share
    of the values that do."""

    range: Range
    largest: float
    beyond: float


def shades_of(maps: Sequence[Map]) -> Shades:
    """Maps that share one scale -> it: up to the 99.5th percentile of |values|, signed where one lies below zero."""
    values = np.concatenate([np.asarray(m, np.float64).ravel() for m in maps])
    size = np.abs(values)
    largest = float(size.max(initial=0.0))
    high = float(np.percentile(size, PERCENTILE)) if size.size else 0.0
    high = high if high > 0 else largest  # a map of a few places only
    beyond = float((size > high).mean()) if size.size else 0.0
    return Shades(Range(high, bool((values < 0).any())), largest, beyond)


def overlaid(photo: Pixels, values: Map, scale: Range) -> Pixels:
    """Photo (H, W, 3), map (H, W), range -> uint8 (H, W, 3): the photo in grey, coloured the more the larger |value|.

    Grey, so that no colour of the photo is taken for one of the map; zero leaves the photo as it is.
    """
    if photo.shape != (*values.shape, 3):
        raise must_be("photo", f"uint8 of the map's size {(*values.shape, 3)}", f"shape {photo.shape}")
    grey = (photo @ np.array(_LUMA))[..., None] * 0.8 + 255 * 0.2  # (H, W, 1)
    share = np.clip(np.abs(values) / scale.high, 0, 1) if scale.high else np.zeros(values.shape)
    weight = _STRONGEST * np.sqrt(share)[..., None]
    made: Pixels = np.rint(grey * (1 - weight) + painted(values, scale) * weight).astype(np.uint8)
    return made


def map_pixels(values: Map, scale: Range, dots: int) -> Pixels:
    """Map (H, W), range, dots of the longer side -> its colours, at most about that large; hatched where the mean of a
    neighbourhood lies below zero, so that the sign is seen in a grey print too."""
    merged = math.ceil(max(values.shape) / dots)
    shown = averaged(values, merged) if merged > 1 else np.asarray(values, np.float64)
    factor = max(1, dots // max(shown.shape))
    pixels = painted(shown, scale).repeat(factor, 0).repeat(factor, 1)
    below = _neighbourhood(shown) < -_HATCH_FROM * scale.high
    if scale.signed and scale.high and below.any():
        _hatch(pixels, below.repeat(factor, 0).repeat(factor, 1), _pitch(dots, pixels))
    return pixels


def bar_pixels(scale: Range, width: int, height: int) -> Pixels:
    """Range -> its colours from left to right, hatched below zero as the maps are."""
    shown = scale if scale.high else Range(1.0, scale.signed)
    ramp = np.linspace(shown.low, shown.high, width)[None].repeat(height, 0)
    pixels = painted(ramp, shown)
    if scale.signed:
        _hatch(pixels, ramp < -_HATCH_FROM * shown.high, _PITCH)
    return pixels


def _hatch(pixels: Pixels, where: NDArray[np.bool_], pitch: int) -> None:
    """Stripes at 45 degrees over the places, dark on light colours and light on dark ones."""
    rows, columns = np.indices(where.shape)
    stripes = where & ((rows + columns) % pitch == 0)
    dark = pixels[stripes] @ np.array(_LUMA) < _DARK
    pixels[stripes] = np.where(dark[:, None], np.uint8(_LIGHT_LINE), np.array(_DARK_LINE, np.uint8))


def _pitch(dots: int, pixels: Pixels) -> int:
    """Stripes as far apart on the page whatever the map's own size."""
    return max(4, round(2 * _PITCH * float(max(pixels.shape[:2])) / dots))


def _neighbourhood(values: Map) -> NDArray[np.float64]:
    """(H, W) -> at each place the mean of its square of 1/28 of the longer side."""
    merged = max(1, math.ceil(max(values.shape) / _CELLS))
    height, width = values.shape
    return averaged(values, merged).repeat(merged, 0).repeat(merged, 1)[:height, :width]
