"""Train, val and test: stratified by label, near-duplicates together, seeded, and true to the user's own folds."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cutaway.dataset.samples import Dataset, Fold
from cutaway.dataset.words import count, some
from cutaway.errors import BadInput, must_be


def split(
    dataset: Dataset,
    *,
    seed: int,
    val: float = 0.15,
    test: float = 0.15,
    groups: Sequence[int] | None = None,
    keys: Sequence[str | None] | None = None,
) -> Dataset:
    """Labelled Dataset -> the same with every fold filled.

    `val` and `test` are shares of each class in [0, 1), together below 1. `groups`: one number per sample; samples of a
    group (near-duplicates, a burst, one person) stay on one side. `keys`: one text per sample, the sha256 of its file,
    that decides where it goes, so that renaming moves nothing, and equal ones stay together; without them the names do.
    The order of samples never matters, and one added picture moves at most one other of its class across each border
    (more only where it changes groups).

    Folds that the user gave stay: a given test is never used for selection, val is then cut from train; a given val
    without a test leaves train to be cut; samples without a fold beside given ones count as train. A class keeps at
    least one train picture, and gives one to val and one to test as soon as it has three groups, to val alone with two
    (`split_notes` says which classes a fold lacks).
    Raises BadInput for shares out of range, unlabelled samples and given folds without train.
    """
    _must_be_shares(val, test)
    if any(s.label is None for s in dataset.samples):
        raise BadInput(f"{dataset.root} has pictures without a label; only labelled pictures can be split.")
    given = {s.fold for s in dataset.samples if s.fold}
    if given and "train" not in given and None not in {s.fold for s in dataset.samples}:
        raise BadInput(f"{dataset.root} has no train fold; put the pictures to learn from into train/.")
    wanted: dict[Fold, float] = {"test": 0.0 if "test" in given else test, "val": 0.0 if "val" in given else val}
    pool = [i for i, s in enumerate(dataset.samples) if s.fold in (None, "train")]
    units = _units(dataset, pool, seed, groups, keys)
    chosen = _assigned(units, wanted)
    _keep_a_train_picture(dataset, units, chosen)
    folds: list[Fold] = [s.fold or "train" for s in dataset.samples]
    for unit in units:
        for i in unit.members:
            folds[i] = chosen[unit.order]
    samples = tuple(dataclasses.replace(s, fold=f) for s, f in zip(dataset.samples, folds, strict=True))
    return dataclasses.replace(dataset, samples=samples)


def split_notes(dataset: Dataset) -> tuple[str, ...]:
    """Split Dataset -> one sentence for each of val and test that lacks some class."""
    there = {(s.fold, s.label) for s in dataset.samples}
    notes = []
    for fold, work in (("val", "choosing the best epoch"), ("test", "the final measurement")):
        lacking = [name for i, name in enumerate(dataset.classes) if (fold, i) not in there and ("train", i) in there]
        if lacking:
            notes.append(
                f"{count(len(lacking), 'class')} ({some(map(repr, lacking))}) had too few pictures to give one to "
                f"{fold}; {work} says nothing about {'it' if len(lacking) == 1 else 'them'}."
            )
    return tuple(notes)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Samples that go together; `order` is a seeded hash, so that sorting by it shuffles the same way everywhere."""

    order: str
    label: int
    members: tuple[int, ...]


def _units(
    dataset: Dataset,
    pool: Sequence[int],
    seed: int,
    groups: Sequence[int] | None,
    keys: Sequence[str | None] | None,
) -> list[_Unit]:
    """Indices that may be moved -> groups in shuffled order; a group counts for the class that most of it has."""
    together: dict[int | str, list[int]] = defaultdict(list)
    for i in pool:
        alone = (keys[i] if keys else None) or i
        together[alone if groups is None else groups[i]].append(i)
    units = []
    for members in together.values():
        texts = sorted((keys[i] if keys else None) or f"name:{dataset.samples[i].name}" for i in members)
        labels = Counter(dataset.samples[i].label or 0 for i in members)
        most = max(labels.values())
        order = hashlib.sha256(f"{seed}\n{texts[0]}".encode("utf-8", "surrogatepass")).hexdigest()
        names = ",".join(
            sorted(dataset.samples[i].name for i in members)
        )  # equal contents in two groups: still a fixed order
        units.append(_Unit(f"{order}{names}", min(c for c, n in labels.items() if n == most), tuple(members)))
    return sorted(units, key=lambda u: u.order)


def _assigned(units: Sequence[_Unit], wanted: dict[Fold, float]) -> dict[str, Fold]:
    """Groups -> {order: fold}, class by class: test takes from the front of the shuffled order, val from the back."""
    chosen: dict[str, Fold] = {u.order: "train" for u in units}
    by_class: dict[int, list[_Unit]] = defaultdict(list)
    for unit in units:
        by_class[unit.label].append(unit)
    for own in by_class.values():
        for fold, free in _room(own, wanted).items():
            for unit in own if fold == "test" else reversed(own):
                if chosen[unit.order] == "train" and len(unit.members) <= free:
                    chosen[unit.order] = fold
                    free -= len(unit.members)
        _fill_empty(own, wanted, chosen)
    return chosen


def _room(own: Sequence[_Unit], wanted: dict[Fold, float]) -> dict[Fold, int]:
    """Groups of one class -> how many pictures each fold takes of it; small classes give val one before test."""
    total = sum(len(u.members) for u in own)
    room: dict[Fold, int] = {}
    for fold, share in wanted.items():
        needs = 2 if fold == "val" or not wanted["val"] else 3
        enough = share > 0 and len(own) >= needs
        room[fold] = max(1, round(total * share)) if enough else 0
    return room


def _fill_empty(own: Sequence[_Unit], wanted: dict[Fold, float], chosen: dict[str, Fold]) -> None:
    """A fold that every group was too large for takes the smallest group of train, as long as train keeps one."""
    for fold, free in _room(own, wanted).items():
        if not free or any(chosen[u.order] == fold for u in own):
            continue
        train = [u for u in own if chosen[u.order] == "train"]
        if len(train) > 1:
            chosen[min(train, key=lambda u: (len(u.members), u.order)).order] = fold


def _keep_a_train_picture(dataset: Dataset, units: Iterable[_Unit], chosen: dict[str, Fold]) -> None:
    """A class that only sits in groups counted for other classes gets one of them back into train."""
    where: dict[int, list[_Unit]] = defaultdict(list)
    for unit in units:
        for label in {dataset.samples[i].label or 0 for i in unit.members}:
            where[label].append(unit)
    for label in sorted(where):
        if not any(chosen[u.order] == "train" for u in where[label]):
            chosen[min(where[label], key=lambda u: (len(u.members), u.order)).order] = "train"


def _must_be_shares(val: float, test: float) -> None:
    for name, share in (("val", val), ("test", test)):
        if not 0 <= share < 1:
            raise must_be(name, "a share of the pictures, at least 0 and below 1", share)
    if val + test >= 1:
        raise must_be("val + test", "below 1, so that pictures are left to learn from", round(val + test, 6))
