"""Two cheap rivals measured on the same pictures as the network: always the largest class, and classical features."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.linear import fit_linear
from cutaway.errors import BadInput
from cutaway.reports import Baseline
from cutaway.reports.metrics import wilson

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


def majority(train_labels: Ints, test_labels: Ints) -> Baseline:
    """Labels (N,) and (M,) -> the Baseline that always answers the training fold's largest class (first if tied).

    Raises BadInput where either fold is empty.
    """
    _check(train_labels, test_labels)
    started = time.perf_counter()
    values, counts = np.unique(train_labels, return_counts=True)
    right = int((test_labels == values[counts.argmax()]).sum())
    note = f"the largest class holds {counts.max() / counts.sum():.0%} of the training pictures"
    return _baseline("majority class", right, len(test_labels), started, note)


def classical(
    train_features: Floats, train_labels: Ints, test_features: Floats, test_labels: Ints, seed: int = 0
) -> Baseline:
    """Features (N, D), labels (N,), features (M, D), labels (M,) -> the Baseline of a logistic regression on them.

    Fitted on at most 6,000 training pictures (a stratified draw, told in `note`). Raises BadInput where a fold is empty
    or a length differs; with one training class the answer is that class.
    """
    _check(train_labels, test_labels)
    for fold, rows, labels in (("training", train_features, train_labels), ("test", test_features, test_labels)):
        if len(rows) != len(labels):
            raise BadInput(
                f"The {fold} fold must have one label per row of features. Got {len(labels)} and {len(rows)}."
            )
    started = time.perf_counter()
    name = "colour histogram + HOG, logistic regression"
    if len(np.unique(train_labels)) < 2:
        right = int((test_labels == train_labels[0]).sum())
        return _baseline(name, right, len(test_labels), started, "one class only: nothing to learn")
    model = fit_linear(train_features, train_labels, seed)
    right = int((model.predict(test_features) == test_labels).sum())
    drawn = "" if model.rows == len(train_labels) else f", drawn from {len(train_labels):,}"
    ended = "" if model.converged else "; the optimiser was stopped before it converged"
    note = f"{train_features.shape[1]:,} features, {model.rows:,} training pictures{drawn}{ended}"
    return _baseline(name, right, len(test_labels), started, note)


def _check(train_labels: Ints, test_labels: Ints) -> None:
    if not len(train_labels) or not len(test_labels):
        raise BadInput(
            f"A baseline needs training and test pictures. Got {len(train_labels)} and {len(test_labels)}: "
            "give the empty fold some pictures."
        )


def _baseline(name: str, right: int, count: int, started: float, note: str) -> Baseline:
    low, high = wilson(right, count)
    return Baseline(name, right / count, low, high, count, time.perf_counter() - started, note)
