"""Augmentation against torchvision's own functions and padding by hand; every picture goes its own way."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from cutaway.errors import BadInput
from cutaway.training.augment import PRESETS, Augment, augment, preset, recolour

LEVEL = 1  # of 255


def photos(n: int = 4, channels: int = 3, height: int = 24, width: int = 36) -> torch.Tensor:
    """Smooth waves, different in every picture and channel, in 0..255."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    waves = [
        torch.sin(5 * x * (1 + i / 3) + c) * torch.cos(4 * y + i) for i in range(n) for c in range(1, channels + 1)
    ]
    return (127.5 + 120 * torch.stack(waves)).round().view(n, channels, height, width)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("size", [(24, 36), (30, 30)])
def test_zoom_turn_and_shift_are_torchvisions_affine(size: tuple[int, int], flip: bool) -> None:
    """Same angle, scale, shift and mirror -> equal within 0.02 levels where both look inside the picture."""
    x = photos(6, 3, *size)
    how = Augment(translate=0.1, zoom=0.4, rotate=20, flip=flip)
    ours = augment(x, how, seeded())
    g, n, (height, width) = seeded(), len(x), size
    degrees = torch.rand(n, generator=g) * 40 - 20
    zoom = 1 + torch.rand(n, generator=g) * 0.4
    down, right = ((torch.rand(n, generator=g) * 0.4 - 0.2) * side / 2 for side in (height, width))
    mirrored = torch.rand(n, generator=g) < (0.5 if flip else 0.0)
    assert mirrored.any() == flip
    for i in range(n):
        angle = math.radians(float(degrees[i]))
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        # Ours moves where the pixel is taken from, torchvision where it goes to.
        shift = -float(zoom[i]) * turn.T @ np.array([float(right[i]), float(down[i])])
        moved, inside = (
            tv.affine(
                picture,
                angle=-float(degrees[i]),
                translate=shift.tolist(),
                scale=float(zoom[i]),
                shear=[0.0, 0.0],
                interpolation=tv.InterpolationMode.BILINEAR,
            )
            for picture in (x[i], torch.ones_like(x[i]))
        )
        expected, inside = (tv.horizontal_flip(t) if mirrored[i] else t for t in (moved, inside > 0.9999))
        assert inside.float().mean() > 0.6
        assert (ours[i] - expected)[inside].abs().max() < 0.02


@pytest.mark.parametrize(
    ("position", "theirs"), [(0, tv.adjust_brightness), (1, tv.adjust_contrast), (2, tv.adjust_saturation)]
)
@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_recolouring_is_torchvisions_within_a_level(position: int, theirs: object, factor: float) -> None:
    x = photos()
    factors = [torch.ones(4, 1, 1, 1) for _ in range(3)]
    factors[position] = torch.full((4, 1, 1, 1), factor)
    expected = torch.stack([theirs(picture, factor) for picture in x.byte()])  # type: ignore[operator]
    assert (recolour(x, *factors).byte().int() - expected.int()).abs().max() <= LEVEL


def test_brightness_then_contrast_then_saturation_in_one_go() -> None:
    x = photos()
    bright, contrast, saturation = (torch.rand(4, 1, 1, 1, generator=seeded(s)) * 0.6 + 0.7 for s in range(3))
    for i, got in enumerate(recolour(x, bright, contrast, saturation) / 255):
        expected = tv.adjust_brightness(x[i] / 255, float(bright[i]))
        expected = tv.adjust_contrast(expected, float(contrast[i]))
        expected = tv.adjust_saturation(expected, float(saturation[i]))
        assert (got - expected).abs().max() < 1e-3


def test_a_gray_picture_has_no_saturation_and_else_is_recoloured_alike() -> None:
    gray = photos(channels=1)
    one = torch.ones(4, 1, 1, 1)
    assert torch.equal(recolour(gray, one, one, one * 0.2), gray)
    in_colour = recolour(gray.expand(-1, 3, -1, -1), one * 0.8, one * 1.3, one)
    assert (recolour(gray, one * 0.8, one * 1.3, one) - in_colour).abs().max() < 0.1  # the three weights sum to 0.9999
    assert augment(gray, PRESETS["strong"], seeded()).shape == gray.shape


def test_shifts_alone_are_reflection_padding_and_a_crop() -> None:
    x = photos(8).byte()
    got = augment(x, Augment(translate=0.125, flip=True), seeded())
    assert got.dtype == torch.uint8
    g = seeded()
    down, right = (torch.randint(-reach, reach + 1, (8,), generator=g) for reach in (3, round(0.125 * 36)))
    mirrored = torch.rand(8, generator=g) < 0.5
    for i in range(8):
        picture = x[i].numpy()[:, :, ::-1] if mirrored[i] else x[i].numpy()
        padded = np.pad(picture, ((0, 0), (8, 8), (8, 8)), mode="reflect")
        top, left = 8 + int(down[i]), 8 + int(-right[i] if mirrored[i] else right[i])
        assert np.array_equal(got[i].numpy(), padded[:, top : top + 24, left : left + 36])


def test_a_shift_beyond_a_small_picture_stays_inside() -> None:
    x = photos(16, height=2, width=2).byte()
    got = augment(x, Augment(translate=0.9), seeded())
    assert all(
        set(got[i, c].flatten().tolist()) <= set(x[i, c].flatten().tolist()) for i in range(16) for c in range(3)
    )


@pytest.mark.parametrize("name", ["light", "medium", "strong"])
def test_every_picture_goes_its_own_way_and_the_generator_alone_decides(name: str) -> None:
    same = photos(1).expand(32, -1, -1, -1)
    first, again, other = (augment(same, PRESETS[name], seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({tuple(picture.flatten().tolist()) for picture in first}) >= 28
    assert float(first.min()) >= 0
    assert float(first.max()) <= 255


@pytest.mark.parametrize("name", ["light", "medium", "strong"])
def test_channels_last_memory_is_kept(name: str) -> None:
    x = photos().contiguous(memory_format=torch.channels_last)
    assert augment(x, PRESETS[name], seeded()).is_contiguous(memory_format=torch.channels_last)


def test_flips_are_half_of_the_pictures() -> None:
    x = photos(1).expand(2000, -1, -1, -1)[..., :2, :2]
    flipped = (augment(x, Augment(flip=True), seeded()) != x).flatten(1).any(1).float().mean()
    assert abs(float(flipped) - 0.5) < 4 * 0.5 / 2000**0.5  # four standard deviations


def test_nothing_asked_changes_nothing() -> None:
    x = photos().byte()
    assert not PRESETS["none"].active
    assert torch.equal(augment(x, Augment(), seeded()), x)
    one = [f.name for f in dataclasses.fields(Augment) if f.name != "flip"]
    assert all(Augment(**{name: 0.1}).active for name in one)
    assert Augment(flip=True).active


@pytest.mark.parametrize(
    ("pictures", "chosen"), [(1, "strong"), (499, "strong"), (500, "medium"), (4999, "medium"), (5000, "light")]
)
def test_auto_is_stronger_the_fewer_pictures_there_are(pictures: int, chosen: str) -> None:
    assert preset("auto", pictures) == (chosen, PRESETS[chosen])


def test_many_pictures_that_are_seen_a_few_times_need_none() -> None:
    assert preset("auto", 50_000, epochs=2)[0] == "none"
    assert preset("auto", 50_000, epochs=40)[0] == "light"
    assert preset("auto", 400, epochs=2)[0] == "strong"


def test_sided_classes_are_not_mirrored() -> None:
    name, how = preset("strong", 10, mirrored_classes=False)
    assert name == "strong"
    assert how == dataclasses.replace(PRESETS["strong"], flip=False)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(BadInput, match="There is no augmentation 'wild'; choose none, light, medium, strong or auto"):
        preset("wild", 10)
