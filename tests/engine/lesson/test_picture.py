"""A picture as numbers, against Pillow's own and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from cutaway.engine.lesson.picture import brightest, brightness, colours, row_of, shrunk
from cutaway.errors import BadInput
from cutaway.image import InputContract

PIXELS = np.random.default_rng(3).integers(0, 256, (6, 8, 3)).astype(np.uint8)


def test_brightness_is_pillows_gray_before_rounding() -> None:
    gray = np.asarray(Pillow.fromarray(PIXELS).convert("L"))
    assert np.abs(brightness(PIXELS) * 255 - gray).max() <= 1.0  # Pillow rounds, and its weights are sixteenths of bits


def test_three_maps() -> None:
    assert colours(PIXELS).shape == (3, 6, 8)
    assert colours(PIXELS)[1, 2, 3] == PIXELS[2, 3, 1] / 255


def test_a_row_in_pieces() -> None:
    light = brightness(PIXELS)[2]
    np.testing.assert_allclose(row_of(PIXELS, 2, 4), light.reshape(4, 2).mean(1).round(2))
    assert len(row_of(PIXELS, 0, 5)) == 5


@pytest.mark.parametrize(
    ("row", "cells", "said"), [(6, 4, "row must be from 0 to 5"), (0, 9, "cells must be from 1 to 8")]
)
def test_a_row_that_is_not_there(row: int, cells: int, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        row_of(PIXELS, row, cells)


def test_the_brightest_pixel() -> None:
    dark = np.zeros((4, 5, 3), np.uint8)
    dark[2, 3] = (200, 210, 220)
    assert brightest(dark) == (2, 3, round(0.299 * 200 + 0.587 * 210 + 0.114 * 220))


def test_small_and_large_again_by_pillow() -> None:
    contract = InputContract(size=(6, 8), interpolation="bilinear")
    small, again = shrunk(PIXELS, 4, contract)
    wanted = Pillow.fromarray(PIXELS).resize((4, 3), Pillow.Resampling.BILINEAR)
    np.testing.assert_array_equal(small, np.asarray(wanted))
    np.testing.assert_array_equal(again, np.asarray(wanted.resize((8, 6), Pillow.Resampling.BILINEAR)))


def test_no_smaller_than_one_pixel() -> None:
    with pytest.raises(BadInput, match="side must be from 1 to 8"):
        shrunk(PIXELS, 9, InputContract(size=(6, 8)))
