"""LIME: equal to lime's own picture explainer on the same regions, the same for the same seed, right where known."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.engine.prepare import prepare
from cutaway.errors import BadInput, MissingExtra
from cutaway.events import Progress
from cutaway.explanation.explanation import explained
from cutaway.explanation.lime_map import METHOD, LimeSettings, regions_of
from cutaway.explanation.method import Answer
from cutaway.explanation.question import Question, ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

pytest.importorskip("lime")


class LeftHalf(nn.Module):
    """Class 0 is how bright the left half is, class 1 how bright all of it is less that."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3 * 16 * 16, 2, bias=False)
        weight = torch.zeros(2, 3, 16, 16)
        weight[0, :, :, :8] = 0.05
        weight[1, :, :, 8:] = 0.05
        self.read.weight.data = weight.flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.read(torch.flatten(x, 1))


def asked(count: int = 1, against: list[int] | None = None) -> Question:
    model = Model(trace(LeftHalf()), InputContract((16, 16)), ("left", "right"))
    pixels = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    return ask(model, pixels, [0] * count, against)


def answered(question: Question, **settings: Any) -> tuple[Answer, list[Progress]]:
    events, seen = explained(METHOD, question, LimeSettings(**{"samples": 200, "regions": 16, **settings})), []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return end.value[0], seen


def test_it_is_limes_own_explainer_on_the_same_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    from lime import lime_image

    monkeypatch.setattr(lime_image, "tqdm", list)
    question = asked()
    explainer = lime_image.LimeImageExplainer(random_state=3)
    theirs = explainer.explain_instance(
        question.pixels[0],
        lambda copies: question.values_at(0, question.logits(prepare(copies, question.contract))).numpy()[:, None],
        labels=(0,), top_labels=None, num_samples=200, random_seed=0, segmentation_fn=lambda p: regions_of(p, 16),
    )  # fmt: skip
    weights = dict(theirs.local_exp[0])
    expected = np.vectorize(weights.get)(theirs.segments)
    mine, _ = answered(question, seed=3)
    np.testing.assert_allclose(mine.maps[0], expected, rtol=1e-4, atol=1e-5)


def test_a_network_that_reads_the_left_half_has_its_map_there() -> None:
    """Black cover: hiding a region takes away exactly what the linear network reads in it."""
    question = asked()
    regions = regions_of(question.pixels[0], 16)
    answer, _ = answered(question, cover="black", samples=1000)
    left = np.abs(answer.maps[0][:, :8]).mean()
    assert np.abs(answer.maps[0][:, 9:]).mean() < 0.1 * left
    read = 0.05 * question.x[0].numpy().sum(0) * (np.arange(16) < 8)
    exact = np.bincount(regions.ravel(), read.ravel())[regions]
    assert np.corrcoef(answer.maps[0].ravel(), exact.ravel())[0, 1] > 0.99
    assert "explains 100% of what hiding regions does." in answer.notes[0] or "explains 9" in answer.notes[0]


def test_the_difference_of_two_classes_is_explained() -> None:
    answer, _ = answered(asked(against=[1]), cover="black")
    assert answer.maps[0][:, :7].mean() > 0 > answer.maps[0][:, 9:].mean()


def test_same_seed_same_map_and_progress_counts_every_copy() -> None:
    question = asked(2)
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, seen = answered(question, seed=5)
    second, _ = answered(question, seed=5)
    np.testing.assert_array_equal(first.maps, second.maps)
    assert not np.array_equal(first.maps, answered(question, seed=6)[0].maps)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (8, 400, 400)
    assert np.array_equal(state, np.random.get_state()[1])
    assert torch.equal(torch_state, torch.get_rng_state())
    assert first.maps.shape == (2, 16, 16)
    assert first.maps.dtype == np.float32


@pytest.mark.parametrize("cover", ["region", "grey", "white"])
def test_a_picture_of_one_colour_still_gets_regions(cover: str) -> None:
    flat = np.full((16, 16, 3), 90, np.uint8)
    assert len(np.unique(regions_of(flat, 16))) == 16
    assert len(np.unique(regions_of(flat[:2, :1], 50))) == 2
    question = asked()
    answer, _ = answered(question.with_(pixels=flat[None], x=prepare(flat[None], question.contract)), cover=cover)
    assert np.isfinite(answer.maps).all()


def test_a_model_that_is_not_linear_in_regions_says_so() -> None:
    class Parity(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            odd = torch.sin(x.sum((1, 2, 3)) * 50)
            return torch.stack([odd, -odd], 1)

    model = Model(trace(Parity()), InputContract((16, 16)), ("a", "b"))
    answer, _ = answered(ask(model, asked().pixels, [0]), cover="black")
    assert "Less than half: do not trust the map." in answer.notes[0]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match=r"regions must be at least 2\. Got 1\."):
        LimeSettings(regions=1)
    with pytest.raises(BadInput, match=r"samples must be at least 10\. Got 9\."):
        LimeSettings(samples=9)
    with pytest.raises(BadInput, match=r"cover must be region, black, grey or white\. Got 'pink'\."):
        LimeSettings(cover="pink")
    with pytest.raises(BadInput, match=r"seed must be from 0 to 4294967295\. Got -1\."):
        LimeSettings(seed=-1)


def test_without_lime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lime.lime_base", None)
    with pytest.raises(MissingExtra, match=r"LIME needs .*pip install 'cutaway\[lime\]'"):
        answered(asked())
