"""explanation.one_picture: the same as asking anew, made once, whatever the order; what cannot be explained."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.explanation import one_picture
from cutaway.explanation.checks import check
from cutaway.explanation.explanation import explained
from cutaway.explanation.method import method_named
from cutaway.explanation.one_picture import OnePicture, Why
from cutaway.explanation.question import ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)


def drained(work: Generator[Any, None, Any]) -> Any:
    try:
        while True:
            next(work)
    except StopIteration as ended:
        return ended.value


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    return Model(trace(nn.Sequential(*layers).eval()), InputContract((12, 12), scale=2.0, offset=-1.0), tuple("abc"))


def test_maps_and_checks_are_those_of_a_question_of_its_own(model: Model) -> None:
    picture = OnePicture(model, PIXELS, "cat.png", "ab12")
    for why in (Why(0), Why(2), Why(1, 0)):
        question = ask(model, PIXELS[None], [why.target], None if why.against is None else [why.against])
        for name in ("gradcam", "saliency", "occlusion"):
            method = method_named(name)
            found = drained(picture.checked(method, method.settings(), why))
            answer, _ = drained(explained(method, question, method.settings()))
            (checks,) = drained(check(method, question, method.settings(), answer))
            assert np.array_equal(found.map, answer.maps[0])
            assert {**found.checks.to_dict(), "seconds": 0} == {**checks.to_dict(), "seconds": 0}
            assert found.value == pytest.approx(float(question.value[0]), rel=1e-6)
    assert (found.target, found.against, found.picture, found.sha256) == ("b", "a", "cat.png", "ab12")


def test_what_was_made_is_kept_and_known(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, method = OnePicture(model, PIXELS), method_named("gradcam")
    settings = method.settings()
    assert picture.known(method, settings, Why(0)) is None
    made = drained(picture.made(method, settings, Why(0)))
    assert made.checks is None
    monkeypatch.setattr(one_picture, "explained", None)  # it is not run again
    assert drained(picture.made(method, settings, Why(0))).map.base is made.map.base
    known = picture.known(method, settings, Why(0))
    assert known is not None
    assert np.shares_memory(known.map, made.map)
    assert picture.known(method, method.settings(relu=True), Why(0)) is None


def test_the_oldest_maps_go_first(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_picture, "MOST_MAPS", 2)
    picture, method = OnePicture(model, PIXELS), method_named("gradcam")
    for target in range(3):
        drained(picture.made(method, method.settings(), Why(target)))
    known = [picture.known(method, method.settings(), Why(target)) is not None for target in range(3)]
    assert known == [False, True, True]


def test_an_answer_that_is_not_finite_has_no_reasons(model: Model) -> None:
    with torch.no_grad():
        next(model.graph.parameters()).fill_(torch.inf)
    with pytest.raises(BadModel, match="The network's answer to this picture is not finite, so there is nothing to ex"):
        OnePicture(model, PIXELS)
