"""The input as the network sees it: crop framed, pixels exact, numbers written."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.draw.input_view import input_block, input_sheet
from cutaway.draw.scene import Box, Raster, Words
from cutaway.errors import BadInput

ORIGINAL = np.full((60, 100, 3), 200, np.uint8)
FITTED = np.arange(32 * 32 * 3, dtype=np.int64).reshape(32, 32, 3).astype(np.uint8)
NUMBERS = FITTED.transpose(2, 0, 1) / 127.5 - 1


def test_what_is_not_seen_is_faded_and_the_crop_is_framed() -> None:
    block = input_block(ORIGINAL, (0.2, 0.0, 0.8, 1.0), FITTED, NUMBERS, ("red", "green", "blue"))
    photo = next(m for m in block.marks if isinstance(m, Raster))
    assert photo.pixels[0, 50].tolist() == [200, 200, 200]
    assert min(photo.pixels[0, 0]) > 225
    frame = next(m for m in block.marks if isinstance(m, Box))
    assert (frame.x - photo.x) / photo.width == pytest.approx(0.2)
    assert frame.width / photo.width == pytest.approx(0.6)


def test_pixels_are_exact_and_the_patch_has_their_levels() -> None:
    block = input_block(ORIGINAL, (0, 0, 1, 1), FITTED, NUMBERS, ("r", "g", "b"), patch=(3, 4), size=(600, 1000))
    fitted = [m for m in block.marks if isinstance(m, Raster)][1]
    assert (fitted.pixels == FITTED).all()
    assert fitted.width * 2 % 32 == 0
    told = [m.text for m in block.marks if isinstance(m, Words)]
    assert {
        "photo, 1000 × 600 px",
        "all of it is seen",
        "resized to 32 × 32 px",
        "from row 3, column 4; red, green, blue",
    } <= set(told)
    levels = [t for t in told if t.isdigit()]
    assert levels[-6 * 6 * 3 :] == [str(v) for v in FITTED[3:9, 4:10].reshape(-1)]
    assert "r: −1 to 1" in told


def test_one_channel_and_a_page() -> None:
    block = input_block(ORIGINAL, (0, 0, 1, 1), FITTED[:4, :4], NUMBERS[:1, :4, :4], ("brightness",))
    scene = input_sheet("cat", ("the input",), block)
    assert scene.height > block.height
    assert "4 × 4 of its pixels" in [m.text for m in scene.marks if isinstance(m, Words)]


def test_numbers_of_another_size_are_refused() -> None:
    with pytest.raises(BadInput, match=r"channels must be \(C, 32, 32\)"):
        input_block(ORIGINAL, (0, 0, 1, 1), FITTED, NUMBERS[:, :8], ("r", "g", "b"))
