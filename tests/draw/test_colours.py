"""Colour scales: even steps to the eye, zero is white, ends are told apart without colour vision."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.draw.colours import NOT_FINITE, Range, diverging, painted, range_of, sequential, to_oklab


def test_oklab_gives_the_published_values() -> None:
    # Ottosson's own table for sRGB primaries, as CSS Color 4 prints them: red (0.62796, 0.22486, 0.12585).
    assert to_oklab(np.array([255, 0, 0])) == pytest.approx([0.62796, 0.22486, 0.12585], abs=2e-4)
    assert to_oklab(np.array([255, 255, 255])) == pytest.approx([1.0, 0.0, 0.0], abs=2e-4)


@pytest.mark.parametrize("table", [sequential(), diverging()[127:], diverging()[127::-1]])
def test_an_arm_falls_in_lightness_by_even_steps(table: np.ndarray) -> None:
    lab = to_oklab(table[:: max(1, len(table) // 32)])
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.std() / steps.mean() < 0.12  # what rounding to 8 bits and the half step at white leave
    assert (np.diff(lab[:, 0]) < 0).all()


def test_both_arms_begin_at_the_same_white_and_end_equally_dark() -> None:
    table = diverging()
    assert table[127].tolist() == sequential()[0].tolist()
    assert min(table[127]) >= 245
    light = to_oklab(table)[:, 0]
    assert np.abs(light[:127] - light[:127:-1]).max() < 0.05


def test_zero_is_white_whatever_the_range() -> None:
    white = sequential()[0].tolist()
    assert painted(np.zeros((2, 2)), Range(3.0, True))[0, 0].tolist() == white
    assert painted(np.zeros(2), Range(3.0, False))[0].tolist() == white
    assert painted(np.zeros(2), Range(0.0, False))[0].tolist() == white
    assert painted(np.zeros(2), Range(0.0, True))[0].tolist() == white


def test_a_value_has_one_colour_in_signed_and_unsigned_maps() -> None:
    values = np.linspace(0, 5, 9)
    a, b = painted(values, Range(5.0, False)).astype(int), painted(values, Range(5.0, True)).astype(int)
    assert np.abs(a - b).max() <= 6


def test_beyond_the_range_and_not_finite() -> None:
    drawn = painted(np.array([9.0, -9.0, np.nan, np.inf, -np.inf]), Range(1.0, True))
    table = diverging()
    assert drawn[[0, 3]].tolist() == [table[-1].tolist()] * 2
    assert drawn[[1, 4]].tolist() == [table[0].tolist()] * 2
    assert tuple(drawn[2]) == NOT_FINITE


def test_range() -> None:
    assert range_of(np.array([0.0, 2.0])) == Range(2.0, False)
    assert range_of(np.array([-3.0, 2.0, np.nan])) == Range(3.0, True)
    assert range_of(np.array([np.nan])) == Range(0.0, False)
    assert Range(3.0, True).low == -3.0
