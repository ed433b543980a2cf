"""Whole batches made smaller: within two levels of Pillow's antialiased bilinear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cutaway.engine.shrink import shrink


def photos(n: int, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [[np.sin(x / (3 + i) + c) * np.cos(y / (4 + c)) for c in range(3)] for i in range(n)]
    return np.rint(127.5 + 127.5 * np.moveaxis(np.array(waves), 1, -1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(64, 96, (21, 32)), (96, 64, (32, 21)), (100, 100, (32, 32)), (33, 40, (26, 32))]
)
def test_it_is_pillows_bilinear_within_two_levels(height: int, width: int, size: tuple[int, int]) -> None:
    pixels = photos(2, height, width)
    got = shrink(pixels, 32)
    assert got.shape == (2, *size, 3)
    assert got.dtype == np.uint8
    for ours, original in zip(got, pixels):
        theirs = np.asarray(Image.fromarray(original).resize(size[::-1], Image.Resampling.BILINEAR))
        assert np.abs(ours.astype(int) - theirs).max() <= 2


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), side=st.integers(1, 60))
def test_no_side_is_longer_than_asked_nor_gone(height: int, width: int, side: int) -> None:
    got = shrink(np.full((1, height, width, 3), 200, np.uint8), side)
    assert min(got.shape[1:3]) >= 1
    assert max(got.shape[1:3]) == min(side, max(height, width))
    assert (got == 200).all()


def test_a_small_picture_is_handed_back() -> None:
    pixels = photos(1, 10, 8)
    assert shrink(pixels, 10) is pixels


def test_a_view_of_a_map_is_taken() -> None:
    pixels = photos(4, 40, 40)[::2, :, ::-1]
    assert np.array_equal(shrink(pixels, 20), shrink(np.ascontiguousarray(pixels), 20))
