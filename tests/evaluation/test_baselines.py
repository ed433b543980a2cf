"""Baselines by hand, and on digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cutaway.errors import BadInput
from cutaway.evaluation.baselines import classical, majority
from cutaway.reports.metrics import wilson

X, Y = load_digits(return_X_y=True)


def test_majority_answers_the_largest_training_class() -> None:
    found = majority(np.array([2, 1, 1]), np.array([1, 1, 1, 2]))

    assert (found.accuracy, found.n) == (0.75, 4)
    assert (found.low, found.high) == wilson(3, 4)
    assert "67%" in found.note


def test_classical_learns_digits() -> None:
    found = classical(X[:1000], Y[:1000], X[1000:], Y[1000:])

    assert found.accuracy > 0.88  # scikit-learn's own example reaches about 0.9 with a plain linear model
    assert found.low < found.accuracy < found.high
    assert found.note == "64 features, 1,000 training pictures"


def test_more_than_6000_rows_are_drawn_and_told() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 7000)
    rows = rng.normal(size=(7000, 3)) + labels[:, None]

    assert classical(rows, labels, rows[:10], labels[:10]).note.endswith("6,000 training pictures, drawn from 7,000")


def test_one_training_class_answers_itself() -> None:
    found = classical(X[:3], np.zeros(3, int), X[:4], np.array([0, 0, 1, 1]))

    assert found.accuracy == 0.5
    assert "nothing to learn" in found.note


@pytest.mark.parametrize(("train", "test"), [(0, 3), (3, 0)])
def test_empty_folds_are_refused(train: int, test: int) -> None:
    with pytest.raises(BadInput, match=f"needs training and test pictures. Got {train} and {test}"):
        majority(Y[:train], Y[:test])
    with pytest.raises(BadInput, match="needs training and test pictures"):
        classical(X[:train], Y[:train], X[:test], Y[:test])


def test_lengths_must_agree() -> None:
    with pytest.raises(BadInput, match=r"test fold must have one label per row of features\. Got 4 and 3"):
        classical(X[:5], Y[:5], X[:3], Y[:4])
