"""explanation.method and explanation: names, knobs, and the one way a method is run."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.explanation.explanation import explained
from cutaway.explanation.method import METHODS, Answer, Method, method_named, settings_of
from cutaway.explanation.question import Question, ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model


def test_names_without_hyphens_and_capitals() -> None:
    assert method_named("Saliency").name == "saliency"
    assert method_named("gradient").name == "saliency"
    with pytest.raises(BadInput, match=r"There is no method 'salience'\. Nearest: saliency.* Methods: saliency, "):
        method_named("salience")
    with pytest.raises(BadInput, match=r"There is no method ''\. Methods"):
        method_named("")


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_says_what_it_is(name: str) -> None:
    method = method_named(name)
    assert method.name == name
    assert method.says.endswith(".")
    assert any(c.isdigit() for c in method.paper), "the paper has a year"
    assert method.title
    assert method.runs
    assert not method.layered or "layer" in method.settings.__dataclass_fields__
    method.settings()


def test_knobs_are_read_by_their_kind() -> None:
    smooth = method_named("smoothgrad")
    assert settings_of(smooth, {"samples": "7"}).samples == 7
    assert settings_of(smooth, {"samples": 9}).samples == 9
    with pytest.raises(BadInput, match=r"samples of SmoothGrad must be a whole number\. Got 'many'"):
        settings_of(smooth, {"samples": "many"})
    with pytest.raises(BadInput, match=r"SmoothGrad has no setting 'steps'; it has "):
        settings_of(smooth, {"steps": "1"})
    with pytest.raises(BadInput, match=r"Saliency has no setting 'steps'; it has no settings\."):
        settings_of(method_named("saliency"), {"steps": "1"})


def test_maps_that_are_not_finite_are_refused() -> None:
    def broken(question: Question, _: object) -> Answer:
        return Answer(np.full((len(question), *question.size), np.nan, np.float32))

    model = Model(trace(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).eval()), InputContract((4, 4)), ("a", "b"))
    asked = ask(model, np.zeros((1, 4, 4, 3), np.uint8))
    method = Method("broken", "Broken", "No.", "Nobody 2000", "", "nothing", broken)
    with pytest.raises(BadModel, match=r"Broken gave values that are not finite"):
        list(explained(method, asked, method.settings()))
