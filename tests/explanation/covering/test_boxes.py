"""Boxes drawn on a picture: the answers with each covered, against pictures covered by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.explanation.covering.boxes import covering_of, scores_of_boxes
from cutaway.explanation.question import Question, ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

BOXES = ((0, 0, 5, 7), (3, 4, 4, 5), (10, 0, 24, 20), (0, 0, 24, 20))


@pytest.fixture(scope="module")
def question() -> Question:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    ).eval()  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 20, 3), np.uint8)
    return ask(Model(trace(network), InputContract((24, 20)), tuple("abcde")), pixels, [1, 3])


@pytest.mark.parametrize("cover", ["grey", "blur", torch.tensor([0.1, 0.2, -0.3])])
def test_equals_pictures_covered_by_hand(question: Question, cover: str | torch.Tensor) -> None:
    covering = covering_of(question, 1, cover)
    found = scores_of_boxes(question, 1, BOXES, cover)
    pictures = []
    for top, left, bottom, right in BOXES:
        x = question.x[1].clone()
        x[:, top:bottom, left:right] = covering._cover[0][:, top:bottom, left:right]
        pictures.append(x)
    logits = question.logits(torch.stack(pictures))
    torch.testing.assert_close(found.values, logits[:, 3], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.probabilities, logits.softmax(1)[:, 3], rtol=1e-5, atol=1e-6)
    assert found.value == pytest.approx(float(question.value[1]), abs=1e-6)
    again = scores_of_boxes(question, 1, BOXES[1:2], covering=covering)
    assert float(again.values[0]) == pytest.approx(float(found.values[1]), abs=1e-6)


def test_no_box_gives_the_picture_as_it_is(question: Question) -> None:
    found = scores_of_boxes(question, 0, [])
    assert len(found.values) == 0
    assert found.value == pytest.approx(float(question.value[0]), abs=1e-6)


@pytest.mark.parametrize("box", [(0, 0, 0, 4), (0, 0, 25, 4), (-1, 0, 3, 4), (2, 8, 4, 8)])
def test_a_box_must_lie_in_the_picture(question: Question, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput, match=r"boxes must be top < bottom <= 24 and left < right <= 20, from 0 on"):
        scores_of_boxes(question, 0, [box])


def test_a_cover_must_fit(question: Question) -> None:
    with pytest.raises(BadInput, match=r"baseline must be a tensor that extends to 3 x 24 x 20.*\(3, 9, 9\)"):
        covering_of(question, 0, torch.zeros(3, 9, 9))
