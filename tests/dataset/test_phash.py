"""The hash against scipy's own DCT of really turned pixels, and what it must survive."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.fft import dctn

from cutaway.dataset.phash import crop_hashes, hashing_orientations, orientation_hashes, turned
from cutaway.dataset.resample import LUMA, shrink, window
from cutaway.errors import BadInput
from cutaway.events import Progress

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(8))
def test_each_orientation_is_the_hash_of_the_really_turned_picture(orientation: int) -> None:
    really = np.ascontiguousarray(turned(PICTURES, orientation))

    assert (orientation_hashes(PICTURES)[:, orientation] == orientation_hashes(really)[:, 0]).all()


def test_bits_are_the_lowest_frequencies_above_their_median() -> None:
    gray = PICTURES[:1, :32, :32] @ LUMA
    low = dctn(gray[0], norm="ortho")[:8, :8].ravel()
    expected = np.packbits(low > np.median(low)).view(np.uint64)[0]

    assert orientation_hashes(PICTURES[:1, :32, :32])[0, 0] == expected


def test_orientations_are_the_eight_symmetries_of_the_square() -> None:
    square = np.arange(9).reshape(1, 3, 3)

    assert len({turned(square, o).tobytes() for o in range(8)}) == 8
    assert (turned(square, 4)[0] == np.fliplr(square[0])).all()
    assert (turned(square, 6)[0] == np.flipud(square[0])).all()


@settings(max_examples=20, deadline=None)
@given(arrays(np.uint8, (1, 40, 40, 3), elements=st.integers(0, 200)), st.integers(1, 50))
def test_a_brighter_picture_keeps_its_hash(picture: np.ndarray, more: int) -> None:
    changed = np.bitwise_count(orientation_hashes(picture)[:, 0] ^ orientation_hashes(picture + np.uint8(more))[:, 0])

    if picture.std() > 20:  # a near-constant picture has no stable hash; the checks leave those out
        assert changed[0] <= 4


def test_crop_hashes_hold_the_middle_and_the_corners() -> None:
    coarse = np.random.default_rng(1).integers(0, 256, (3, 10, 10, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    corner = coarse[:, :72, :72]

    assert crop_hashes(coarse).shape == (3, 5)
    assert (np.bitwise_count(crop_hashes(coarse)[:, 1] ^ orientation_hashes(corner)[:, 0]) <= 2).all()


def test_progress_counts_pictures() -> None:
    assert list(hashing_orientations(PICTURES)) == [Progress("fingerprints", 6, 6, "pictures")]


def test_no_pictures_no_hashes() -> None:
    assert orientation_hashes(PICTURES[:0]).shape == (0, 8)


@pytest.mark.parametrize("wrong", [PICTURES[0], PICTURES.astype(np.float32), PICTURES[..., :2]])
def test_other_shapes_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(BadInput, match=r"uint8 of shape \(N, H, W, 3\)"):
        orientation_hashes(wrong)


def test_shrinking_by_whole_numbers_is_the_block_mean() -> None:
    expected = PICTURES.reshape(6, 8, 6, 8, 6, 3).mean((2, 4))

    np.testing.assert_allclose(shrink(PICTURES, 8), expected, atol=1e-3)


def test_a_window_weighs_pixels_by_the_part_inside() -> None:
    np.testing.assert_allclose(window(4, 1, 0.625, 0.125), [[0.2, 0.4, 0.4, 0]], atol=1e-6)  # 0.5..3 of 4 pixels
    np.testing.assert_allclose(window(3, 7, 0.9, 0.1).sum(1), 1, atol=1e-6)
