"""Fitted pictures -> their copies and what is wrong with them; what was looked over before is not looked over again."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset import Dataset
from cutaway.dataset.checks import checking
from cutaway.dataset.content import formats
from cutaway.dataset.duplicates import finding_duplicates
from cutaway.dataset.evidence import Evidence
from cutaway.dataset.features import extracting_features
from cutaway.dataset.known import Known, key_of, recall, remember
from cutaway.dataset.pixels import PixelSet
from cutaway.dataset.places import cache_folder
from cutaway.engine.shrink import shrink
from cutaway.events import Event, Progress

SMALL_PX = 64  # what the checks look at
CLASSICAL_PX = 96  # what histograms and edges are taken from
LABELS_CHECKED = 5_000  # a linear classifier on the features of more takes longer than reading them
_CHUNK = 512


def look_over(
    dataset: Dataset, pixels: PixelSet, seed: int, features: NDArray[np.float32] | None = None
) -> Generator[Event, None, Known]:
    """Data set, its pictures (N), perhaps features (N, D) that judge labels (default: classical ones) -> what is known.

    The answer is kept in the cache folder under a digest of pictures, names, labels, folds and checks.
    """
    seen_as = formats(dataset)
    key = key_of(dataset, pixels, features, seed, seen_as, SMALL_PX, CLASSICAL_PX, LABELS_CHECKED)
    known = recall(cache_folder(), key)
    if known is not None:
        yield Progress("check", len(dataset), len(dataset), "pictures")
        return known
    small = shrunk(pixels, SMALL_PX)
    shas = tuple(sha or "" for sha in pixels.sha256s)
    sizes = pixels.stored_sizes.astype(np.int64)
    copies = yield from finding_duplicates(small, pixels.ok, shas, sizes)
    if features is None and len(dataset) <= LABELS_CHECKED:
        features = yield from classical_features(pixels)
    evidence = Evidence(
        small,
        pixels.ok,
        pixels.failures,
        shas,
        sizes,
        pixels.notes,
        formats=seen_as,
        features=features,
        copies=copies,
    )
    known = Known(copies, (yield from checking(dataset, evidence, seed)))
    remember(cache_folder(), key, known)
    return known


def classical_features(
    pixels: PixelSet, at: NDArray[np.int64] | None = None
) -> Generator[Event, None, NDArray[np.float32]]:
    """Pictures (all, or those `at`) -> float32 (n, D); rows of pictures that cannot be read are 0."""
    at = np.arange(len(pixels)) if at is None else at
    return (yield from extracting_features(shrunk(pixels, CLASSICAL_PX, at)))


def shrunk(pixels: PixelSet, side: int, at: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
    """Pictures (all, or those `at`) -> uint8 (n, h, w, 3), both sides at most `side`; unreadable ones are black."""
    if at is None and max(pixels.size) <= side and pixels.ok.all():
        return pixels.pixels  # stays on disk where it lies in order
    at = np.arange(len(pixels)) if at is None else at
    good = pixels.ok[at]
    rows: NDArray[np.uint8] | None = None
    for start in range(0, len(at), _CHUNK):
        part = np.nonzero(good[start : start + _CHUNK])[0] + start
        if not len(part):
            continue
        small = shrink(pixels.rows(at[part]), side)
        if rows is None:
            rows = np.zeros((len(at), *small.shape[1:]), np.uint8)
        rows[part] = small
    return np.zeros((len(at), 8, 8, 3), np.uint8) if rows is None else rows
