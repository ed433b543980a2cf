"""One pixel right and down: the moved picture is the picture, moved; maps that move with it agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.explanation.edges import edges
from cutaway.explanation.question import Question, ask
from cutaway.explanation.shifted import agreement, moved
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model


@pytest.fixture
def question() -> Question:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), dtype=np.uint8)
    return ask(Model(trace(net), InputContract((8, 9)), ("a", "b")), pixels)


def test_every_pixel_moves_by_one_and_the_border_is_mirrored(question: Question) -> None:
    other = moved(question)
    np.testing.assert_array_equal(other.pixels[:, 1:, 1:], question.pixels[:, :-1, :-1])
    np.testing.assert_array_equal(other.pixels[:, 0, 1:], question.pixels[:, 1, :-1])
    torch.testing.assert_close(other.x[:, :, 1:, 1:], question.x[:, :, :-1, :-1])
    assert other.network is question.network


def test_a_map_that_moves_with_the_picture_agrees(question: Question) -> None:
    own, of_moved = edges(question.pixels)[0], edges(moved(question).pixels)[0]
    assert agreement(own[1:-1, 1:-1], of_moved[1:-1, 1:-1]) == pytest.approx(1)
    fixed = np.random.default_rng(1).random((40, 40)).astype(np.float32)
    stays = agreement(fixed, fixed)
    assert stays is not None
    assert abs(stays) < 0.1
    assert agreement(np.zeros((4, 4), np.float32), fixed[:4, :4]) is None
