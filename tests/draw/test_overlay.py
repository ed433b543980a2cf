"""Maps over photos: the scale is honest, zero leaves the photo, the sign can be read without colour."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.draw.colours import Range, painted, to_oklab
from cutaway.draw.overlay import bar_pixels, map_pixels, overlaid, shades_of
from cutaway.errors import BadInput

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 255, (40, 60, 3), dtype=np.uint8)


def test_the_scale_ends_at_the_percentile_and_says_what_lies_beyond() -> None:
    values = RANDOM.normal(size=(100, 100))
    values[0, 0] = 50.0
    found = shades_of([values])
    assert found.range == Range(float(np.percentile(np.abs(values), 99.5)), signed=True)
    assert found.largest == 50.0
    assert found.beyond == pytest.approx(0.005, abs=1e-4)
    two = shades_of([values, 10 * values])
    assert two.range.high == np.percentile(np.abs([values, 10 * values]), 99.5)


def test_maps_without_a_sign_or_with_few_places() -> None:
    assert shades_of([np.arange(100.0).reshape(10, 10)]).range.signed is False
    lone = np.zeros((100, 100), np.float32)
    lone[3, 4] = -2.0
    assert shades_of([lone]).range == Range(2.0, signed=True)
    nothing = shades_of([np.zeros((5, 5))])
    assert (nothing.range, nothing.largest, nothing.beyond) == (Range(0.0, signed=False), 0.0, 0.0)


def test_zero_leaves_the_photo_in_grey_and_large_values_colour_it() -> None:
    values = np.zeros((40, 60), np.float32)
    values[:, :20], values[:, 40:] = 1.0, -1.0
    made = overlaid(PHOTO, values, Range(1.0, signed=True)).astype(int)
    middle = made[:, 20:40]
    assert np.ptp(middle, axis=2).max() == 0
    luma = PHOTO[:, 20:40] @ np.array([0.299, 0.587, 0.114])
    assert np.corrcoef(middle[..., 0].ravel(), luma.ravel())[0, 1] > 0.999
    assert (made[:, :20, 0] > made[:, :20, 2]).all(), "orange above zero"
    assert (made[:, 40:, 2] > made[:, 40:, 0]).all(), "blue below zero"
    assert made[:, :20].std() > 5, "the photo still shows under the largest values"
    nothing = overlaid(PHOTO, np.zeros((40, 60)), Range(0.0, signed=False))
    assert np.array_equal(nothing[:, 20:40], middle)


def test_a_photo_of_another_size_is_refused() -> None:
    with pytest.raises(BadInput, match=r"photo must be uint8 of the map's size \(8, 8, 3\)"):
        overlaid(PHOTO, np.zeros((8, 8)), Range(1.0, signed=True))


@pytest.mark.parametrize("side", [28, 97, 224, 500])
def test_below_zero_is_hatched_and_above_is_not(side: int) -> None:
    values = np.ones((side, side))
    values[:, : side // 2] = -1.0
    scale = Range(1.0, signed=True)
    pixels = map_pixels(values, scale, 392)
    assert 196 <= pixels.shape[0] <= 392
    half = pixels.shape[1] // 2
    margin = pixels.shape[1] // 16
    below, above = pixels[:, : half - margin], pixels[:, half + margin :]
    assert (above == painted(np.array(1.0), scale)).all()
    lines = (below != painted(np.array(-1.0), scale)).any(2)
    assert 0.05 < lines.mean() < 0.3
    assert not (map_pixels(np.abs(values), Range(1.0, signed=False), 392) == (28, 32, 36)).all(2).any()


def test_the_two_arms_have_no_lightness_to_tell_them_apart_which_is_why_one_is_hatched() -> None:
    lightness = to_oklab(painted(np.array([-0.7, 0.7]), Range(1.0, signed=True)))[:, 0]
    assert abs(lightness[0] - lightness[1]) < 0.02


def test_the_hatching_is_seen_on_the_darkest_blue_too() -> None:
    for value in (-0.4, -0.7, -1.0):
        scale = Range(1.0, signed=True)
        plain = painted(np.array(value), scale)
        pixels = map_pixels(np.full((56, 56), value), scale, 224).reshape(-1, 3)
        lines = pixels[(pixels != plain).any(1)]
        assert abs(to_oklab(lines[0])[0] - to_oklab(plain)[0]) > 0.3


def test_the_bar_is_hatched_where_the_map_is() -> None:
    bar = bar_pixels(Range(3.0, signed=True), 200, 18)
    plain = painted(np.linspace(-3, 3, 200)[None].repeat(18, 0), Range(3.0, signed=True))
    other = (bar != plain).any(2)
    assert other[:, :80].any()
    assert not other[:, 100:].any()
    assert bar_pixels(Range(0.0, signed=False), 50, 4).shape == (4, 50, 3)
