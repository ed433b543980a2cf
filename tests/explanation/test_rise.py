"""RISE: masks as the paper draws them, the estimate against the truth of a network that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.events import Progress
from cutaway.explanation.method import Answer, method_named
from cutaway.explanation.question import Question, ask
from cutaway.explanation.rise import RiseSettings, masks_of, rise
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

SIZE = (28, 21)


def asked(offset: float = 0.0) -> Question:
    """f = mean of the red channel in the left half of the picture + offset; class b: minus that."""
    convolution, dense = nn.Conv2d(3, 1, SIZE), nn.Linear(1, 2)
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[0, 0, :, :10] = 1 / 280
        convolution.bias.zero_()  # type: ignore[union-attr]
        dense.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        dense.bias.fill_(offset)
    network = nn.Sequential(convolution, nn.Flatten(), dense).eval()
    pixels = np.full((2, *SIZE, 3), 255, np.uint8)
    return ask(Model(trace(network), InputContract(SIZE), ("a", "b")), pixels, [0, 1])


def finished(made: Generator[Progress, None, Answer]) -> tuple[Answer, list[Progress]]:
    events = []
    while True:
        try:
            events.append(next(made))
        except StopIteration as end:
            answer: Answer = end.value
            return answer, events


def test_masks_are_the_papers() -> None:
    """Half is shown on average at every place; neighbours vary together up to a cell, none beyond two."""
    masks = masks_of(np.random.default_rng(0), 4000, SIZE, RiseSettings())[:, 0]
    assert masks.shape == (4000, *SIZE)
    assert 0 <= float(masks.min()) < float(masks.max()) <= 1
    assert float((masks.mean(0) - 0.5).abs().max()) < 0.04  # 5 standard errors
    row = masks[:, 14, :] - 0.5
    assert float((row[:, 10] * row[:, 11]).mean()) > 0.08
    assert abs(float((row[:, 4] * row[:, 16]).mean())) < 0.02


def test_map_is_what_showing_a_pixel_adds() -> None:
    """For f linear in the picture: cov(f, mask) / p, worked out from the covariance of the masks themselves."""
    question = asked()
    settings = RiseSettings(masks=3000)
    answer, events = finished(rise(question, settings))
    random = np.random.default_rng(0)
    masks = torch.cat([masks_of(random, min(8, 3000 - i), SIZE, settings) for i in range(0, 3000, 8)])[:, 0].double()
    bright = float(question.x[0, 0, 0, 0])
    f = masks[:, :, :10].mean((1, 2)) * bright
    wanted = torch.einsum("m,mhw->hw", f - f.mean(), masks) / (3000 * 0.5)
    np.testing.assert_allclose(answer.maps[0], wanted.numpy(), atol=1e-6)
    np.testing.assert_allclose(answer.maps[1], -wanted.numpy(), atol=1e-6)
    assert answer.maps[0][:, :8].min() > 4 * np.abs(answer.maps[0][:, 16:]).max()
    assert (events[0].done, events[-1].done, events[-1].total) == (0, 3000, 3000)


def test_a_constant_added_to_the_logit_changes_nothing() -> None:
    settings = RiseSettings(masks=64)
    plain, _ = finished(rise(asked(), settings))
    raised, _ = finished(rise(asked(50.0), settings))
    np.testing.assert_allclose(raised.maps, plain.maps, atol=1e-4)


def test_the_same_seed_gives_the_same_map_and_leaves_random_states_alone() -> None:
    question = asked()
    torch.manual_seed(1)
    state, other = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    first, _ = finished(rise(question, RiseSettings(masks=20)))
    again, _ = finished(rise(question, RiseSettings(masks=20)))
    another, _ = finished(rise(question, RiseSettings(masks=20, seed=1)))
    np.testing.assert_array_equal(first.maps, again.maps)
    assert not np.array_equal(first.maps, another.maps)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], other)  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"masks": 0}, "masks must be at least 1. Got 0"),
        ({"cells": 0}, "cells must be at least 1. Got 0"),
        ({"shown": 1.0}, "shown must be between 0 and 1. Got 1.0"),
        ({"baseline": "red"}, "baseline must be black, white"),
    ],
)
def test_settings_that_cannot_be(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        finished(rise(asked(), RiseSettings(**changed)))


def test_it_is_a_method() -> None:
    assert (method_named("RISE").cost, method_named("rise").signed) == ("slow", True)
