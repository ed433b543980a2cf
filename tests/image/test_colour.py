"""Modes and depths of stored pictures -> RGB, against formulas."""

from __future__ import annotations

import numpy as np
import pytest
from picture_files import saved, scene
from PIL import Image as Pillow

from cutaway.image import decode
from cutaway.image.colour import to_rgb


def test_16_bit_gray_keeps_its_high_byte_instead_of_being_clipped() -> None:
    deep = np.linspace(0, 65535, 64 * 4, dtype=np.uint16).reshape(4, 64)
    image = decode(saved(Pillow.fromarray(deep), "PNG"), "deep")
    expected = np.rint(deep / 257)
    np.testing.assert_array_equal(image.pixels, np.repeat(expected[..., None], 3, axis=2))
    assert image.notes == ("depth-scaled",)


def test_16_bit_tiffs_of_either_byte_order() -> None:
    deep = np.array([[0, 257, 65535, 25700]], np.uint16)
    for mode, raw in (("I;16", deep), ("I;16B", deep.astype(">u2"))):
        picture = Pillow.frombytes(mode, (4, 1), raw.tobytes())
        image = decode(saved(picture, "TIFF"), mode)
        np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 1, 255, 100])


def test_float_and_32_bit_pictures_are_scaled_by_their_range() -> None:
    for values, expected in (
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 100.4, 255.0]], np.float32), [0, 100, 255]),
        (np.array([[-1.0, 0.0, 3.0]], np.float32), [0, 64, 255]),
        (np.array([[np.nan, 0.5, np.inf]], np.float32), [0, 128, 128]),
        (np.array([[0, 1, 200]], np.int32), [0, 1, 200]),
        (np.array([[0, 25700, 65535]], np.int32), [0, 100, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
    ):
        image = decode(saved(Pillow.fromarray(values), "TIFF"), "deep")
        np.testing.assert_array_equal(image.pixels[0, :, 1], expected)
        assert image.notes == ("depth-scaled",)


def test_a_16_bit_level_that_is_declared_clear_becomes_white() -> None:
    picture = Pillow.fromarray(np.array([[0, 2570, 65535]], np.uint16))
    image = decode(saved(picture, "PNG", transparency=2570), "deep")
    np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 255, 255])
    assert image.notes == ("depth-scaled", "alpha-flattened")


def test_transparency_is_laid_on_white() -> None:
    opacity = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    stored = np.dstack([scene(), opacity])
    image = decode(saved(Pillow.fromarray(stored), "PNG"), "clear")
    share = opacity[..., None] / 255
    assert np.abs(image.pixels - (scene() * share + 255 * (1 - share))).max() <= 0.51  # rounded once
    assert image.notes == ("alpha-flattened",)


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "RGBa", "P", "L", "RGB", "1"])
def test_every_way_to_store_transparency_is_flattened(mode: str) -> None:
    picture = Pillow.new(mode, (2, 1))
    if mode in ("P", "L", "RGB", "1"):
        picture.info["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    rgb, notes = to_rgb(picture)
    assert (np.asarray(rgb) == 255).all()
    assert notes == ["alpha-flattened"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_modes_become_rgb_without_a_note(mode: str) -> None:
    picture = Pillow.fromarray(scene()).convert(mode)
    rgb, notes = to_rgb(picture)
    np.testing.assert_array_equal(np.asarray(rgb), np.asarray(picture.convert("RGB")))
    assert notes == []


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    image = decode(saved(Pillow.fromarray(scene()).convert("CMYK"), "JPEG", quality=95), "print")
    assert np.abs(image.pixels.astype(int) - scene()).mean() < 4  # JPEG's loss; inverted inks would give 100 and more
