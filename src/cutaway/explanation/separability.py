"""Vectors of one layer and labels -> how well the classes lie apart there, by neighbours and by a linear classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.linear import fit_linear
from cutaway.errors import BadInput
from cutaway.explanation.neighbours import Floats, smallest, voted
from cutaway.reports.metrics import wilson

K = 5
FOLDS = 5
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Separation:
    """Of `n` pictures, how many each way names rightly while their fold is held out: `knn` by the k nearest (cosine),
    `probe` by logistic regression on standardised vectors. `converged`: every fit of the probe ended by itself."""

    n: int
    width: int
    knn: int
    probe: int
    converged: bool

    def interval(self, right: int) -> tuple[float, float]:
        """Count of right answers -> 95 % interval of the share (Wilson); folds share pictures: it is a little bold."""
        return wilson(right, self.n)

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"numbers": self.width}
        for name, right in (("knn", self.knn), ("probe", self.probe)):
            low, high = self.interval(right)
            found[name] = {"accuracy": round(right / self.n, 6), "low": round(low, 6), "high": round(high, 6)}
        return {**found, "converged": self.converged}


def folds_of(labels: Ints, same: Sequence[object], seed: int = 0, folds: int = FOLDS) -> Ints:
    """Labels (N,), what tells copies of one picture (equal for both) -> each picture's fold, classes spread evenly.

    Copies share a fold, so that none is named by its twin. Raises BadInput where a class has fewer pictures than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.unique(np.array([str(s) for s in same]), return_inverse=True)[1]
    kinds = np.unique(labels)
    least = min(len(np.unique(groups[labels == label])) for label in kinds)
    if len(kinds) < 2:
        raise BadInput("All pictures have one class; classes lie apart only where there are two or more.")
    if least < folds:
        raise BadInput(
            f"A class has only {least} different picture{'s' * (least != 1)}; {folds} folds need at least {folds} of "
            "each class: add pictures, or leave that class out."
        )
    found = np.empty(len(labels), np.int64)
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(cut.split(np.zeros((len(labels), 1)), labels, groups)):
        found[held] = number
    return found


def separation(vectors: Floats, labels: Ints, folds: Ints, seed: int = 0, k: int = K) -> Separation:
    """Vectors (N, D), labels and folds (N,) -> Separation: every picture is answered by the pictures of other folds."""
    kinds, numbers = np.unique(labels, return_inverse=True)
    directions = _directions(vectors)
    near = probe = 0
    converged = True
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        found = smallest(-(directions[held] @ directions[rest].T), min(k, len(rest)))
        near += int((voted(numbers[rest][found], len(kinds)) == numbers[held]).sum())
        fitted = fit_linear(vectors[rest], numbers[rest], seed)
        probe += int((fitted.predict(vectors[held]) == numbers[held]).sum())
        converged &= fitted.converged
    return Separation(len(labels), vectors.shape[1], near, probe, converged)


def spread(names: Sequence[str], most: int) -> tuple[str, ...]:
    """Names in running order -> at most `most` of them at equal distances, both ends kept."""
    if len(names) <= most:
        return tuple(names)
    return tuple(names[round(i * (len(names) - 1) / (most - 1))] for i in range(most))


def _directions(vectors: Floats) -> NDArray[np.float64]:
    """Vectors -> the same with length 1; a vector of zeros stays."""
    points = np.asarray(vectors, np.float64)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(length > 0, length, 1.0)
