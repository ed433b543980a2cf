"""Survey: every picture read once, checked, grouped with its copies and given a fold. train and sweep begin so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset import FOLDS, Dataset, Fold
from cutaway.dataset.cache import fill
from cutaway.dataset.duplicates import Duplicate, groups
from cutaway.dataset.known import Known
from cutaway.dataset.pixels import PixelSet
from cutaway.dataset.quarantine import quarantined, read_quarantine
from cutaway.dataset.scan import must_be_trainable, open_dataset
from cutaway.dataset.splits import split, split_notes
from cutaway.errors import BadInput
from cutaway.events import Event, Note
from cutaway.image import InputContract
from cutaway.reports import Finding
from cutaway.verbs.look_over import look_over

CHECKED = 100_000  # copies are looked for among this many pictures; beyond, the squashed copies alone need gigabytes


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Readable pictures with folds, aligned with `pixels`, and what was found."""

    dataset: Dataset
    pixels: PixelSet
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def at(self, fold: Fold) -> NDArray[np.int64]:
        """Positions of a fold's samples."""
        return np.array([i for i, s in enumerate(self.dataset.samples) if s.fold == fold], np.int64)

    def labels(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        found = self.dataset.labels
        return np.array([found[i] for i in at], np.int64)

    def names(self, at: NDArray[np.int64]) -> list[str]:
        return [self.dataset.samples[i].name for i in at]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """fold -> class name -> pictures."""
        seen = Counter((s.fold, s.label) for s in self.dataset.samples)
        return {
            fold: {name: seen[(fold, i)] for i, name in enumerate(self.dataset.classes)}
            for fold in FOLDS
            if any(seen[(fold, i)] for i in range(len(self.dataset.classes)))
        }


def open_trainable(what: str, exclude: str | None) -> Dataset:
    """What was typed, quarantine file -> a labelled Dataset without the pictures the file excludes."""
    dataset = open_dataset(what)
    if exclude is not None:
        if not Path(exclude).is_file():
            raise BadInput(f"There is no quarantine list {exclude}; `cutaway check {what}` writes one.")
        left_out = read_quarantine(exclude)
        dataset = dataset.where(lambda s: s.name not in left_out)
    must_be_trainable(dataset)
    return dataset


def survey(
    dataset: Dataset, contract: InputContract, *, seed: int, val: float, test: float
) -> Generator[Event, None, Survey]:
    """Dataset and the network's contract -> pictures fitted to it, findings, honest folds.

    Copies of a picture never sit on both sides: groups share a fold, and where the user's own folds share a picture,
    the training side's copy is left out.
    """
    pixels = yield from fill(dataset, contract)
    must_be_trainable(dataset, pixels.failures)
    notes: list[str] = []
    known = Known((), ())
    if len(dataset) <= CHECKED:
        known = yield from look_over(dataset, pixels, seed)
    else:
        notes.append(f"Copies were not looked for: {len(dataset):,} pictures are more than {CHECKED:,}.")
    kept = _kept(dataset, pixels, known.findings, notes)
    group = _groups_of(kept, known.copies)
    dataset, pixels = dataset.take(kept), pixels.take(kept)
    dataset = split(dataset, seed=seed, val=val, test=test, groups=group, keys=pixels.sha256s)
    notes += split_notes(dataset)
    for text in notes:
        yield Note(text)
    return Survey(dataset, pixels, known.findings, tuple(notes))


def _kept(dataset: Dataset, pixels: PixelSet, findings: tuple[Finding, ...], notes: list[str]) -> list[int]:
    """Positions of the pictures to go on with: readable, and no training copy of one in the user's val or test fold."""
    leaks = {q.name for q in quarantined(findings) if q.kind == "leak" and q.action == "exclude"}
    if failed := len(pixels.failures):
        notes.append(
            f"{failed} of {len(dataset):,} files could not be read and were left out; quarantine.csv names them."
        )
    if leaks:
        notes.append(
            f"{len(leaks)} training pictures are also in your val or test fold; they were left out of training."
        )
    return [i for i, s in enumerate(dataset.samples) if pixels.ok[i] and s.name not in leaks]


def _groups_of(kept: list[int], copies: tuple[Duplicate, ...]) -> list[int] | None:
    """Kept positions and pairs of copies -> a group number for each kept picture."""
    if not copies:
        return None
    now = {old: new for new, old in enumerate(kept)}
    pairs = [(now[c.first], now[c.second]) for c in copies if c.first in now and c.second in now]
    return [int(g) for g in groups(len(kept), pairs)]
