"""Labels that are probably wrong: confident learning on predictions for pictures the classifier was not fitted on.

Northcutt, Jiang & Chuang 2021, https://doi.org/10.1613/jair.1.12125, by cleanlab. Two of its filters
must agree ("both": pruning by class and by noise rate), which costs little recall and keeps clean data quiet.
Measured on scikit-learn's digits, 5 % of the labels changed: recall 0.79, precision 0.95; unchanged: 3 of 1,797.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.linear import fit_linear
from cutaway.dataset.steps import Steps, result_of
from cutaway.errors import BadInput
from cutaway.events import Progress

FOLDS = 5
TRUSTED = 0.6
"""Share of the way from always-the-largest-class to perfect that the classifier must go before it may doubt a label."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One doubtful label: `score` is the probability of the label that was given, `confidence` that of `suggested`."""

    index: int
    given: int
    suggested: int
    score: float
    confidence: float


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """Doubts, most doubtful first, out of `judged` labels.

    `accuracy` is the share of judged labels that the out-of-fold predictions repeat, `majority` the share of the
    largest class. Where `trusted` is False the features are too weak (or the data too small) and `doubts` is empty.
    """

    doubts: tuple[Doubt, ...]
    judged: int
    accuracy: float
    majority: float
    trusted: bool


def label_errors(
    features: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    groups: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> LabelErrors:
    """Features (N, D), labels (N,) (negative: none) -> likely wrong labels.

    `groups` (N,) keeps copies of a picture in one fold, so that a copy with the same wrong label cannot vouch for it.
    Classes with fewer than two pictures (or groups) are not judged. Raises BadInput where lengths differ.
    """
    return result_of(finding_label_errors(features, labels, groups, seed))


def finding_label_errors(
    features: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    groups: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Steps[LabelErrors]:
    """`label_errors` that yields Progress."""
    groups = np.arange(len(labels)) if groups is None else groups
    if not len(features) == len(labels) == len(groups):
        raise BadInput(
            f"Features, labels and groups must be equally long. Got {len(features)}, {len(labels)} and {len(groups)}."
        )
    rows, folds = _judgeable(labels, groups)
    if not folds:
        return LabelErrors((), 0, 0.0, 0.0, False)
    names, given = np.unique(labels[rows], return_inverse=True)
    probabilities = yield from _out_of_fold(features[rows], given, groups[rows], folds, seed)
    accuracy = float((probabilities.argmax(1) == given).mean())
    majority = float(np.bincount(given).max() / len(given))
    trusted = accuracy - majority >= TRUSTED * (1 - majority)
    doubts = _doubts(given, probabilities, rows, names) if trusted else ()
    return LabelErrors(doubts, len(rows), accuracy, majority, trusted)


def _judgeable(labels: NDArray[np.integer[Any]], groups: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], int]:
    """Labels and groups (N,) -> rows of classes with two groups or more, and into how many folds they go (0: none)."""
    sizes = {int(label): len(np.unique(groups[labels == label])) for label in np.unique(labels) if label >= 0}
    kept = [label for label, size in sizes.items() if size >= 2]
    if len(kept) < 2:
        return np.empty(0, np.int64), 0
    return np.nonzero(np.isin(labels, kept))[0], min(FOLDS, *(sizes[label] for label in kept))


def _out_of_fold(
    features: NDArray[np.floating[Any]],
    given: NDArray[np.integer[Any]],
    groups: NDArray[np.integer[Any]],
    folds: int,
    seed: int,
) -> Steps[NDArray[np.float64]]:
    """Features (N, D), labels 0..K-1 (N,) -> (N, K) probabilities, each row by a classifier that did not see it."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    alone = len(np.unique(groups)) == len(groups)
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    splitter = kind(n_splits=folds, shuffle=True, random_state=seed)
    probabilities = np.zeros((len(given), int(given.max()) + 1))
    for done, (seen, unseen) in enumerate(splitter.split(features, given, None if alone else groups), start=1):
        if not len(unseen) or len(np.unique(given[seen])) < 2:
            continue
        model = fit_linear(features[seen], given[seen], seed)
        columns = np.unique(given[seen])
        probabilities[np.ix_(unseen, columns)] = model.probabilities(features[unseen])
        yield Progress("label check", done, folds, "folds")
    return probabilities


def _doubts(
    given: NDArray[np.integer[Any]],
    probabilities: NDArray[np.float64],
    rows: NDArray[np.int64],
    names: NDArray[np.integer[Any]],
) -> tuple[Doubt, ...]:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    wrong = find_label_issues(given, probabilities, filter_by="both", n_jobs=1)
    score = get_label_quality_scores(given, probabilities, method="self_confidence")
    suggested = probabilities.argmax(1)
    order = sorted(np.nonzero(wrong & (suggested != given))[0], key=lambda k: (score[k], k))
    return tuple(
        Doubt(
            int(rows[k]), int(names[given[k]]), int(names[suggested[k]]), float(score[k]), float(probabilities[k].max())
        )
        for k in order
    )
