"""Trivial statistics by hand, and how well they tell classes apart."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.dataset.shortcuts import STATISTICS, measuring_statistics, shortcuts
from cutaway.dataset.steps import result_of

RNG = np.random.default_rng(0)


def test_statistics_of_a_half_red_picture() -> None:
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    picture[:, :2, :, 0] = 200

    row = dict(zip(STATISTICS, result_of(measuring_statistics(picture, np.array([[100, 150]])))[0], strict=True))

    assert row["file width"] == 150
    assert row["shape (width / height)"] == 1.5
    assert row["brightness"] == pytest.approx(0.299 * 100, abs=1e-3)
    assert row["contrast"] == pytest.approx(0.299 * 100, abs=1e-3)
    assert row["redness"] == pytest.approx(100 - 29.9, abs=1e-3)
    assert row["blueness"] == pytest.approx(-29.9, abs=1e-3)
    assert row["colourfulness"] == pytest.approx(100, abs=1e-3)
    assert row["sharpness"] == pytest.approx(59.8 / 3, abs=1e-3)  # one of three vertical steps is 59.8 high


@pytest.mark.parametrize("classes", [2, 10])
def test_a_statistic_that_gives_the_class_away_is_strong(classes: int) -> None:
    labels = np.arange(400) % classes
    table = RNG.normal(size=(400, len(STATISTICS)))
    table[:, 3] = labels

    found = shortcuts(table, labels)

    assert found[0].statistic == "brightness"
    assert found[0].strength > 0.95
    assert found[0].chance == 1 / classes
    assert found[0].means == tuple(range(classes))


def test_chance_is_weak_even_when_one_class_is_large() -> None:
    labels = (np.arange(1000) % 10 == 0).astype(int)

    assert max(s.low for s in shortcuts(RNG.normal(size=(1000, len(STATISTICS))), labels)) < 0.1


def test_constant_statistics_and_tiny_classes_are_left_out() -> None:
    assert shortcuts(np.ones((100, len(STATISTICS))), np.arange(100) % 2) == ()
    assert shortcuts(RNG.normal(size=(8, len(STATISTICS))), np.arange(8) % 2) == ()
    assert shortcuts(RNG.normal(size=(80, len(STATISTICS))), np.zeros(80, int)) == ()
