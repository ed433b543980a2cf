"""Copies in a data set: identical files, re-saved, resized, brightened, mirrored, turned and cropped pictures.

Two steps: 64-bit hashes nominate pairs (`phash`, `hamming`), then the lined-up pixels decide (`same_picture`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset import same_picture
from cutaway.dataset.hamming import Candidates, scan
from cutaway.dataset.phash import ORIENTATIONS, hashing_crops, hashing_orientations
from cutaway.dataset.steps import Steps, result_of
from cutaway.events import Progress

DISTANCE = 12
SMALLEST_SIDE = 32
"""Below this stored side, in pixels, only identical files are claimed: two handwritten ones look the same."""
SMALLEST_CROP_SIDE = 64
FLAT = 3.0
"""Standard deviation of the luma, in grey levels, below which a picture is near-constant and its hash is noise."""
PAIRS_PER_PICTURE = 20

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Pictures `first` < `second` are copies; `how` says in words how the two differ.

    `likeness` is the correlation of the lined-up pixels in [-1, 1], 1 for identical files.
    """

    first: int
    second: int
    kind: Literal["exact", "near"]
    how: str
    likeness: float


def duplicates(
    pixels: NDArray[np.uint8],
    ok: NDArray[np.bool_] | None = None,
    sha256s: Sequence[str] = (),
    stored_sizes: Ints | None = None,
    distance: int = DISTANCE,
) -> tuple[Duplicate, ...]:
    """Squashed whole pictures uint8 (N, h, w, 3) -> pairs of copies, ordered by index.

    `ok` (N,) marks the rows that hold a picture; `sha256s` (N,) are digests of the files ("" where unknown);
    `stored_sizes` (N, 2) heights and widths in the files (default: those of `pixels`). Of identical files only the
    first is compared further. Above 20 pairs per picture, only the ones that hold the groups together are kept.
    """
    return result_of(finding_duplicates(pixels, ok, sha256s, stored_sizes, distance))


def finding_duplicates(
    pixels: NDArray[np.uint8],
    ok: NDArray[np.bool_] | None = None,
    sha256s: Sequence[str] = (),
    stored_sizes: Ints | None = None,
    distance: int = DISTANCE,
) -> Steps[tuple[Duplicate, ...]]:
    """`duplicates` that yields Progress."""
    count = len(pixels)
    usable = np.ones(count, bool) if ok is None else np.asarray(ok, bool)
    exact = _identical(usable, sha256s)
    sides = np.full(count, min(pixels.shape[1:3])) if stored_sizes is None else np.asarray(stored_sizes).min(1)
    unique = usable & (sides >= SMALLEST_SIDE)
    unique[[pair.second for pair in exact]] = False
    candidates = np.nonzero(unique)[0]
    spread = yield from measuring_spread(pixels)
    candidates = candidates[spread[candidates] >= FLAT]
    near: list[Duplicate] = []
    if len(candidates) > 1:
        near = yield from _near(pixels, candidates, sides[candidates] >= SMALLEST_CROP_SIDE, distance)
    return tuple(sorted([*exact, *near], key=lambda pair: (pair.first, pair.second)))


def groups(count: int, pairs: Sequence[tuple[int, int]]) -> Ints:
    """Number of pictures and pairs of copies -> (N,) group number of each picture, 0.. in order of first member.

    Copies of copies are in one group; a picture without a copy is a group of its own.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not count:
        return np.empty(0, np.int64)
    i, j = np.asarray(pairs, np.int64).reshape(-1, 2).T
    _, found = connected_components(coo_array((np.ones(len(i), bool), (i, j)), shape=(count, count)), directed=False)
    _, first, of = np.unique(found, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered: Ints = rank[of]
    return numbered


def measuring_spread(pixels: NDArray[np.uint8], batch: int = 1024) -> Steps[NDArray[np.float32]]:
    """uint8 (N, h, w, 3) -> (N,) standard deviation of the luma in grey levels, yielding Progress."""
    from cutaway.dataset.resample import to_gray

    spread = np.empty(len(pixels), np.float32)
    for start in range(0, len(pixels), batch):
        spread[start : start + batch] = to_gray(pixels[start : start + batch]).std((1, 2))
        yield Progress("contrast", min(start + batch, len(pixels)), len(pixels), "pictures")
    return spread


def _identical(usable: NDArray[np.bool_], sha256s: Sequence[str]) -> list[Duplicate]:
    """Each further file with a digest seen before -> a pair with the first that had it."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, digest in enumerate(sha256s):
        if digest and usable[index]:
            members[digest].append(index)
    return [
        Duplicate(same[0], other, "exact", "identical file", 1.0) for same in members.values() for other in same[1:]
    ]


def _near(pixels: NDArray[np.uint8], rows: Ints, large: NDArray[np.bool_], distance: int) -> Steps[list[Duplicate]]:
    """Rows of pixels to compare, and which of them are large enough for crops to tell -> near-duplicate pairs."""
    used = pixels if len(rows) == len(pixels) else pixels[rows]
    hashes = yield from hashing_orientations(used)
    found: dict[tuple[int, int], tuple[float, str]] = {}
    thumbs = same_picture.thumbnails(used)
    for candidates, done in scan(hashes, hashes[:, 0], distance):
        alike = same_picture.turned_likeness(used, thumbs, candidates.first, candidates.second, candidates.view)
        _keep(found, candidates, alike >= same_picture.LEAST[candidates.view], alike, ORIENTATIONS, rows)
        _thin(found, len(pixels))
        yield Progress("looking for copies", done, len(rows), "pictures")
    where = np.nonzero(large)[0]
    if len(where) > 1:
        part = used if len(where) == len(used) else used[where]
        windows = yield from hashing_crops(part)
        words = ("cropped",) * windows.shape[1]
        for candidates, done in scan(windows, hashes[where, 0], distance, both_ways=True):
            alike = same_picture.crop_likeness(part, candidates.first, candidates.second, candidates.view)
            _keep(found, candidates, alike >= same_picture.SAME_CROP, alike, words, rows[where])
            _thin(found, len(pixels))
            yield Progress("looking for crops", done, len(where), "pictures")
    return [Duplicate(i, j, "near", how, alike) for (i, j), (alike, how) in found.items()]


def _keep(
    found: dict[tuple[int, int], tuple[float, str]],
    candidates: Candidates,
    same: NDArray[np.bool_],
    alike: NDArray[np.float32],
    words: Sequence[str],
    rows: Ints,
) -> None:
    """Add the candidates that are the same picture; a pair that was found before keeps its likelier explanation."""
    for k in np.nonzero(same)[0]:
        i, j = sorted((int(rows[candidates.first[k]]), int(rows[candidates.second[k]])))
        explained = (min(1.0, float(alike[k])), words[int(candidates.view[k])])
        found[i, j] = max(found.get((i, j), explained), explained, key=lambda e: e[0])


def _thin(found: dict[tuple[int, int], tuple[float, str]], count: int) -> None:
    """Past 20 pairs per picture (one background, thousands of times) keep a spanning forest: the groups stay whole."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    if len(found) <= PAIRS_PER_PICTURE * count:
        return
    i, j = np.array(list(found)).T
    unlike = np.array([2 - alike for alike, _ in found.values()])  # positive: 0 would mean "no edge"
    forest = minimum_spanning_tree(coo_array((unlike, (i, j)), shape=(count, count))).tocoo()
    kept = set(zip(forest.row.tolist(), forest.col.tolist(), strict=True))
    for pair in [pair for pair in found if pair not in kept]:
        del found[pair]
