"""Checks of classes: too few pictures, imbalance, trivial shortcuts, likely wrong labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.label_errors import TRUSTED, LabelErrors
from cutaway.dataset.samples import Dataset
from cutaway.dataset.shortcuts import Shortcut
from cutaway.dataset.words import count, some
from cutaway.reports import Finding

IMBALANCED = 3.0
SCARCE = 10
SMALL = 50
STRONG, NOTICEABLE = 0.4, 0.2
SHOWN = 5

Ints = NDArray[np.integer[Any]]


def labels_from(dataset: Dataset) -> list[Finding]:
    """A table whose labels were read from a column of another name than "label": which one, said aloud."""
    if dataset.label_column.lower() in ("", "label"):
        return []
    text = (
        f"Labels are read from column {dataset.label_column!r} of {dataset.root} "
        f"({some(map(repr, dataset.classes), 4)}). If they stand in another column, name that one 'label'."
    )
    return [Finding("labels-from", "info", text)]


def imbalance(dataset: Dataset, counts: Ints) -> list[Finding]:
    """Readable pictures per class (K,) -> a finding where the largest class has 3 times the smallest or more."""
    there = np.nonzero(counts)[0]
    if len(there) < 2:
        return []
    large, small = int(there[counts[there].argmax()]), int(there[counts[there].argmin()])
    ratio = counts[large] / counts[small]
    if ratio < IMBALANCED:
        return []
    share = counts[large] / counts.sum()
    most, least = dataset.classes[large], dataset.classes[small]
    text = (
        f"Class {most!r} has {counts[large]:,} pictures and {least!r} {counts[small]:,}, {ratio:.1f} times as many: "
        f"always answering {most!r} is right {share:.0%} of the time. Add pictures to the small classes, or weigh "
        f"classes equally in training, and read recall per class, not accuracy."
    )
    numbers = {
        "ratio": float(ratio),
        "largest": float(counts[large]),
        "smallest": float(counts[small]),
        "majority": float(share),
    }
    return [Finding("imbalance", "warn", text, numbers=numbers)]


def few(dataset: Dataset, counts: Ints) -> list[Finding]:
    """Readable pictures per class (K,) -> findings for classes with 1 (stop), under 10 (warn), under 50 (info)."""
    alone = [k for k in range(len(counts)) if counts[k] == 1]
    scarce = [k for k in range(len(counts)) if 1 < counts[k] < SCARCE]
    small = [k for k in range(len(counts)) if SCARCE <= counts[k] < SMALL]
    found = []
    if alone:
        text = (
            f"One picture only of {_classes(dataset, counts, alone)}: one to learn from and one to check are the least."
        )
        found.append(Finding("few", "stop", text, numbers=_numbers(dataset, counts, alone)))
    if scarce:
        text = (
            f"Fewer than {SCARCE} pictures of {_classes(dataset, counts, scarce)}: no score on them means anything. "
            f"Take {SMALL} or more of each, or leave the class out."
        )
        found.append(Finding("few", "warn", text, numbers=_numbers(dataset, counts, scarce)))
    if small:
        text = (
            f"Fewer than {SMALL} pictures of {_classes(dataset, counts, small)}: start from a trained backbone, not "
            f"from scratch, and expect wide intervals."
        )
        found.append(Finding("few", "info", text, numbers=_numbers(dataset, counts, small)))
    return found


def shortcut(dataset: Dataset, labels: Ints, found: tuple[Shortcut, ...]) -> list[Finding]:
    """Shortcuts, strongest first -> one finding where the first one's lower bound goes 20 % of the way from chance to
    perfect (info) or 40 % (warn); the others that do are named with it."""
    telling = [s for s in found if s.low >= NOTICEABLE]
    if not telling:
        return []
    names = [dataset.classes[int(k)] for k in np.unique(labels)]
    first, others = telling[0], telling[1:]
    strong = first.low >= STRONG
    means = some([f"{name} {mean:.3g}" for name, mean in zip(names, first.means, strict=True)], SHOWN)
    also = f" Others that do: {some([f'{s.statistic} ({s.accuracy:.0%})' for s in others], SHOWN)}." if others else ""
    remedy = (
        "mix pictures of each kind into every class before trusting a score."
        if strong
        else "look whether it is the subject or the way it was photographed."
    )
    text = (
        f"The {first.statistic} alone tells the classes apart {first.accuracy:.0%} of the time (chance: "
        f"{first.chance:.0%}; means: {means}).{also} A network will learn that first; {remedy}"
    )
    numbers = {"chance": first.chance, **{s.statistic: s.accuracy for s in telling}}
    return [Finding("shortcut", "warn" if strong else "info", text, numbers=numbers)]


def label_findings(dataset: Dataset, errors: LabelErrors) -> list[Finding]:
    """Likely wrong labels as one finding: `names` most doubtful first, `pairs` (name, suggested class)."""
    if not errors.judged:
        return []
    numbers = {"judged": float(errors.judged), "accuracy": errors.accuracy, "majority": errors.majority}
    if not errors.trusted:
        bar = errors.majority + TRUSTED * (1 - errors.majority)
        text = (
            f"Labels were not checked: on the features at hand a plain classifier repeats {errors.accuracy:.0%} of "
            f"them, and below {bar:.0%} its doubts would be noise. Embeddings of a trained backbone are stronger "
            f"features."
        )
        return [Finding("unchecked-labels", "info", text, numbers=numbers)]
    if not errors.doubts:
        return []
    names = tuple(dataset.samples[d.index].name for d in errors.doubts)
    classes = dataset.classes
    told = [
        f"{name} (labelled {classes[d.given]!r}, looks like {classes[d.suggested]!r})"
        for name, d in zip(names, errors.doubts, strict=True)
    ]
    text = (
        f"{count(len(names), 'label')} of {errors.judged:,} that may be wrong, most doubtful first: "
        f"{some(told, SHOWN)}. Look at them and correct those that are; nothing is left out for this."
    )
    pairs = tuple((name, classes[d.suggested]) for name, d in zip(names, errors.doubts, strict=True))
    return [Finding("label-error", "warn", text, names, pairs, {**numbers, "doubts": float(len(names))})]


def _classes(dataset: Dataset, counts: Ints, which: list[int]) -> str:
    return some([f"{dataset.classes[k]!r} ({counts[k]})" for k in which], SHOWN)


def _numbers(dataset: Dataset, counts: Ints, which: list[int]) -> dict[str, float]:
    return {dataset.classes[k]: float(counts[k]) for k in which}
