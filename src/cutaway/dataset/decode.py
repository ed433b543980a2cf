"""Samples -> pictures fitted to a contract, in worker processes; small ones travel in groups."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.arrays import ArrayStore
from cutaway.dataset.samples import Dataset, Sample, Store
from cutaway.dataset.shelf import Fitted
from cutaway.errors import BadPicture
from cutaway.image import Image, InputContract

GROUP_BYTES = 128 * 2**10
"""Fitted pixels of one message between processes; 60,000 messages of 3 KB cost more than decoding them."""
LARGEST_GROUP = 32
SECONDS = 30.0
"""Wall time one picture may take; a group gets twice that, then its pictures are tried one by one."""


@dataclass(frozen=True, slots=True)
class Fitter:
    """Runs in a worker process: samples -> their fitted pixels or failures, in order."""

    store: Store
    contract: InputContract

    def __call__(self, samples: Sequence[Sample]) -> Group:
        """Samples -> one message with all of them. Never raises BadPicture: one bad file costs one row."""
        pixels: list[NDArray[np.uint8]] = []
        facts: list[Facts | BadPicture] = []
        for sample in samples:
            try:
                picture = fitted_picture(self.store, sample, self.contract)
                pixels.append(picture.pixels)
                facts.append((picture.sha256, picture.stored_size, picture.notes))
            except BadPicture as bad:
                facts.append(bad)
        return Group(np.stack(pixels) if pixels else None, tuple(facts))


Facts = tuple[str, tuple[int, int], tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Pixels (n, H, W, 3) of the readable ones; sha256, stored size and notes of each sample, or its failure."""

    pixels: NDArray[np.uint8] | None
    facts: tuple[Facts | BadPicture, ...]

    def taken_apart(self) -> Iterator[Fitted | BadPicture]:
        rows = iter(self.pixels if self.pixels is not None else ())
        for fact in self.facts:
            yield fact if isinstance(fact, BadPicture) else Fitted(next(rows), *fact)


def fitted(
    dataset: Dataset, todo: Sequence[int], contract: InputContract, workers: int | None = None
) -> Iterator[tuple[int, Fitted | BadPicture]]:
    """Indices to decode -> (index, pixels or failure) as they finish; array rows need no process of their own.

    A group that dies, hangs or runs out of memory is tried again picture by picture, so only the culprit fails.
    """
    height, width = contract.size
    size = max(1, min(LARGEST_GROUP, GROUP_BYTES // (height * width * 3)))
    groups = [tuple(todo[start : start + size]) for start in range(0, len(todo), size)]
    again: list[tuple[int, ...]] = []
    for indices, got in _run(dataset, groups, contract, workers, SECONDS if size == 1 else 2 * SECONDS):
        if isinstance(got, Group):
            yield from zip(indices, got.taken_apart(), strict=True)
        elif len(indices) == 1:
            yield indices[0], got
        else:
            again += [(i,) for i in indices]
    for (index,), got in _run(dataset, again, contract, workers, SECONDS):
        yield index, next(got.taken_apart()) if isinstance(got, Group) else got


def _run(
    dataset: Dataset,
    groups: Sequence[tuple[int, ...]],
    contract: InputContract,
    workers: int | None,
    seconds: float,
) -> Iterator[tuple[tuple[int, ...], Group | BadPicture]]:
    from cutaway.image.pool import read_many

    if workers is None:
        workers = 0 if isinstance(dataset.store, ArrayStore) else processors()
    jobs = [tuple(dataset.samples[i] for i in group) for group in groups]
    work = Fitter(dataset.store, contract)
    for number, got in read_many(
        jobs, work, workers=min(workers, len(jobs)), seconds=seconds, name=lambda j: j[0].name
    ):
        yield groups[number], got


def fitted_picture(store: Store, sample: Sample, contract: InputContract) -> Image:
    """Store, sample, contract -> Image at the contract's size, the store's own quicker way where it has one."""
    from cutaway.image.fit import fit_picture, target_px

    if own := getattr(store, "read_fitted", None):
        picture: Image = own(sample, contract)
        return picture
    whole = store.read(sample, target_px(contract))
    return dataclasses.replace(whole, pixels=fit_picture(whole, contract))


def processors() -> int:
    """() -> processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
