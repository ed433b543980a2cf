"""Contact sheets and thumbnails."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cutaway.draw.sheet import CAPTION, GAP, contact_sheet, thumbnail
from cutaway.errors import BadInput


def solid(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_a_grid_with_captions() -> None:
    png = contact_sheet([solid(20, 40, (255, 0, 0)), solid(300, 100, (0, 255, 0)), solid(5, 5, (0, 0, 255))],
                        ["a", "b " * 99, "c"], columns=2, cell_px=60)  # fmt: skip
    sheet = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert sheet.shape == (GAP + 2 * (60 + CAPTION + GAP), GAP + 2 * (60 + GAP), 3)
    assert tuple(sheet[GAP + 30, GAP + 30]) == (255, 0, 0)
    assert tuple(sheet[GAP + 30, GAP + 60 + GAP + 30]) == (0, 255, 0)
    blue = (sheet == (0, 0, 255)).all(2).sum()
    assert blue == 60 * 60  # 5 px enlarged by a whole factor


def test_columns_never_exceed_the_pictures() -> None:
    png = contact_sheet([solid(8, 8, (1, 2, 3))], columns=6, cell_px=40)
    assert Image.open(io.BytesIO(png)).size == (2 * GAP + 40, 2 * GAP + 40)


def test_thumbnails_keep_tiny_pictures_exact() -> None:
    tiny = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(thumbnail(tiny)))) == tiny).all()
    large = Image.open(io.BytesIO(thumbnail(solid(400, 800, (9, 9, 9)))))
    assert (large.format, large.size) == ("JPEG", (160, 80))


def test_what_is_not_a_sheet() -> None:
    with pytest.raises(BadInput, match=r"pictures must be at least one uint8 array of shape \(H, W, 3\)\. Got 'none'"):
        contact_sheet([])
    with pytest.raises(BadInput, match=r"captions must be as many as pictures \(1\)\. Got 2\."):
        contact_sheet([solid(2, 2, (0, 0, 0))], ["a", "b"])
    with pytest.raises(BadInput, match=r"columns must be at least 1\. Got 0\."):
        contact_sheet([solid(2, 2, (0, 0, 0))], columns=0)
    with pytest.raises(
        BadInput, match=r"a picture must be uint8 of shape \(H, W, 3\)\. Got 'float64 of shape \(2, 2\)'"
    ):
        contact_sheet([np.zeros((2, 2))])  # type: ignore[list-item]
