"""Occlusion as a method: captum's map, settings, progress, bfloat16 only where it agrees, the model untouched."""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import Occlusion
from torch import nn

from cutaway.errors import BadInput
from cutaway.events import Progress
from cutaway.explanation import occlusion as method
from cutaway.explanation.baseline import baseline
from cutaway.explanation.covering.halved import NOT_NATIVE
from cutaway.explanation.method import Answer, method_named
from cutaway.explanation.occlusion import OcclusionSettings, impressions, occlusion
from cutaway.explanation.question import Question, ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model


def asked(height: int = 31, width: int = 26, pictures: int = 2, against: list[int] | None = None) -> Question:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.ReLU(),
        nn.Conv2d(8, 6, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    ).eval()  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, (pictures, height, width, 3), np.uint8)
    classes = [2, 0, 1][:pictures]
    return ask(Model(trace(network), InputContract((height, width)), tuple("abcd")), pixels, classes, against)


def finished(made: Generator[Progress, None, Answer]) -> tuple[Answer, list[Progress]]:
    events = []
    while True:
        try:
            events.append(next(made))
        except StopIteration as end:
            answer: Answer = end.value
            return answer, events


@pytest.mark.parametrize("cover", ["zero", "grey", "mean", "blur"])
@pytest.mark.parametrize(("window", "stride"), [(5, 3), (7, 7), (1, 1), (26, 4)])
def test_equals_captum(cover: str, window: int, stride: int) -> None:
    question = asked(*((9, 8) if window == 1 else (31, 26)))
    answer, _ = finished(occlusion(question, OcclusionSettings(window, stride, cover)))  # type: ignore[arg-type]
    theirs = Occlusion(question.network).attribute(
        question.x, (3, window, window), (3, stride, stride), baseline(question, cover), question.classes
    )
    logits = question.logits(question.x)
    assert np.abs(answer.maps - theirs[:, 0].numpy()).max() < 1e-4 * float(logits.max() - logits.min())


def test_the_difference_of_two_classes_is_the_difference_of_their_maps() -> None:
    both, _ = finished(occlusion(asked(against=[1, 3]), OcclusionSettings(6, 3)))
    first, _ = finished(occlusion(asked(), OcclusionSettings(6, 3)))
    question = asked()
    second, _ = finished(occlusion(question.with_(classes=torch.tensor([1, 3])), OcclusionSettings(6, 3)))
    np.testing.assert_allclose(both.maps, first.maps - second.maps, atol=1e-5)


def test_progress_counts_windows() -> None:
    answer, events = finished(occlusion(asked(64, 64), OcclusionSettings(4, 4)))
    assert answer.maps.shape == (2, 64, 64)
    assert answer.maps.dtype == np.float32
    done = [event.done for event in events]
    assert done[0] == 0
    assert done == sorted(done)
    assert done[-1] == events[0].total == 2 * 16 * 16


def test_impressions_come_coarse_to_fine() -> None:
    question, settings = asked(64, 90), OcclusionSettings(4, 2)
    found = list(impressions(question, 1, settings))
    exact, _ = finished(occlusion(question, settings))
    total = 31 * 44
    assert [found[0].done, found[-1].done] == [0, total]
    assert len(found) > 3
    np.testing.assert_allclose(found[-1].map, exact.maps[1], rtol=1e-5, atol=1e-7)
    assert len(np.unique(found[0].falls)) <= 25
    assert found[0].falls[0, 0] == pytest.approx(found[-1].falls[0, 0], abs=1e-6)
    errors = [np.abs(one.map - exact.maps[1]).mean() for one in found]
    assert errors[0] > errors[len(found) // 2] > errors[-1]


def test_by_itself_the_window_is_a_fourteenth() -> None:
    own, _ = finished(occlusion(asked(42, 56, 1), OcclusionSettings()))
    same, _ = finished(occlusion(asked(42, 56, 1), OcclusionSettings(3, 1)))
    np.testing.assert_array_equal(own.maps, same.maps)


def test_bfloat16_is_used_where_windows_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "native_bfloat16", lambda _: True)
    question = asked()
    exact, _ = finished(occlusion(question, OcclusionSettings(6, 3)))
    half, _ = finished(occlusion(question, OcclusionSettings(6, 3, precision="bfloat16")))
    assert half.notes[0].startswith("Computed in bfloat16: 16 windows agree with float32 to r = ")
    assert np.corrcoef(half.maps.ravel(), exact.maps.ravel())[0, 1] > 0.98
    assert not np.array_equal(half.maps, exact.maps)


def test_bfloat16_is_left_alone_where_the_processor_only_imitates_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "native_bfloat16", lambda _: False)
    question = asked()
    exact, _ = finished(occlusion(question, OcclusionSettings(6, 3)))
    same, _ = finished(occlusion(question, OcclusionSettings(6, 3, precision="bfloat16")))
    assert same.notes == (NOT_NATIVE,)
    np.testing.assert_array_equal(same.maps, exact.maps)


def test_bfloat16_is_refused_where_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """An offset to which bfloat16 cannot add what the picture says."""
    monkeypatch.setattr(method, "native_bfloat16", lambda _: True)
    question = asked()
    network = copy.deepcopy(question.network)
    with torch.no_grad():
        network.get_submodule("3").bias.add_(1000.0)  # type: ignore[operator]
    question = question.with_(network=network)
    question.__dict__.pop("fast", None)
    exact, _ = finished(occlusion(question, OcclusionSettings(6, 3)))
    tried, _ = finished(occlusion(question, OcclusionSettings(6, 3, precision="bfloat16")))
    assert tried.notes[0].startswith("Computed in float32: in bfloat16 16 windows agree only to r = ")
    np.testing.assert_array_equal(tried.maps, exact.maps)


def test_the_model_and_the_random_state_stay_as_they_were() -> None:
    question = asked()
    before = copy.deepcopy(question.network.state_dict())
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    finished(occlusion(question, OcclusionSettings(8, 8, precision="bfloat16")))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, before[name]) for name, value in question.network.state_dict().items())
    assert all(p.grad is None for p in question.network.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"window": 27}, "window must be from 1 to 26, the picture's shorter side. Got 27"),
        ({"window": -1}, "window must be from 1 to 26"),
        ({"window": 4, "stride": 5}, "stride must be from 1 to the window's 4, so that every pixel is covered. Got 5"),
        ({"precision": "float16"}, "precision must be float32 or bfloat16. Got 'float16'"),
        ({"baseline": "red"}, "baseline must be black, white"),
    ],
)
def test_settings_that_cannot_be(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        finished(occlusion(asked(), OcclusionSettings(**changed)))


def test_it_is_a_method() -> None:
    method = method_named("Occlusion")
    assert (method.cost, method.needs_gradient, method.settings) == ("seconds", False, OcclusionSettings)
