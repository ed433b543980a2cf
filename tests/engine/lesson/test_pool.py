"""Pooling by hand and against torch, and the cosine at its ends."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.engine.lesson.pool import alike, pooled
from cutaway.errors import BadInput

MAP = np.arange(20.0).reshape(4, 5)


def test_the_largest_and_the_mean_of_every_window() -> None:
    assert pooled(MAP, "max", 2, 2).tolist() == [[6, 8], [16, 18]]
    assert pooled(MAP, "average", 2, 2).tolist() == [[3, 5], [13, 15]]
    assert pooled(MAP, "max", 3, 1).tolist() == [[12, 13, 14], [17, 18, 19]]


def test_a_window_larger_than_the_map() -> None:
    with pytest.raises(BadInput, match="A window of 5 cells does not fit into 4 cells"):
        pooled(MAP, "max", 5, 1)


def test_how_alike_two_maps_are() -> None:
    assert alike(MAP, 3 * MAP) == pytest.approx(1)
    assert alike(np.array([[1.0, 0]]), np.array([[0.0, 1]])) == 0
    assert alike(np.array([[1.0, 0]]), np.array([[1.0, 1]])) == pytest.approx(2**-0.5)
    assert alike(np.zeros((2, 2)), np.zeros((2, 2))) == 1
    assert alike(np.zeros((2, 2)), np.ones((2, 2))) == 0
