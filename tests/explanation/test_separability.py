"""Classes that lie apart by construction, and figures against scikit-learn's own cross-validation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from cutaway.errors import BadInput
from cutaway.explanation.separability import folds_of, separation, spread

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), 40)
APART = np.eye(3, 8)[LABELS] * 6 + RNG.normal(size=(120, 8)).astype(np.float32)


def test_classes_that_lie_apart_are_all_named_and_noise_is_not() -> None:
    folds = folds_of(LABELS, range(120))
    found = separation(APART, LABELS, folds)
    assert (found.n, found.width, found.converged) == (120, 8, True)
    assert found.knn >= 118
    assert found.probe >= 118
    noise = separation(RNG.normal(size=(120, 8)), LABELS, folds)
    low, high = noise.interval(noise.probe)
    assert low < 1 / 3 + 0.12
    assert high > 1 / 3 - 0.12


def test_neighbours_are_those_of_scikit_learn() -> None:
    folds = folds_of(LABELS, range(120))
    points = APART + 3 * RNG.normal(size=APART.shape)
    found, right = separation(points, LABELS, folds, k=1), 0
    for fold in range(5):
        knn = KNeighborsClassifier(1, metric="cosine").fit(points[folds != fold], LABELS[folds != fold])
        right += int((knn.predict(points[folds == fold]) == LABELS[folds == fold]).sum())
    assert found.knn == right


def test_copies_share_a_fold_and_the_seed_decides() -> None:
    same = [f"picture {i // 2}" for i in range(120)]
    folds = folds_of(LABELS, same, seed=4)
    assert (folds[::2] == folds[1::2]).all()
    assert np.array_equal(folds, folds_of(LABELS, same, seed=4))
    assert not np.array_equal(folds, folds_of(LABELS, same, seed=5))
    assert {int(n) for n in np.bincount(folds)} == {24}


def test_a_layer_of_zeros_names_only_by_chance() -> None:
    found = separation(np.zeros((120, 4)), LABELS, folds_of(LABELS, range(120)))
    assert found.probe <= 40
    assert found.to_dict()["knn"]["low"] >= 0


def test_too_few_pictures_or_classes_are_told() -> None:
    with pytest.raises(BadInput, match=r"A class has only 1 different picture; 5 folds need at least 5 of each class"):
        folds_of(np.array([0] * 8 + [1] * 4), [*range(8), 9, 9, 9, 9])
    with pytest.raises(BadInput, match=r"All pictures have one class"):
        folds_of(np.zeros(8, np.int64), range(8))


def test_layers_are_spread_evenly_with_both_ends() -> None:
    assert spread("abcdefghi", 3) == ("a", "e", "i")
    assert spread("ab", 3) == ("a", "b")
