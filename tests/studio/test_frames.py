"""Frames: bytes that stand for values, with a bound on the error; heads that the page reads."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cutaway.studio.frames import LEVELS, NOT_FINITE, Planes, floats, packed, quantised, reduced


def decoded(planes: Planes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    lo, hi = (v.astype(np.float64)[:, None, None] for v in (planes.lo, planes.hi))
    values = lo + planes.data.astype(np.float64) / LEVELS * (hi - lo)
    return np.where(planes.data == NOT_FINITE, np.nan, values)


maps = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
    elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False),
)  # fmt: skip


@given(maps)
def test_a_value_is_off_by_half_a_level_at_most(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    planes = quantised(values)
    span = planes.hi.astype(np.float64) - planes.lo
    bound = span / (2 * LEVELS) + 1e-6 * np.maximum(np.abs(planes.lo), np.abs(planes.hi)).astype(np.float64)
    assert (np.abs(decoded(planes) - values) <= bound[:, None, None]).all()
    assert (planes.data <= LEVELS).all()
    assert (planes.lo == values.min((1, 2))).all()
    assert (planes.hi == values.max((1, 2))).all()


@given(hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(width=32)))
def test_what_is_no_number_is_255_and_the_rest_keeps_its_range(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    planes = quantised(values)
    finite = np.isfinite(values)
    assert ((planes.data == NOT_FINITE) == ~finite).all()
    assert np.isfinite(planes.lo).all()
    assert np.isfinite(planes.hi).all()
    for channel in range(2):
        there = values[channel][finite[channel]]
        assert planes.lo[channel] == (there.min() if there.size else 0)


def test_a_constant_channel_is_all_zero_at_its_value() -> None:
    planes = quantised(np.full((1, 2, 2), 3.5, np.float32))
    assert planes.data.tolist() == [[[0, 0], [0, 0]]]
    assert (planes.lo[0], planes.hi[0]) == (3.5, 3.5)
    none = quantised(np.full((1, 2, 2), np.nan, np.float32))
    assert (none.lo[0], none.hi[0]) == (0, 0)
    assert (none.data == NOT_FINITE).all()


def test_a_large_map_becomes_means_of_squares() -> None:
    values = np.arange(2 * 7 * 5, dtype=np.float32).reshape(2, 7, 5)
    small = reduced(values, 4)
    assert small.shape == (2, 3, 2)
    assert small[0, 0, 0] == values[0, :2, :2].mean()
    assert small[1, 2, 1] == values[1, 4:6, 2:4].mean()
    assert reduced(values, 7) is values
    assert reduced(np.zeros((3, 1, 100), np.float32), 10).shape == (
        3,
        1,
        100,
    )  # a row cannot be made narrower than high


def test_a_frame_is_its_length_its_head_and_its_bytes() -> None:
    data = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    frame = packed({"kind": "map", "name": "größe ✂"}, data)
    (length,) = struct.unpack("<I", frame[:4])
    assert (4 + length) % 4 == 0
    assert json.loads(frame[4 : 4 + length]) == {"kind": "map", "name": "größe ✂"}
    assert frame[4 + length :] == bytes(range(6))
    with pytest.raises(ValueError, match="not JSON compliant"):
        packed({"x": float("nan")})


def test_numbers_in_a_head_have_seven_digits_and_no_nan() -> None:
    assert floats(np.array([1 / 3, np.nan, np.inf, 0], np.float64)) == [0.3333333, None, None, 0.0]
