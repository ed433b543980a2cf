"""Feature maps -> frames: a JSON head and one byte per value, which is what the page paints."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 254
"""Values are 0 to 254 between a channel's `lo` and `hi`; 255 is a value that is no number."""
NOT_FINITE = 255


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Channels as bytes: value = lo + byte / 254 * (hi - lo), off by at most (hi - lo) / 508. 255: not finite."""

    data: NDArray[np.uint8]  # (C, H, W)
    lo: NDArray[np.float32]  # (C,)
    hi: NDArray[np.float32]  # (C,)


def quantised(maps: NDArray[np.float32]) -> Planes:
    """float (C, H, W) -> Planes, the range of each channel its own. A channel that is the same everywhere is all 0."""
    lo, hi = ends(maps)  # (C,); NaN takes both ends, so all is finite where they are
    finite = None if np.isfinite(lo).all() and np.isfinite(hi).all() else np.isfinite(maps)
    if finite is not None:
        lo, hi = ends(np.where(finite, maps, np.inf))[0], ends(np.where(finite, maps, -np.inf))[1]
        none = lo > hi
        lo, hi = np.where(none, 0, lo).astype(np.float32), np.where(none, 0, hi).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        span = (hi - lo).astype(np.float64)
        gain = np.divide(LEVELS, span, out=np.zeros_like(span), where=span > 0).astype(np.float32)
        scaled = maps - lo[:, None, None]
        scaled *= gain[:, None, None]
        scaled += np.float32(0.5)
    if finite is None and np.isfinite(gain).all() and np.isfinite(span).all():
        return Planes(scaled.astype(np.uint8), lo, hi)  # 0.5 to 254.5 in every cell
    data = np.clip(np.nan_to_num(scaled, nan=0, posinf=0, neginf=0), 0, LEVELS).astype(np.uint8)
    if finite is not None:
        data[~finite] = NOT_FINITE
    return Planes(data, lo, hi)


def ends(maps: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float (C, H, W) -> the least and the largest value of each channel, NaN where it holds one."""
    rows = maps.reshape(len(maps), maps.shape[1] * maps.shape[2])
    return rows.min(1), rows.max(1)


def reduced(maps: NDArray[np.float32], edge: int) -> NDArray[np.float32]:
    """float (C, H, W), longest side wanted -> means over squares of a whole number of cells, as few as make it fit.

    A picture on the screen has fewer points than a large map has cells. Cells beyond the last whole square are
    left out.
    """
    factor = -(-max(maps.shape[1:]) // edge)
    if factor <= 1:
        return maps
    rows, columns = (side // factor for side in maps.shape[1:])
    if not rows or not columns:
        return maps
    kept = maps[:, : rows * factor, : columns * factor]
    sums = kept.reshape(len(maps), rows, factor, columns * factor).sum(2)  # (C, rows, W): whole rows added are quick
    found: NDArray[np.float32] = sums[:, :, ::factor].copy()  # (C, rows, columns)
    for place in range(1, factor):
        found += sums[:, :, place::factor]
    found /= np.float32(factor * factor)
    return found


def packed(head: dict[str, Any], data: NDArray[Any] | None = None) -> bytes:
    """Head, array -> uint32 length of the head (little-endian), the head as JSON padded to 4 bytes, the array."""
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + (b"" if data is None else np.ascontiguousarray(data).tobytes())


def floats(values: NDArray[Any]) -> list[float | None]:
    """Numbers -> JSON: seven digits, None for what is no number."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in values.tolist()]
