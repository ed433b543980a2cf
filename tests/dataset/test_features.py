"""Classical features: edges as scikit-image gives them, colours as a histogram by hand."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data
from skimage.feature import hog

from cutaway.dataset.features import WIDTH, extracting_features, features
from cutaway.dataset.resample import LUMA
from cutaway.errors import BadInput
from cutaway.events import Progress

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)


def test_edges_then_colours() -> None:
    row = features(PICTURES)[0]

    edges = hog(PICTURES[0] @ LUMA / 255, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
    levels, _ = np.histogramdd(PICTURES[0].reshape(-1, 3), bins=(4, 4, 4), range=[(0, 256)] * 3)
    np.testing.assert_allclose(row[:1764], edges, atol=1e-5)
    np.testing.assert_allclose(row[1764:], np.sqrt(levels.ravel() / 4096), atol=1e-6)


@pytest.mark.parametrize("shape", [(96, 96), (40, 71), (33, 64)])
def test_edges_of_many_photos_are_those_of_scikit_image_one_by_one(shape: tuple[int, int]) -> None:
    """Flat parts, straight edges and noise; what is left beside the last whole cell does not count on either side."""
    photos = [data.astronaut(), data.coffee(), np.repeat(data.checkerboard()[..., None], 3, 2), data.chelsea()]
    pictures = np.stack([photo[50 : 50 + shape[0], 60 : 60 + shape[1]] for photo in photos] * 5)  # more than a batch
    whole = [side - side % 8 for side in shape]

    rows = features(pictures)

    for picture, row in zip(pictures, rows, strict=True):
        gray = (picture @ LUMA / 255)[: whole[0], : whole[1]]
        cell = (whole[0] // 8, whole[1] // 8)
        edges = hog(gray, orientations=9, pixels_per_cell=cell, cells_per_block=(2, 2))
        np.testing.assert_allclose(row[:1764], edges, atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (32, 32), (50, 97)])
def test_any_size_gives_the_same_number_of_features(shape: tuple[int, int]) -> None:
    rows = features(np.random.default_rng(1).integers(0, 256, (2, *shape, 3), np.uint8))

    assert rows.shape == (2, WIDTH) == (2, 1828)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()


def test_a_black_picture_has_finite_features() -> None:
    assert np.isfinite(features(np.zeros((1, 32, 32, 3), np.uint8))).all()


def test_the_same_pixels_give_the_same_numbers() -> None:
    assert (features(PICTURES) == features(PICTURES.copy())).all()


def test_progress_ends_at_the_total() -> None:
    assert list(extracting_features(PICTURES)) == [Progress("classical features", 3, 3, "pictures")]


def test_other_shapes_are_refused() -> None:
    with pytest.raises(BadInput, match=r"features need uint8 pictures of shape \(N, H, W, 3\)"):
        features(PICTURES.astype(np.float32))
