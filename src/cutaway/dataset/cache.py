"""Dataset and contract -> PixelSet: every picture is decoded and fitted once, in worker processes, and never again."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from cutaway.dataset.decode import fitted
from cutaway.dataset.pixels import PixelSet
from cutaway.dataset.places import cache_folder
from cutaway.dataset.samples import Dataset, Sample
from cutaway.dataset.shelf import Fitted, Shelf, Stored
from cutaway.errors import BadPicture
from cutaway.events import Progress
from cutaway.image import InputContract

BATCH_BYTES = 32 * 2**20
"""Fitted pixels that wait in memory before they go to disk together."""
BATCH_SECONDS = 2.0
"""A killed run loses at most this much decoding."""
TASK = "read pictures"


def fill(
    dataset: Dataset, contract: InputContract, *, folder: Path | None = None, workers: int | None = None
) -> Generator[Progress, None, PixelSet]:
    """Dataset, contract -> yields Progress while pictures are decoded, returns the PixelSet of all samples in order.

    What an earlier run stored under the same contract.pixel_key is not decoded again, wherever the file lies now.
    `folder` is the cache folder ($CUTAWAY_CACHE); `workers` the processes that decode (one per processor).
    Pictures that cannot be read are in `PixelSet.failures`. Raises BadInput when the disk is full or closed.
    """
    shelf = Shelf(folder or cache_folder(), contract, decoder())
    try:
        stamps = [dataset.store.stamp(s) for s in dataset.samples]
        known = shelf.look_up(stamps)
        todo = [i for i, found in enumerate(known) if found is None]
        ready = len(dataset) - len(todo)
        yield Progress(TASK, ready, len(dataset), "pictures")
        for batch in _batches(fitted(dataset, todo, contract, workers), todo, shelf.row_bytes):
            placed = shelf.put([(stamps[i], got) for i, got in batch])
            for (i, _), where in zip(batch, placed, strict=True):
                known[i] = where
            ready += len(batch)
            yield Progress(TASK, ready, len(dataset), "pictures")
        return _pixel_set(dataset.samples, known, shelf.file, contract.size, len(todo))
    finally:
        shelf.close()


def filled(
    dataset: Dataset, contract: InputContract, *, folder: Path | None = None, workers: int | None = None
) -> PixelSet:
    """As `fill`, for callers who don't show progress."""
    running = fill(dataset, contract, folder=folder, workers=workers)
    while True:
        try:
            next(running)
        except StopIteration as end:
            result: PixelSet = end.value
            return result


@functools.cache
def decoder() -> str:
    """() -> what decides whether a file can be read: Pillow's version, and whether HEIC can be opened."""
    heic = "heic" if importlib.util.find_spec("pi_heif") else "no-heic"
    return f"pillow-{importlib.metadata.version('pillow')}-{heic}"


def _batches(
    results: Iterator[tuple[int, Fitted | BadPicture]], todo: Sequence[int], row_bytes: int
) -> Iterator[list[tuple[int, Fitted | BadPicture]]]:
    """Results as they come -> lists of them in the data set's order, so that neighbours are neighbours on disk.

    What has overtaken a slow picture waits for it, until that takes more memory than two batches.
    """
    most = max(1, BATCH_BYTES // row_bytes)
    waiting: dict[int, Fitted | BadPicture] = {}
    gone: set[int] = set()
    position, since = 0, time.monotonic()
    for index, got in results:
        waiting[index] = got
        if len(waiting) < most and time.monotonic() - since < BATCH_SECONDS:
            continue
        ready = []
        while position < len(todo) and (todo[position] in waiting or todo[position] in gone):
            ready.append(todo[position])
            position += 1
        if len(waiting) >= 2 * most:
            ready = sorted(waiting)
            gone.update(ready)
        if batch := [(i, waiting.pop(i)) for i in ready if i in waiting]:
            yield batch
        since = time.monotonic()
    if waiting:
        yield sorted(waiting.items())


def _pixel_set(
    samples: Sequence[Sample],
    known: Sequence[Stored | BadPicture | None],
    file: Path,
    size: tuple[int, int],
    decoded: int,
) -> PixelSet:
    stored = [k if isinstance(k, Stored) else None for k in known]
    failed = [(s.name, k) for s, k in zip(samples, known, strict=True) if isinstance(k, BadPicture)]
    return PixelSet(
        file=file,
        size=size,
        place=np.array([k.row if k else -1 for k in stored], dtype=np.int64),
        names=tuple(s.name for s in samples),
        sha256s=tuple(k.sha256 if k else None for k in stored),
        stored_sizes=np.array([k.size if k else (0, 0) for k in stored], dtype=np.int32).reshape(-1, 2),
        notes=tuple(k.notes if k else () for k in stored),
        failures=tuple(BadPicture(name, bad.code, bad.detail) for name, bad in failed),
        decoded=decoded,
    )
