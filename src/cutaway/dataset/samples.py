"""Dataset: ordered samples, class names, and the store that holds the pictures. A filtered view is a Dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from cutaway.image import Image

Fold = Literal["train", "val", "test"]
FOLDS: tuple[Fold, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """One row: `name` is unique and how a person knows it ("cats/cat.1.jpg", "train.parquet[17]").

    `label` indexes Dataset.classes, None where nobody has said; `fold` is the one the user's folders or table give (or
    `splits.split` chose), None where nobody has; `at` is the store's own way to find the picture.
    """

    name: str
    label: int | None
    fold: Fold | None
    at: str | int


class Store(Protocol):
    """Where pictures live: a folder, an archive, a table of bytes, an array. Small, picklable: workers get a copy."""

    def read(self, sample: Sample, target_px: int | None = None) -> Image:
        """Sample -> the decoded picture, at least `target_px` on its short side where the file has that many.

        Raises BadPicture with the sample's name.
        """
        ...

    def stamp(self, sample: Sample) -> str:
        """Sample -> a cheap text that changes when the content does (path, size and mtime; or file stamp and row)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """`root` is what the user typed; `classes` are in natural order (1, 2, 10) and travel with every model trained.

    `skipped` lists (name, reason) of what was passed over while scanning: hidden files, unknown endings, empty classes.
    `label_column` is the column of a table that the labels were read from, "" where folders or arrays give them.
    """

    root: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    store: Store
    skipped: tuple[tuple[str, str], ...] = ()
    label_column: str = ""

    def __len__(self) -> int:
        return len(self.samples)

    def where(self, keep: Callable[[Sample], bool]) -> Dataset:
        """A test on samples -> the Dataset of those that pass, order kept."""
        return dataclasses.replace(self, samples=tuple(s for s in self.samples if keep(s)))

    def fold(self, fold: Fold) -> Dataset:
        return self.where(lambda s: s.fold == fold)

    def take(self, indices: Sequence[int]) -> Dataset:
        return dataclasses.replace(self, samples=tuple(self.samples[i] for i in indices))

    @property
    def labels(self) -> tuple[int | None, ...]:
        return tuple(s.label for s in self.samples)

    def read(self, index: int, target_px: int | None = None) -> Image:
        """Index of a sample -> its picture. Raises BadPicture."""
        return self.store.read(self.samples[index], target_px)
