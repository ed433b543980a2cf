"""Photos that models are tried on: labelled where their classes are the model's, fitted for each model's contract."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.dataset.cache import fill
from cutaway.dataset.loose import open_pictures
from cutaway.dataset.scan import open_dataset, with_classes
from cutaway.dataset.words import none_of
from cutaway.errors import BadInput
from cutaway.events import Event, Note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cutaway.dataset import Dataset
    from cutaway.dataset.pixels import PixelSet
    from cutaway.image import InputContract

    Rows = Callable[[NDArray[np.int64]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Readable pictures in order. `labels` (N,) index the model's classes, None where they are not known.

    `pixels`: contract's pixel_key -> the fitted pictures. `unreadable`: (name, why).
    """

    typed: str
    dataset: Dataset
    labels: NDArray[np.int64] | None
    pixels: dict[str, PixelSet]
    unreadable: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.dataset.samples)

    def rows(self, contracts: Iterable[InputContract]) -> dict[InputContract, Rows]:
        """Contracts -> what reads the pictures fitted for each."""
        return {contract: self.pixels[contract.pixel_key].rows for contract in contracts}


def open_photos(typed: str, classes: Sequence[str]) -> tuple[Dataset, bool, str]:
    """What was typed, the model's classes -> its pictures, whether their labels are the model's classes, and if they
    have labels that are not, why, in a sentence. Raises BadInput, Offline."""
    try:
        found = open_dataset(typed)
    except BadInput as refused:
        try:
            return open_pictures((typed,)), False, ""
        except BadInput:
            raise refused from None
    if not found.classes or any(s.label is None for s in found.samples):
        return found, False, ""
    try:
        return with_classes(found, classes), True, ""
    except BadInput as other:
        return found, False, str(other)


def gathered(
    found: tuple[Dataset, bool, str],
    typed: str,
    contracts: Iterable[InputContract],
    fold: str = "auto",
    most: int | None = None,
) -> Generator[Event, None, Photos]:
    """What `open_photos` gave, the contracts of the models -> the Photos that can be read; progress while decoding.

    `fold`: auto takes the test fold where the data has one; `most`: at most so many, drawn evenly.
    Raises BadInput where no picture can be read.
    """
    import numpy as np

    dataset, labelled, why = found
    if why:
        yield Note(f"{why} Until then what is measured is agreement, not accuracy.")
    dataset = _fold(dataset, typed, fold)
    if most is not None and most < len(dataset):
        dataset = dataset.take(sorted(np.random.default_rng(0).permutation(len(dataset))[:most].tolist()))
    by_key = {contract.pixel_key: contract for contract in contracts}
    pixels = {}
    for key, contract in by_key.items():
        pixels[key] = yield from fill(dataset, contract)
    ok = np.logical_and.reduce([p.ok for p in pixels.values()])
    failed = {f.name: f"{f.code}: {f.detail}" for p in pixels.values() for f in p.failures}
    keep = np.flatnonzero(ok)
    if not len(keep):
        first = next(iter(failed.items()))
        raise BadInput(
            f"{none_of(len(dataset), 'picture')} of {typed} can be read (the first: {first[0]}, {first[1]})."
        )
    if failed:
        yield Note(f"{len(failed):,} of {len(dataset):,} pictures of {typed} could not be read and were left out.")
    kept = dataset.take(keep.tolist())
    labels = np.array([s.label for s in kept.samples], np.int64) if labelled else None
    return Photos(typed, kept, labels, {k: p.take(keep) for k, p in pixels.items()}, tuple(failed.items()))


def _fold(dataset: Dataset, typed: str, fold: str) -> Dataset:
    folds = {s.fold for s in dataset.samples} - {None}
    if fold == "auto":
        fold = "test" if "test" in folds else "all"
    if fold == "all":
        return dataset
    part = dataset.where(lambda s: s.fold == fold)
    if not len(part):
        raise BadInput(
            f"{typed} has no {fold} fold ({', '.join(sorted(map(str, folds))) or 'no folds'}); use --fold all."
        )
    return part
