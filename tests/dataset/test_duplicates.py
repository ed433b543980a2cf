"""Planted copies among real photos (the bar: 12 of 12 for six kinds, no false pair of 11,160); small inline ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits

from cutaway.dataset import duplicates as module
from cutaway.dataset.duplicates import Duplicate, duplicates, finding_duplicates, groups, measuring_spread
from cutaway.dataset.steps import result_of
from cutaway.events import Progress

RNG = np.random.default_rng(7)
ORIGINALS, PLANTED = 130, 12


def scene(seed: int, side: int = 64) -> np.ndarray:
    """A soft random landscape, different for every seed: uint8 (side, side, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def jpeg_40(photo: Image.Image) -> Image.Image:
    data = io.BytesIO()
    photo.save(data, "JPEG", quality=40)
    return Image.open(data).convert("RGB")


def cropped(photo: Image.Image) -> Image.Image:
    """10 % off each side's length, wherever the window falls: harder than the middle."""
    width, height = int(photo.width * 0.9), int(photo.height * 0.9)
    left, top = (int(RNG.integers(0, r + 1)) for r in (photo.width - width, photo.height - height))
    return photo.crop((left, top, left + width, top + height))


COPIES = {
    "exact": lambda photo: photo,
    "jpeg 40": jpeg_40,
    "half size": lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
    "brighter": lambda photo: ImageEnhance.Brightness(photo).enhance(1.3),
    "crop 10 %": cropped,
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
}


def squashed(photo: Image.Image) -> np.ndarray:
    return np.asarray(photo.resize((64, 64), Image.Resampling.BICUBIC))


def test_planted_copies_of_real_photos_are_all_found_and_nothing_else(shared_data: Path) -> None:
    files = sorted((shared_data / "cats-vs-dogs" / "test").rglob("*.jpg"))[::3][:ORIGINALS]
    assert len(files) == ORIGINALS
    photos = [Image.open(file).convert("RGB") for file in files]
    copies = [make(photo) for make in COPIES.values() for photo in photos[:PLANTED]]
    sizes = np.array([photo.size[::-1] for photo in (*photos, *copies)])

    found = duplicates(np.stack([squashed(p) for p in (*photos, *copies)]), stored_sizes=sizes)

    pairs = {(p.first, p.second): p.how for p in found}
    hits = dict.fromkeys(COPIES, 0)
    for k, kind in enumerate(COPIES):
        hits[kind] = sum((i, ORIGINALS + k * PLANTED + i) in pairs for i in range(PLANTED))
    assert hits == dict.fromkeys(COPIES, PLANTED)
    origin = [*range(ORIGINALS), *(i for _ in COPIES for i in range(PLANTED))]
    assert all(origin[i] == origin[j] for i, j in pairs)
    mirrored_at, turned_at = (ORIGINALS + list(COPIES).index(kind) * PLANTED for kind in ("mirrored", "turned"))
    assert all(pairs[i, mirrored_at + i] == "mirrored" for i in range(PLANTED))
    assert all(pairs[i, turned_at + i] == "turned by 90°" for i in range(PLANTED))


def test_a_copy_is_found_and_told_how() -> None:
    pixels = np.stack([scene(1), scene(2), scene(1)[:, ::-1], np.rot90(scene(2), 2), scene(3)])

    found = duplicates(pixels)

    assert [(p.first, p.second, p.kind, p.how) for p in found] == [
        (0, 2, "near", "mirrored"),
        (1, 3, "near", "turned by 180°"),
    ]
    assert all(p.likeness == pytest.approx(1, abs=1e-4) for p in found)


def test_a_crop_is_found_in_large_pictures_only() -> None:
    whole = np.asarray(Image.fromarray(scene(1)).resize((200, 200)))
    part = np.asarray(Image.fromarray(whole[:180, :180]).resize((64, 64)))
    pixels = np.stack([scene(1), scene(2), part])

    large = duplicates(pixels, stored_sizes=np.full((3, 2), 180))
    small = duplicates(pixels, stored_sizes=np.full((3, 2), 63))

    assert [(p.first, p.second, p.how) for p in large] == [(0, 2, "cropped")]
    assert small == ()


def test_different_pictures_are_no_copies() -> None:
    assert duplicates(np.stack([scene(s) for s in range(60)])) == ()


def test_identical_files_are_found_at_any_size_and_only_readable_ones() -> None:
    pixels = RNG.integers(0, 256, (5, 8, 8, 3), np.uint8)
    ok = np.array([True, True, True, False, True])

    found = duplicates(pixels, ok, ("a", "b", "a", "a", ""))

    assert found == (Duplicate(0, 2, "exact", "identical file", 1.0),)


def test_further_identical_files_are_not_compared_again() -> None:
    pixels = np.stack([scene(1)] * 3 + [scene(1)[:, ::-1]])

    found = duplicates(pixels, sha256s=("a", "a", "a", "b"))

    assert [(p.first, p.second, p.kind) for p in found] == [(0, 1, "exact"), (0, 2, "exact"), (0, 3, "near")]


def test_near_constant_pictures_are_no_copies_of_each_other() -> None:
    rng = np.random.default_rng(3)
    pixels = (200 + rng.integers(0, 3, (20, 64, 64, 3))).astype(np.uint8)

    assert duplicates(pixels) == ()


def test_two_blue_skies_are_no_copies() -> None:
    rng = np.random.default_rng(3)
    sky = np.broadcast_to(np.array([90, 140, 220]), (2, 64, 64, 3)).copy()
    for k, place in enumerate((15, 40)):
        sky[k, place : place + 8, 20:40] = 30
    pixels = (sky + rng.integers(-2, 3, sky.shape)).astype(np.uint8)

    assert duplicates(pixels) == ()


def test_handwritten_digits_do_not_drown_in_false_copies() -> None:
    digits = np.rint(load_digits().images * 255 / 16).astype(np.uint8)  # (1797, 8, 8)
    pixels = digits[..., None].repeat(3, -1)

    assert duplicates(pixels) == ()
    assert duplicates(pixels.repeat(8, 1).repeat(8, 2), stored_sizes=np.full((1797, 2), 8)) == ()


def test_one_picture_many_times_keeps_its_group_but_not_every_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS_PER_PICTURE", 2)
    pixels = np.stack([scene(1)] * 30 + [scene(2)] * 2)

    found = duplicates(pixels)

    assert len(found) == 30
    assert len(set(groups(32, [(p.first, p.second) for p in found]))) == 2


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count: int) -> None:
    assert duplicates(np.stack([scene(1)])[:count]) == ()


def test_progress_ends_at_the_total() -> None:
    events = list(finding_duplicates(np.stack([scene(s) for s in range(5)])))

    assert events[-1] == Progress("looking for crops", 5, 5, "pictures")


def test_groups_join_copies_of_copies_and_number_them_by_first_member() -> None:
    assert groups(7, [(5, 2), (2, 4), (1, 6)]).tolist() == [0, 1, 2, 3, 2, 2, 1]
    assert groups(3, []).tolist() == [0, 1, 2]
    assert groups(0, []).tolist() == []


def test_spread_is_the_standard_deviation_of_the_luma() -> None:
    half = np.zeros((1, 4, 4, 3), np.uint8)
    half[:, :2] = 200

    assert result_of(measuring_spread(half))[0] == pytest.approx(100, abs=1e-3)
