"""Are two pictures one picture? The second measure behind the hash, on pixels: correlation after lining the two up.

A hash says "perhaps" in nanoseconds; blue skies and white backgrounds give it false friends. Measured on the
979,300 pairs of 1,400 photos of cats and dogs, 12 bits apart at most: one true pair at 0.998, the best false one 0.69.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.phash import CROP_SHARE, CROP_STARTS, turned
from cutaway.dataset.resample import Floats, shrink, through, to_gray, window

Indices = NDArray[np.int64]
SIDE = 32
GLANCE = 16
SAME = 0.92
"""Least correlation of two whole pictures: of CIFAR-10's test pictures all 22 pairs above it are copies."""
SAME_TURNED = 0.95
"""The same for a picture that would have to be turned as well: rare in practice, so more proof is asked for."""
LEAST = np.array([SAME, SAME_TURNED, SAME_TURNED, SAME_TURNED, SAME, SAME_TURNED, SAME_TURNED, SAME_TURNED], np.float32)
"""Least correlation by orientation (phash.ORIENTATIONS)."""
SAME_CROP = 0.93
"""Least correlation of a picture with the best window of another: true 10 % crops reach 0.96, false ones 0.81."""
WORTH_SEARCHING = 0.6
SHARES = (0.95, 0.9, 0.85, 0.8)
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
BATCH = 1024
THUMB = 8
THUMBS_ALIKE = 0.85
"""Copies correlate at least as well at 8 x 8 as at 32 x 32, where they must reach 0.92."""
SEARCH_BATCH = 256


def turned_likeness(
    pixels: NDArray[np.uint8], thumbs: Floats, first: Indices, second: Indices, orientation: Indices
) -> Floats:
    """Pictures (N, H, W, 3), their `thumbnails`, pairs and how `first` is to be turned (P,) -> (P,) correlation.

    Pairs whose thumbnails already disagree get -1: that spares reading the pixels of almost all false ones.
    """
    out = np.full(len(first), -1, np.float32)
    for start in range(0, len(first), BATCH):
        part = np.arange(start, min(start + BATCH, len(first)))
        glance = _turned_correlation(thumbs[first[part]], thumbs[second[part]], orientation[part])
        worth = part[glance >= THUMBS_ALIKE]
        a, b = shrink(pixels[first[worth]], SIDE), shrink(pixels[second[worth]], SIDE)
        out[worth] = _turned_correlation(a, b, orientation[worth])
    return out


def thumbnails(pixels: NDArray[np.uint8]) -> Floats:
    """uint8 (N, H, W, 3) -> float32 (N, 8, 8, 3), in [0, 255]: 768 bytes a picture, kept in memory for all of them."""
    parts = [shrink(pixels[start : start + BATCH], THUMB) for start in range(0, len(pixels), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, THUMB, THUMB, 3), np.float32)


def _turned_correlation(a: Floats, b: Floats, orientation: Indices) -> Floats:
    """(P, h, h, 3) twice and how the first is to be turned (P,) -> (P,) correlation."""
    upright = a.copy()
    for o in np.unique(orientation):
        upright[orientation == o] = turned(a[orientation == o], int(o))
    correlation: Floats = np.einsum("pn,pn->p", _centred(upright), _centred(b))
    return correlation


def crop_likeness(pixels: NDArray[np.uint8], first: Indices, second: Indices, crop: Indices) -> Floats:
    """Pictures (N, H, W, 3), pairs and the window of `first` (P,) that may be `second` -> (P,) correlation.

    The given window is glanced at first; only where it looks promising are 100 windows (80-95 % of the side) tried, on
    16 x 16 luma. Others get -1.
    """
    out = np.full(len(first), -1, np.float32)
    for start in range(0, len(first), SEARCH_BATCH):
        part = slice(start, start + SEARCH_BATCH)
        a, b = to_gray(pixels[first[part]]), _small(to_gray(pixels[second[part]]))
        hopeful = np.nonzero(_glance(a, b, crop[part]) >= WORTH_SEARCHING)[0]
        if len(hopeful):
            out[start + hopeful] = _best_window(a[hopeful], b[hopeful])
    return out


def _glance(a: Floats, b: Floats, crop: Indices) -> Floats:
    """Luma (P, H, W), small centred luma (P, 16, 16), window number (P,) -> correlation at that window alone."""
    out = np.empty(len(a), np.float32)
    for k in np.unique(crop):
        top, left = CROP_STARTS[int(k)]
        rows = window(a.shape[1], GLANCE, CROP_SHARE, top)
        columns = window(a.shape[2], GLANCE, CROP_SHARE, left)
        of_this = crop == k
        out[of_this] = (_unit(through(rows, a[of_this], columns)) * b[of_this]).sum((1, 2))
    return out


def _best_window(a: Floats, b: Floats) -> Floats:
    rows, columns = _windows(a.shape[1], a.shape[2])  # (100, 16, H), (100, 16, W)
    best = np.full(len(a), -1, np.float32)
    for row, column in zip(rows, columns, strict=True):
        best = np.maximum(best, (_unit(through(row, a, column)) * b).sum((1, 2)))
    return best


@functools.lru_cache(maxsize=8)
def _windows(height: int, width: int) -> tuple[Floats, Floats]:
    places = [(s, (1 - s) * y, (1 - s) * x) for s, y, x in itertools.product(SHARES, PLACES, PLACES)]
    rows = np.stack([window(height, GLANCE, s, y) for s, y, _ in places])
    columns = np.stack([window(width, GLANCE, s, x) for s, _, x in places])
    return rows, columns


def _small(gray: Floats) -> Floats:
    return _unit(through(window(gray.shape[1], GLANCE), gray, window(gray.shape[2], GLANCE)))


def _unit(planes: Floats) -> Floats:
    """(P, h, w) -> mean 0 and norm 1 each; a constant one becomes zeros and correlates with nothing."""
    centred = planes - planes.mean((1, 2), keepdims=True)
    norm = np.sqrt((centred * centred).sum((1, 2), keepdims=True))
    unit: Floats = centred / np.maximum(norm, 1e-3)
    return unit


def _centred(small: Floats) -> Floats:
    """(P, h, w, 3) -> (P, h*w*3): each colour plane's own mean taken off, then norm 1 over all three.

    So two empty blue skies have nothing in common but noise, while a brighter or paler copy keeps its correlation.
    """
    centred = (small - small.mean((1, 2), keepdims=True)).reshape(len(small), math.prod(small.shape[1:]))
    unit: Floats = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-3)
    return unit
