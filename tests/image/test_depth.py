"""Levels of any depth -> 8 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cutaway.errors import BadInput
from cutaway.image.depth import array_to_8_bit, levels_to_8_bit

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=5)


@given(hnp.arrays(np.uint16, SHAPES))
def test_16_bits_are_divided_by_257_and_rounded(values: np.ndarray) -> None:
    np.testing.assert_array_equal(levels_to_8_bit(values), np.rint(values / 257))


@given(hnp.arrays(st.sampled_from(["?", "u1", "u2", "i2", "i4", "i8", "u8", "f2", "f4", "f8"]), SHAPES))
def test_any_numbers_whatever_give_levels_and_keep_their_order(values: np.ndarray) -> None:
    levels = levels_to_8_bit(values)
    assert (levels.dtype, levels.shape) == (np.uint8, values.shape)
    if np.isfinite(values).all():
        order = np.argsort(values, axis=None, kind="stable")
        assert (np.diff(levels.ravel()[order].astype(int)) >= 0).all()


@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(0, 1)))
def test_fractions_are_parts_of_white(values: np.ndarray) -> None:
    assert np.abs(array_to_8_bit(values) - values * 255).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([np.nan]), "pixels must be finite numbers. Got NaN or infinity"),
        (np.array([np.inf]), "pixels must be finite numbers"),
        (np.array([-1]), r"within \[0, 1\], \[0, 255\] or \[0, 65535\]. Got 'values from -1 to -1'"),
        (np.array([1e6]), "Got 'values from 1e"),
        (np.array(["a"]), r"pixels must be numbers \(bool, integer or float\)"),
        (np.array([1j]), r"pixels must be numbers \(bool, integer or float\)"),
    ],
)
def test_what_a_caller_must_not_leave_to_guessing(values: np.ndarray, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        array_to_8_bit(values)
