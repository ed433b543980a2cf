"""The chart of a moving picture: curves at their probabilities, pictures at their amounts, names apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cutaway.draw.scene import Raster, Scene, Words
from cutaway.draw.shift import COLOURS, Curve, most_likely, shift_chart

PICTURES = np.random.default_rng(0).integers(0, 256, (5, 8, 10, 3), np.uint8)
AMOUNTS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def chart(curves: list[Curve], amounts: tuple[float, ...] = AMOUNTS, **options: bool) -> Scene:
    return shift_chart(curves, amounts, PICTURES, title="t", words=["w"], x_label="pixels", start=2, **options)


def test_dots_stand_at_their_probabilities() -> None:
    scene = chart([Curve("cat", [0, 0.25, 0.5, 0.75, 1.0])])
    dots = [m for m in scene.marks if isinstance(m, Raster) and m.pixels.shape == (1, 1, 3)]
    assert len({round(b.x - a.x, 3) for a, b in itertools.pairwise(dots)}) == 1
    assert len({round(a.y - b.y, 3) for a, b in itertools.pairwise(dots)}) == 1
    photos = [m for m in scene.marks if isinstance(m, Raster) and m.smooth]
    assert [p.x + p.width / 2 for p in photos] == pytest.approx([d.x + d.width / 2 for d in dots])
    assert photos[0].height / photos[0].width == pytest.approx(0.8)
    words = [m.text for m in scene.marks if isinstance(m, Words)]
    assert {"cat  100 %", "unchanged", "pixels", "−2", "0", "2"} <= set(words)


def test_equal_factors_stand_at_equal_distances() -> None:
    scene = chart([Curve("cat", [0.5] * 5)], (0.25, 0.5, 1.0, 2.0, 4.0), equal_factors=True)
    dots = [m for m in scene.marks if isinstance(m, Raster) and m.pixels.shape == (1, 1, 3)]
    assert len({round(b.x - a.x, 3) for a, b in itertools.pairwise(dots)}) == 1


def test_names_that_end_together_do_not_lie_on_each_other() -> None:
    scene = chart(
        [Curve(f"class {k}", [0.2, 0.2, 0.2, 0.2, value]) for k, value in enumerate((0.01, 0.0, 0.02, 0.0, 0.9))]
    )
    places = sorted(m.y for m in scene.marks if isinstance(m, Words) and m.text.startswith("class"))
    assert len(places) == 5
    assert min(b - a for a, b in itertools.pairwise(places)) >= 19.9
    assert scene.svg().count("class 3") == 1


def test_the_classes_that_are_ever_likely() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2, 0.0], [0.1, 0.8, 0.1, 0.0]])
    assert most_likely(probabilities, 1) == [1, 0, 2, 3]
    assert most_likely(probabilities, 0) == [0, 1, 2, 3]
    assert most_likely(probabilities, 0, 2) == [0, 1]
    assert len(COLOURS) == 5
