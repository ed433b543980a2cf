"""Pictures at the network's size: against Teachable Machine's files, Pillow, torchvision and timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_files import jpeg, png, scene
from PIL import Image as Pillow
from PIL import ImageOps

from cutaway.errors import BadInput, BadPicture
from cutaway.image import InputContract, decode, decode_fitted, fit_picture, read_fitted, read_image, target_px
from cutaway.image.fit import FILTERS, unfitted

Pixels = NDArray[np.uint8]
SIZES = [(300, 400), (400, 300), (231, 577), (500, 301), (100, 90), (224, 224), (257, 256), (40, 399)]


def busy(height: int, width: int) -> Pixels:
    rng = np.random.default_rng(height * 1000 + width)
    coarse = rng.integers(0, 256, (max(2, height // 4), max(2, width // 4), 3), dtype=np.uint8)
    return np.asarray(Pillow.fromarray(coarse).resize((width, height), Pillow.Resampling.BICUBIC))


def test_teachable_machines_own_inputs_to_the_last_level(shared_data: Path) -> None:
    folder = shared_data / "teachable-machine" / "images"
    photos = [path for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".jpeg")]
    contract = InputContract((224, 224), interpolation="lanczos")
    assert len(photos) == 7
    for path in photos:
        with Pillow.open(folder / f"{path.stem}.224.png") as reference:
            expected = np.asarray(reference.convert("RGB"))
        np.testing.assert_array_equal(fit_picture(read_image(path), contract), expected)
        np.testing.assert_array_equal(read_fitted(path, contract).pixels, expected)


@pytest.mark.parametrize("interpolation", sorted(FILTERS))
@pytest.mark.parametrize("size", SIZES)
def test_a_full_crop_is_pillows_fit(size: tuple[int, int], interpolation: str) -> None:
    pixels = busy(*size)
    for height, width in ((224, 224), (60, 80), (80, 60)):
        contract = InputContract((height, width), interpolation=interpolation)  # type: ignore[arg-type]
        expected = ImageOps.fit(Pillow.fromarray(pixels), (width, height), FILTERS[interpolation])
        np.testing.assert_array_equal(fit_picture(pixels, contract), np.asarray(expected))


@pytest.mark.parametrize("share", [0.875, 224 / 232, 0.95, 0.9])
@pytest.mark.parametrize("size", SIZES)
def test_a_partial_crop_is_torchvisions_evaluation_transform(size: tuple[int, int], share: float) -> None:
    from torchvision.transforms import v2

    pixels = busy(*size)
    for interpolation in ("nearest", "bilinear", "bicubic"):
        contract = InputContract((224, 224), crop_fraction=share, interpolation=interpolation)  # type: ignore[arg-type]
        steps = [v2.Resize(target_px(contract), v2.InterpolationMode(interpolation)), v2.CenterCrop(224)]
        expected = np.asarray(v2.Compose(steps)(Pillow.fromarray(pixels)))
        assert np.abs(fit_picture(pixels, contract).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("mode", "fit"), [("center", "crop"), ("squash", "squash"), ("border", "pad")])
@pytest.mark.parametrize("input_size", [(224, 224), (160, 224)])
@pytest.mark.parametrize("share", [0.875, 0.95, 1.0])
def test_every_fit_is_timms(mode: str, fit: str, input_size: tuple[int, int], share: float) -> None:
    from timm.data.transforms_factory import transforms_imagenet_eval

    if mode == "center" and share == 1:
        return  # timm rounds that crop to whole pixels; ours is Pillow's and Teachable Machine's
    for size in SIZES:
        pixels = busy(*size)
        transform = transforms_imagenet_eval(
            input_size, share, crop_mode=mode, interpolation="bicubic", use_prefetcher=True
        )
        steps = transform.transforms[:-1]  # the last one makes an array
        expected: object = Pillow.fromarray(pixels)
        for step in steps:
            if hasattr(step, "fill"):
                step.fill = 255
            expected = step(expected)
        contract = InputContract(input_size, fit=fit, crop_fraction=share)  # type: ignore[arg-type]
        difference = np.abs(fit_picture(pixels, contract).astype(int) - np.asarray(expected))
        assert difference.max() <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(1, 64), st.integers(1, 64)),
    st.sampled_from(["crop", "squash", "pad"]),
    st.sampled_from([1.0, 0.875, 0.5]),
)
def test_any_shape_fits_any_size(size: tuple[int, int], wanted: tuple[int, int], fit: str, share: float) -> None:
    contract = InputContract(wanted, fit=fit, crop_fraction=share)  # type: ignore[arg-type]
    fitted = fit_picture(np.full((*size, 3), 90, np.uint8), contract)
    assert (fitted.shape, fitted.dtype) == ((*wanted, 3), np.uint8)
    assert fitted.flags.writeable
    assert set(np.unique(fitted)) <= ({90, 255} if fit == "pad" else {90})


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("size", [(1, 5000), (5000, 1)])
def test_a_thread_of_pixels_costs_no_more_than_a_photo(fit: str, size: tuple[int, int]) -> None:
    contract = InputContract((224, 224), fit=fit, crop_fraction=0.875)  # type: ignore[arg-type]
    with_limit, before = Pillow.Image.resize, []

    def watched(self: Pillow.Image, size: tuple[int, int], *rest: object) -> Pillow.Image:
        before.append(size[0] * size[1])
        return with_limit(self, size, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pillow.Image, "resize", watched)
        assert fit_picture(busy(*size), contract).shape == (224, 224, 3)
    assert max(before) <= 16 * 224 * 224


def test_padding_is_white_and_centred() -> None:
    fitted = fit_picture(np.zeros((10, 20, 3), np.uint8), InputContract((20, 20), fit="pad"))
    np.testing.assert_array_equal(fitted[:, 0, 0], [255] * 5 + [0] * 10 + [255] * 5)


def test_squash_is_one_resize() -> None:
    expected = Pillow.fromarray(scene()).resize((50, 40), Pillow.Resampling.BILINEAR)
    contract = InputContract((40, 50), fit="squash", interpolation="bilinear")
    np.testing.assert_array_equal(fit_picture(scene(), contract), np.asarray(expected))


def test_the_target_is_the_side_before_the_cut() -> None:
    assert target_px(InputContract((224, 224))) == 224
    assert target_px(InputContract((224, 224), crop_fraction=0.875)) == 256
    assert (
        target_px(InputContract((224, 224), crop_fraction=224 / 232)) == 232
    )  # not 231: 224/(224/232) < 232 in floats
    assert target_px(InputContract((224, 224), crop_fraction=0.95)) == 235  # rounded down, as timm does
    assert target_px(InputContract((160, 224), fit="squash")) == 224


def test_a_scaled_decode_changes_little_and_a_small_file_not_at_all() -> None:
    contract = InputContract((56, 56))
    large, small = jpeg(600, 800, quality=95), jpeg(200, 200, quality=95)
    full = fit_picture(decode(large, "large"), contract).astype(int)
    drafted = decode(large, "large", target_px(contract))
    assert drafted.pixels.shape[0] < 600
    assert np.abs(fit_picture(drafted, contract) - full).mean() < 0.5
    np.testing.assert_array_equal(
        fit_picture(decode(small, "small", target_px(contract)), contract),
        fit_picture(decode(small, "small"), contract),
    )


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("data", [jpeg(900, 700), png(90, 70), jpeg(60, 80)], ids=["large", "png", "small"])
def test_reading_and_fitting_at_once_gives_the_same_picture(fit: str, data: bytes, tmp_path: Path) -> None:
    contract = InputContract((64, 48), fit=fit, crop_fraction=0.9)  # type: ignore[arg-type]
    path = tmp_path / "photo"
    path.write_bytes(data)
    two_steps, at_once = read_image(path, target_px(contract)), read_fitted(path, contract, name="p")
    np.testing.assert_array_equal(at_once.pixels, fit_picture(two_steps, contract))
    assert (at_once.sha256, at_once.notes) == (two_steps.sha256, two_steps.notes)
    assert (at_once.stored_size, at_once.name) == (two_steps.stored_size, "p")
    np.testing.assert_array_equal(decode_fitted(data, "p", contract).pixels, at_once.pixels)


def test_errors_are_those_of_reading(tmp_path: Path) -> None:
    with pytest.raises(BadPicture, match="missing"):
        read_fitted(tmp_path / "none.jpg", InputContract((8, 8)))
    with pytest.raises(BadInput, match="pixels must be an array"):
        fit_picture(np.zeros((3, 8, 8), np.uint8), InputContract((8, 8)))


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("crop_fraction", [1.0, 0.875, 224 / 232, 0.5])
@pytest.mark.parametrize("size", [(32, 32), (33, 33), (48, 64)])
def test_what_unfitted_makes_is_fitted_to_the_same_pixels(size: Any, crop_fraction: float, fit: Any) -> None:
    contract = InputContract(size, fit=fit, crop_fraction=crop_fraction, interpolation="lanczos")
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(fit_picture(unfitted(pixels, contract), contract), pixels)
