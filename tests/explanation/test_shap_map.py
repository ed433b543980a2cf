"""SHAP: Shapley values of a network whose values are known, additive to the last digit, the same for the same seed."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.errors import BadInput, MissingExtra
from cutaway.events import Progress
from cutaway.explanation.explanation import explained
from cutaway.explanation.method import Answer
from cutaway.explanation.question import Question, ask
from cutaway.explanation.shap_map import METHOD, ShapSettings
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

SIDE = 8


def asked(net: nn.Module, count: int = 1, side: int = SIDE) -> Question:
    model = Model(trace(net.eval()), InputContract((side, side)), ("a", "b"))
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    return ask(model, pixels, [0] * count)


def answered(question: Question, **settings: Any) -> tuple[Answer, list[Progress]]:
    events, seen = explained(METHOD, question, ShapSettings(**settings)), []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return end.value[0], seen


@pytest.fixture(scope="module", autouse=True)
def _library() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("shap")


def test_a_linear_network_gets_its_exact_values() -> None:
    """Shapley values of a linear model: weight x (value - baseline), whatever the order."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2))
    question = asked(net, side=4)
    answer, _ = answered(question, samples=200, baseline="black")  # 170 copies reach every pixel
    weight = net[1].weight[0].detach().view(3, 4, 4)
    np.testing.assert_allclose(answer.maps[0], (weight * question.x[0]).sum(0).numpy(), atol=1e-5)


def test_maps_add_up_to_the_change_of_the_answer() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    question = asked(net, 2)
    answer, seen = answered(question, samples=60)
    assert answer.base is not None
    np.testing.assert_allclose(answer.maps.sum((1, 2)), question.value.numpy() - answer.base, atol=1e-5)
    assert (answer.maps.shape, answer.maps.dtype) == ((2, SIDE, SIDE), np.float32)
    assert (seen[-1].done, seen[-1].total) == (120, 120)
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_same_seed_same_map_and_nobody_elses_numbers_are_touched() -> None:
    torch.manual_seed(0)
    question = asked(nn.Sequential(nn.Conv2d(3, 2, SIDE), nn.Flatten()))
    np.random.seed(3)
    state, torch_state, threads = np.random.get_state()[1].copy(), torch.get_rng_state(), threading.active_count()
    events = explained(METHOD, question, ShapSettings(samples=40))
    next(events)
    assert np.array_equal(state, np.random.get_state()[1])  # also while it is under way
    events.close()
    assert threading.active_count() == threads
    first, second = answered(question, samples=40)[0].maps, answered(question, samples=40)[0].maps
    np.testing.assert_array_equal(first, second)
    assert np.array_equal(state, np.random.get_state()[1])
    assert torch.equal(torch_state, torch.get_rng_state())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match=r"samples must be at least 10\. Got 1\."):
        ShapSettings(samples=1)
    with pytest.raises(BadInput, match=r"baseline must be black, .* or zero\. Got 'pink'\."):
        ShapSettings(baseline="pink")
    with pytest.raises(BadInput, match=r"seed must be from 0 to 4294967295\. Got -1\."):
        ShapSettings(seed=-1)


def test_without_shap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingExtra, match=r"SHAP needs .*pip install 'cutaway\[shap\]'"):
        answered(asked(nn.Sequential(nn.Conv2d(3, 2, SIDE), nn.Flatten())))
