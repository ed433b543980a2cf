"""Values -> colours. Zero is white paper, above zero is orange to brown, below zero blue to navy, in every picture.

Both arms are straight in perception: OKLab (Ottosson 2020, https://bottosson.github.io/posts/oklab/), resampled to
equal steps of its distance, with the lightness falling all the way, so that they survive a grey print and every kind of
colour blindness (blue against orange is the pair all of them keep apart).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rgb = tuple[int, int, int]
Scale = Literal["channel", "layer", "network"]

STEPS = 256
NOT_FINITE: Rgb = (140, 140, 140)
# Stops of the two arms: lightness, chroma, hue in degrees of OKLCH; found by eye inside sRGB, lightness equal in both.
_ABOVE = ((0.985, 0.004, 95.0), (0.90, 0.075, 85.0), (0.78, 0.145, 68.0), (0.62, 0.160, 48.0), (0.45, 0.125, 36.0),
          (0.29, 0.075, 28.0))  # fmt: skip
_BELOW = ((0.985, 0.004, 240.0), (0.90, 0.050, 228.0), (0.78, 0.100, 234.0), (0.62, 0.140, 246.0), (0.45, 0.135, 256.0),
          (0.29, 0.095, 264.0))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Range:
    """What the colours stand for: 0 to `high`, or -high to `high` where `signed`."""

    high: float
    signed: bool

    @property
    def low(self) -> float:
        return -self.high if self.signed else 0.0


def range_of(values: NDArray[Any], signed: bool | None = None) -> Range:
    """Values of any shape -> the range that holds all finite ones; signed where one lies below zero, unless told."""
    kept = values[np.isfinite(values)]
    below = bool(kept.size and kept.min() < 0) if signed is None else signed
    return Range(float(np.abs(kept).max(initial=0.0)), below)


def painted(values: NDArray[Any], scale: Range) -> Pixels:
    """Numbers of any shape, range -> uint8 of that shape plus (3,). Beyond the range: its end; NaN: grey."""
    table = diverging() if scale.signed else sequential()
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=scale.high, neginf=scale.low)
    span = scale.high - scale.low
    share = (finite - scale.low) / span if span > 0 else np.full(values.shape, 0.5 if scale.signed else 0.0)
    entries = np.rint(np.clip(share, 0, 1) * (len(table) - 1)).astype(int)
    pixels: Pixels = table[entries]
    pixels[np.isnan(values)] = NOT_FINITE
    return pixels


@functools.cache
def sequential() -> Pixels:
    """() -> colours of 0 to the largest value, uint8 (256, 3)."""
    return _bytes(_arm(_ABOVE, STEPS))


@functools.cache
def diverging() -> Pixels:
    """() -> colours of the largest value below zero, of zero (entry 127), to the largest above, uint8 (255, 3)."""
    half = STEPS // 2
    return np.concatenate([_bytes(_arm(_BELOW, half))[:0:-1], _bytes(_arm(_ABOVE, half))])


def to_oklab(rgb: NDArray[Any]) -> Floats:
    """sRGB uint8 (..., 3) -> OKLab (..., 3): lightness 0 to 1, green-red, blue-yellow."""
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    found: Floats = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return found


_TO_LMS = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
_TO_LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip


def _arm(stops: tuple[tuple[float, float, float], ...], steps: int) -> Floats:
    """OKLCH stops -> (steps, 3) of OKLab at equal distances along the curve through them."""
    lightness, chroma, hue = np.array(stops).T
    at = np.linspace(0, 1, len(stops))
    fine = np.linspace(0, 1, 4096)
    angle = np.radians(_smooth(fine, at, hue))
    c = _smooth(fine, at, chroma)
    curve = np.stack([_smooth(fine, at, lightness), c * np.cos(angle), c * np.sin(angle)], 1)  # (4096, 3)
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    even = np.linspace(0, way[-1], steps)
    return np.stack([np.interp(even, way, curve[:, i]) for i in range(3)], 1)


def _smooth(x: Floats, at: Floats, values: Floats) -> Floats:
    """A monotone curve through the stops (no overshoot): lightness must fall all the way."""
    from scipy.interpolate import PchipInterpolator

    found: Floats = PchipInterpolator(at, values)(x)
    return found


def _bytes(lab: Floats) -> Pixels:
    linear = np.linalg.solve(_TO_LMS, (np.linalg.solve(_TO_LAB, lab.T) ** 3)).T
    linear = np.clip(linear, 0, 1)
    share = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    found: Pixels = np.rint(share * 255).astype(np.uint8)
    return found
