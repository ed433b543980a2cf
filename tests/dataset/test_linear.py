"""The linear classifier's sample of rows and its fit."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from cutaway.dataset.linear import fit_linear, stratified_rows

X, Y = load_digits(return_X_y=True)


def test_it_is_scikit_learns_regression_on_standardised_features() -> None:
    model = fit_linear(X, Y)

    scaler = StandardScaler().fit(X)
    expected = LogisticRegression(C=2 / 64, max_iter=300).fit(scaler.transform(X), Y)
    np.testing.assert_allclose(model.probabilities(X), expected.predict_proba(scaler.transform(X)), atol=1e-6)
    assert model.rows == 1797
    assert model.converged


def test_a_stopped_optimiser_says_so_without_a_warning() -> None:
    assert not fit_linear(X, Y, steps=2).converged


def test_rows_are_drawn_in_proportion_and_no_class_is_left_out() -> None:
    labels = np.array([0] * 900 + [1] * 99 + [2])

    rows = stratified_rows(labels, 100)

    assert np.bincount(labels[rows]).tolist() == [90, 10, 1]
    assert (np.diff(rows) > 0).all()
    assert (rows == stratified_rows(labels, 100)).all()
    assert len(stratified_rows(labels, 1000)) == 1000
