"""Pictures moved, turned, zoomed, covered and recoloured; the invariance figure by hand."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.shift import Change, changed, compare_invariance, shift

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)


def smooth(height: int = 40, width: int = 40) -> Any:
    y, x = np.mgrid[:height, :width]
    return np.stack([4 * x % 256, 3 * y % 256, (2 * x + y) % 256], 2).astype(np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.integers(-19, 19), st.sampled_from(["x", "y", "both"]))
def test_whole_pixels_move_exactly_and_edges_reflect(by: int, along: Any) -> None:
    got = changed(PICTURE, Change("translate", 20, along), float(by))
    right, down = (by if along != "y" else 0), (by if along != "x" else 0)
    padded = np.pad(PICTURE, ((20, 20), (20, 20), (0, 0)), "symmetric")
    expected = padded[20 - down : 40 - down, 20 - right : 44 - right]
    np.testing.assert_array_equal(got, expected)


def test_a_quarter_turn_is_clockwise() -> None:
    square = PICTURE[:, :20]
    np.testing.assert_array_equal(changed(square, Change("rotate", 180), 90.0), np.rot90(square, -1))
    np.testing.assert_array_equal(changed(PICTURE, Change("rotate", 180), 180.0), PICTURE[::-1, ::-1])


def test_a_turn_of_an_oblong_picture_keeps_its_proportions() -> None:
    disc = np.zeros((40, 60, 3), np.uint8)
    y, x = np.mgrid[:40, :60]
    disc[(y - 19.5) ** 2 + (x - 29.5) ** 2 < 100] = 255
    turned = changed(disc, Change("rotate", 90), 37.0)
    assert np.abs(turned.astype(int) - disc).mean() < 3, "a disc in the middle stays a disc"


def test_zoom_enlarges_the_middle_and_reflects_when_it_shrinks() -> None:
    picture = smooth()
    twice = changed(picture, Change("zoom", 4), 2.0)
    middle = Image.fromarray(picture[10:30, 10:30]).resize((40, 40), Image.Resampling.BILINEAR)
    assert np.abs(twice.astype(int) - np.asarray(middle))[4:-4, 4:-4].max() <= 2
    half = changed(picture, Change("zoom", 4), 0.5)
    small = np.asarray(Image.fromarray(picture).resize((20, 20), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(half[10:30, 10:30].astype(int), small, atol=2)
    np.testing.assert_array_equal(half[10:30, 9], half[10:30, 10])


def test_a_square_in_the_middle_is_covered() -> None:
    got = changed(PICTURE, Change("cover", 1), 0.25)
    mean = np.rint(PICTURE.reshape(-1, 3).mean(0))
    assert (got[5:15, 6:18] == mean).all()
    outside = np.ones((20, 24), bool)
    outside[5:15, 6:18] = False
    np.testing.assert_array_equal(got[outside], PICTURE[outside])


@pytest.mark.parametrize(
    ("kind", "enhance"), [("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast),
                          ("saturation", ImageEnhance.Color)]
)  # fmt: skip
@pytest.mark.parametrize("amount", [0.0, 0.5, 1.6])
def test_recolouring_is_pillows(kind: Any, enhance: Any, amount: float) -> None:
    got = changed(PICTURE, Change(kind, 1), amount)
    expected = np.asarray(enhance(Image.fromarray(PICTURE)).enhance(amount))
    assert np.abs(got.astype(int) - expected).max() <= 1 + (kind == "saturation"), "Pillow rounds gray to whole levels"


def test_hue_turns_colours_and_keeps_gray_and_lightness() -> None:
    picture = np.array([[[150, 60, 60], [120, 120, 120]]], np.uint8)
    got = changed(picture, Change("hue", 180), 120.0)
    hue = colorsys.rgb_to_hsv(*(got[0, 0] / 255))[0]
    assert hue == pytest.approx(1 / 3, abs=0.06) or hue == pytest.approx(2 / 3, abs=0.06)
    np.testing.assert_allclose(got[0, 1], 120, atol=1)
    luma = np.array([0.299, 0.587, 0.114])
    assert got[0, 0] @ luma == pytest.approx(picture[0, 0] @ luma, abs=2)


def model(seed: int = 0, pool: nn.Module | None = None) -> Model:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), pool or nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LazyLinear(3))
    net(torch.zeros(1, 3, 20, 24))
    return Model(trace(net.eval()), InputContract((20, 24)), ("a", "b", "c"), temperature=1.5)


def test_the_figure_by_hand() -> None:
    found = shift(model(), PICTURE, Change("translate", 6), 5)
    assert found.amounts == (-6.0, -3.0, 0.0, 3.0, 6.0)
    assert found.start == 2
    np.testing.assert_array_equal(found.pictures[2], PICTURE)
    logits = model().logits(found.pictures) / 1.5
    p = torch.softmax(logits, 1).numpy()
    np.testing.assert_allclose(found.probabilities, p, atol=1e-6)
    distances = [0.5 * np.abs(p[i] - p[2]).sum() for i in (0, 1, 3, 4)]
    assert found.invariance == pytest.approx(1 - np.mean(distances), abs=1e-6)
    answers = p.argmax(1)
    assert found.kept == np.mean([answers[i] == answers[2] for i in (0, 1, 3, 4)])


def test_where_the_answer_turns() -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(6, 2))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[1.0, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]))
        net[2].bias.zero_()
    halves = np.zeros((20, 24, 3), np.uint8)
    halves[:, 8:12] = 255
    sides = Model(trace(net.eval()), InputContract((20, 24)), ("left", "right"))
    found = shift(sides, halves, Change("translate", 8), 9)
    assert found.probabilities[found.start].argmax() == 0
    assert found.turns == (4.0,), "two pixels to the right both halves are alike; four, and the right one is brighter"
    assert found.kept == pytest.approx(5 / 8)


def test_a_constant_network_is_invariant() -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    nn.init.zeros_(net[2].weight)  # type: ignore[arg-type]
    still = Model(trace(net.eval()), InputContract((20, 24)), ("a", "b"))
    found = shift(still, PICTURE, Change("hue", 90), 3)
    assert (found.invariance, found.kept, found.turns) == (1.0, 1.0, ())


def test_networks_compared_on_the_same_pictures() -> None:
    pictures = np.stack([PICTURE, PICTURE[::-1]])
    change = Change("translate", 4)
    one, two = compare_invariance({"avg": model(), "max": model(1, nn.AdaptiveMaxPool2d(2))}, pictures, change, steps=3,
                                  labels=[0, 1])  # fmt: skip
    shifts = [shift(model(), p, change, 3) for p in pictures]
    assert one.invariance == pytest.approx(np.mean([s.invariance for s in shifts]))
    assert one.accuracy == np.mean([s.probabilities[1].argmax() == k for s, k in zip(shifts, (0, 1), strict=True)])
    assert (one.name, two.name) == ("avg", "max")
    (bare,) = compare_invariance({"avg": model()}, pictures, change, steps=3)
    assert bare.accuracy is None
    with pytest.raises(BadInput, match="pictures must be at least one"):
        compare_invariance({"a": model()}, pictures[:0], change)


@pytest.mark.parametrize(
    ("kind", "most", "said"),
    [
        ("translate", 0, "translate must be a number of pixels above 0"),
        ("rotate", 181, "rotate must be degrees above 0, at most 180"),
        ("zoom", 1, "zoom must be a factor above 1, at most 16"),
        ("cover", 1.5, "cover must be a share of the area above 0, at most 1"),
        ("brightness", float("nan"), "brightness must be above 0, at most 1"),
        ("hue", -3, "hue must be degrees above 0"),
        ("twirl", 3, "kind must be one of translate, rotate"),
    ],
)
def test_changes_out_of_range(kind: Any, most: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Change(kind, most)


def test_steps_and_directions_out_of_range() -> None:
    with pytest.raises(BadInput, match="along must be x, y or both"):
        Change("translate", 3, "z")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="steps must be an odd number, at least 3"):
        Change("rotate", 3).amounts(4)
    with pytest.raises(BadInput, match="steps must be at least 3"):
        Change("cover", 0.5).amounts(2)
    assert Change("cover", 0.5).amounts(3) == (0.0, 0.25, 0.5)
    assert Change("zoom", 4).amounts(5) == (0.25, 0.5, 1.0, 2.0, 4.0)
    assert Change("brightness", 0.5).amounts(3) == (0.5, 1.0, 1.5)
