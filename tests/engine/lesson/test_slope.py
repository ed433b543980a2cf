"""Activations and their slopes by their formulas, a chain of them by the product of its steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cutaway.engine.lesson.slope import Name, applied, chain, slopes
from cutaway.errors import BadInput

XS = np.array([-3.0, -0.5, 0.25, 2.0])


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("relu", lambda x: max(0, x), lambda x: float(x > 0)),
        ("leaky_relu", lambda x: x if x > 0 else x / 10, lambda x: 1 if x > 0 else 0.1),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x)), lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2),
        ("tanh", math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    ],
)
def test_each_by_its_formula(name: Name, value, slope) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(applied(name, XS), [value(x) for x in XS], atol=1e-12)
    np.testing.assert_allclose(slopes(name, XS), [slope(x) for x in XS], atol=1e-12)


def test_a_sigmoid_never_passes_more_than_a_quarter_on() -> None:
    found = chain("sigmoid", 0.0, 1.0, 8)
    assert found.steps[0] == 0.25
    assert found.left[-1] < 0.25**8 * 1.0001
    np.testing.assert_allclose(found.left, np.cumprod(found.steps), rtol=1e-12)


def test_relu_passes_all_of_it_on() -> None:
    assert chain("relu", 2.0, 1.0, 5).left == (1,) * 5
    assert chain("relu", -2.0, 1.0, 3).left == (0,) * 3
    assert chain("relu", 1.0, 2.0, 3).left == (2, 4, 8)


def test_a_chain_without_layers() -> None:
    with pytest.raises(BadInput, match="depth must be from 1 to 30"):
        chain("relu", 1, 1, 0)
