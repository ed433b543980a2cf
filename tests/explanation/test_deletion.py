"""Curves: by hand on a network that adds up pixels, where the probability after every step is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.explanation.deletion import STEPS, area, by_lot, curves, ends, first_by
from cutaway.explanation.question import Question, ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

SIDE = 12  # 144 pixels: 6 a step


@pytest.fixture(scope="module")
def question() -> Question:
    """logit of class 1 = sum of the pixels' red, in 0..1; the picture is red in its first 24 pixels."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    with torch.no_grad():
        net[1].weight.zero_()  # type: ignore[union-attr,operator]
        net[1].bias.copy_(torch.tensor([0.0, -12.0]))  # type: ignore[union-attr,operator]
        net[1].weight[1, : SIDE * SIDE] = 1.0  # type: ignore[index]
    pixels = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    pixels[0, :2, :, 0] = 255
    return ask(Model(trace(net.eval()), InputContract((SIDE, SIDE)), ("a", "b")), pixels, [1])


def sigmoid(reds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(12.0 - reds))


def test_the_probability_follows_the_red_that_is_left(question: Question) -> None:
    black = torch.zeros_like(question.x[0])
    between = ends(question, 0, black, black)
    assert between.probabilities == pytest.approx((sigmoid(np.array(24)), sigmoid(np.array(0)), sigmoid(np.array(0))))
    reds_first = question.pixels[0, :, :, 0].astype(np.float32)
    found = curves(question, 0, between, first_by(reds_first))
    gone = np.minimum(6 * np.arange(STEPS + 1), 24)
    np.testing.assert_allclose(found.deletion, sigmoid(24.0 - gone), atol=1e-6)
    np.testing.assert_allclose(found.insertion, sigmoid(gone), atol=1e-6)
    last = curves(question, 0, between, first_by(-reds_first))
    np.testing.assert_allclose(last.deletion, found.insertion[::-1], atol=1e-6)
    assert found.areas[0] < 0.1 < 0.9 < last.areas[0]


def test_equal_pixels_go_by_lot_and_each_step_takes_more() -> None:
    flat = first_by(np.zeros((5, 7), np.float32))
    assert flat.shape == (STEPS - 1, 5, 7)
    assert [int(m.sum()) for m in flat] == [round(k * 35 / STEPS) for k in range(1, STEPS)]
    assert all((later | earlier == later).all() for earlier, later in itertools.pairwise(flat))
    np.testing.assert_array_equal(flat, first_by(np.ones((5, 7), np.float32)))
    assert (flat != first_by(np.zeros((5, 7), np.float32), seed=1)).any()


def test_a_lot_is_drawn_anew_at_every_step_and_the_same_for_a_seed() -> None:
    masks = by_lot((20, 20))
    np.testing.assert_array_equal(masks, by_lot((20, 20)))
    half = masks[STEPS // 2 - 1] & masks[STEPS // 2]
    assert 0.2 < half.mean() < 0.35, "two independent halves share a quarter"


@pytest.mark.parametrize(("curve", "expected"), [((1.0, 1.0), 1.0), ((1.0, 0.0), 0.5), ((0.0, 1.0, 0.0), 0.5)])
def test_area_by_trapezoids(curve: tuple[float, ...], expected: float) -> None:
    assert area(curve) == pytest.approx(expected)
