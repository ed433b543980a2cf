"""Checks of copies: the same picture twice, under two labels, on both sides of a split."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator

from cutaway.dataset.duplicates import Duplicate
from cutaway.dataset.samples import Dataset, Sample
from cutaway.dataset.words import count, some
from cutaway.reports import Finding

SEALED = {"test": 3, "val": 2, "train": 1, None: 0}
SHOWN = 3


def copies(dataset: Dataset, found: tuple[Duplicate, ...]) -> list[Finding]:
    """Copies -> findings of kinds duplicate-across-labels, leak, exact-duplicate and near-duplicate.

    A pair under two labels or in two folds is told there and not again as a plain duplicate. `names` are what is better
    left out: both copies across labels, the less sealed one (train before val before test) across folds, every copy
    but the first of identical files; of near-duplicates the later one.
    """
    samples = dataset.samples
    extra = _extra_copies(samples, found)
    pairs = [p for p in _between_kinds(samples, found) if p.first not in extra and p.second not in extra]
    across_labels = [p for p in pairs if _labels_differ(samples[p.first], samples[p.second])]
    across_folds = [p for p in pairs if samples[p.first].fold != samples[p.second].fold]
    told = {(p.first, p.second) for p in (*across_labels, *across_folds)}
    near = [p for p in pairs if p.kind == "near" and (p.first, p.second) not in told]
    checks = (
        _across_labels(dataset, across_labels),
        _leak(samples, across_folds),
        _exact(samples, extra),
        _near(samples, near),
    )
    return list(itertools.chain.from_iterable(checks))


def _labels_differ(one: Sample, other: Sample) -> bool:
    return one.label is not None and other.label is not None and one.label != other.label


def _extra_copies(samples: tuple[Sample, ...], found: tuple[Duplicate, ...]) -> dict[int, int]:
    """Index of an identical file with the label and fold of an earlier one -> that earlier one."""
    extra: dict[int, int] = {}
    for members in _identical(found).values():
        first_of: dict[tuple[int | None, str | None], int] = {}
        for index in members:
            first = first_of.setdefault((samples[index].label, samples[index].fold), index)
            if first != index:
                extra[index] = first
    return extra


def _identical(found: tuple[Duplicate, ...]) -> dict[int, list[int]]:
    """First of identical files -> all of them, in order."""
    members: dict[int, list[int]] = {}
    for pair in found:
        if pair.kind == "exact":
            members.setdefault(pair.first, [pair.first]).append(pair.second)
    return members


def _between_kinds(samples: tuple[Sample, ...], found: tuple[Duplicate, ...]) -> Iterator[Duplicate]:
    """Every pair of copies between files that differ in label or fold, identical files standing in for their first."""
    identical = _identical(found)
    stands_for = {}
    for first, members in identical.items():
        kinds = {(samples[i].label, samples[i].fold): i for i in reversed(members)}
        stands_for[first] = sorted(kinds.values())
        for one, other in itertools.combinations(stands_for[first], 2):
            yield Duplicate(one, other, "exact", "identical file", 1.0)
    for pair in found:
        if pair.kind == "near":
            for one in stands_for.get(pair.first, [pair.first]):
                for other in stands_for.get(pair.second, [pair.second]):
                    yield Duplicate(min(one, other), max(one, other), "near", pair.how, pair.likeness)


def _across_labels(dataset: Dataset, pairs: list[Duplicate]) -> list[Finding]:
    if not pairs:
        return []
    samples = dataset.samples
    names = _names(samples, (i for p in pairs for i in (p.first, p.second)))

    def shown(pair: Duplicate) -> str:
        one, other = samples[pair.first], samples[pair.second]
        return f"{one.name} and {other.name} ({pair.how})"

    text = (
        f"{count(len(pairs), 'picture')} under two labels: {_shown(pairs, shown)}. One of the labels is wrong, or the "
        f"classes overlap: keep the copy with the right label. Until then both copies are left out."
    )
    numbers = {"pairs": float(len(pairs)), "pictures": float(len(names))}
    return [Finding("duplicate-across-labels", "stop", text, names, _pairs(samples, pairs), numbers)]


def _leak(samples: tuple[Sample, ...], pairs: list[Duplicate]) -> list[Finding]:
    """One finding per pair of folds."""
    by_folds: dict[tuple[str, str], list[tuple[int, int, Duplicate]]] = defaultdict(list)
    for pair in pairs:
        open_, sealed = sorted((pair.first, pair.second), key=lambda i: SEALED[samples[i].fold])
        folds = samples[open_].fold or "no fold", samples[sealed].fold or "no fold"
        by_folds[folds].append((open_, sealed, pair))
    found = []
    for (open_fold, sealed_fold), rows in sorted(by_folds.items()):
        names = _names(samples, (o for o, _, _ in rows))
        ordered = tuple((samples[o].name, samples[s].name) for o, s, _ in rows)
        shown = some([f"{samples[o].name} = {samples[s].name} ({p.how})" for o, s, p in rows], SHOWN)
        text = (
            f"{count(len(names), 'picture')} of {open_fold} also in {sealed_fold}: {shown}. A score on pictures that "
            f"were seen before says nothing about new ones: the copies in {open_fold} are left out."
        )
        found.append(
            Finding("leak", "stop", text, names, ordered, {"pairs": float(len(rows)), "pictures": float(len(names))})
        )
    return found


def _exact(samples: tuple[Sample, ...], extra: dict[int, int]) -> list[Finding]:
    if not extra:
        return []
    rows = sorted(extra.items())
    names = _names(samples, extra)
    shown = some([f"{samples[i].name} = {samples[first].name}" for i, first in rows], SHOWN)
    text = (
        f"{count(len(names), 'file')} identical to another one: {shown}. A copy counts twice in training and in every "
        f"score: one of each is kept."
    )
    pairs = tuple((samples[first].name, samples[i].name) for i, first in rows)
    return [Finding("exact-duplicate", "warn", text, names, pairs, {"pictures": float(len(names))})]


def _near(samples: tuple[Sample, ...], pairs: list[Duplicate]) -> list[Finding]:
    if not pairs:
        return []
    names = _names(samples, (p.second for p in pairs))

    def shown(pair: Duplicate) -> str:
        return f"{samples[pair.first].name} = {samples[pair.second].name} ({pair.how})"

    text = (
        f"{count(len(names), 'picture')} nearly the same as another one: {_shown(pairs, shown)}. All are kept, copies "
        f"always on one side of a split; delete one of each if they add nothing."
    )
    numbers = {"pairs": float(len(pairs)), "pictures": float(len(names))}
    return [Finding("near-duplicate", "warn", text, names, _pairs(samples, pairs), numbers)]


def _shown(pairs: list[Duplicate], shown: Callable[[Duplicate], str]) -> str:
    return some([shown(pair) for pair in pairs], SHOWN)


def _names(samples: tuple[Sample, ...], indices: Iterator[int] | dict[int, int]) -> tuple[str, ...]:
    return tuple(samples[i].name for i in sorted(set(indices)))


def _pairs(samples: tuple[Sample, ...], pairs: list[Duplicate]) -> tuple[tuple[str, str], ...]:
    return tuple((samples[p.first].name, samples[p.second].name) for p in pairs)
