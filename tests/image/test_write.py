"""Arrays -> pixels -> files, read back with Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from picture_files import scene
from PIL import Image as Pillow

from cutaway.errors import BadInput
from cutaway.image import decode, from_array, thumbnail, to_jpeg, to_png


def test_gray_is_repeated_and_fractions_become_levels() -> None:
    gray = np.array([[0.0, 0.5, 1.0]])
    np.testing.assert_array_equal(from_array(gray), np.repeat([[[0], [128], [255]]], 3, axis=2))
    np.testing.assert_array_equal(from_array(gray[..., None]), from_array(gray))
    np.testing.assert_array_equal(from_array(gray > 0.7)[0, :, 0], [0, 0, 255])
    np.testing.assert_array_equal(from_array(np.array([[0, 7, 16]]))[0, :, 2], [0, 7, 16])


def test_ready_pixels_are_not_copied() -> None:
    pixels = scene()
    assert from_array(pixels) is pixels


def test_a_fourth_channel_is_opacity_on_white() -> None:
    array = np.zeros((1, 2, 4))
    array[0, 1] = (1, 0, 0, 1)
    np.testing.assert_array_equal(from_array(array)[0], [[255, 255, 255], [255, 0, 0]])


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), (3, 8, 8), (1, 8, 8, 3), (0, 4), (4, 0, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match=r"pixels must be an array \(H, W\).*Got 'shape \("):
        from_array(np.zeros(shape))


def test_png_gives_the_same_levels_back() -> None:
    np.testing.assert_array_equal(decode(to_png(scene()), "scene").pixels, scene())
    np.testing.assert_array_equal(decode(to_png(scene()[..., 0]), "gray").pixels[..., 1], scene()[..., 0])


def test_jpeg_quality_is_size_and_truth() -> None:
    sizes = [len(to_jpeg(scene(), quality)) for quality in (30, 90, 95, 100)]
    assert sizes == sorted(sizes)
    assert np.abs(decode(to_jpeg(scene(), 100), "scene").pixels.astype(int) - scene()).max() <= 6


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_quality_is_a_number_from_1_to_100(quality: int) -> None:
    with pytest.raises(BadInput, match=f"quality must be a number from 1 to 100. Got {quality}"):
        to_jpeg(scene(), quality)


@pytest.mark.parametrize(
    ("size", "side", "shape"),
    [((64, 96), 48, (48, 32)), ((96, 64), 48, (32, 48)), ((64, 96), 500, (96, 64)), ((1, 5000), 100, (100, 1))],
)
def test_thumbnails_keep_their_shape_and_never_grow(size: tuple[int, int], side: int, shape: tuple[int, int]) -> None:
    with Pillow.open(io.BytesIO(thumbnail(scene(*size), side))) as small:
        assert (small.format, small.size) == ("JPEG", shape)


def test_a_thumbnail_shows_the_picture() -> None:
    with Pillow.open(io.BytesIO(thumbnail(scene(640, 960), 96))) as small:
        assert np.abs(np.asarray(small).astype(int) - scene()).mean() < 3  # JPEG's loss at quality 85


def test_a_thumbnail_has_a_side() -> None:
    with pytest.raises(BadInput, match=r"side_px must be at least 1 pixel\. Got 0"):
        thumbnail(scene(), 0)
