"""Edits on a data set: against each model alone, by counting what is run, and by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.events import Progress
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery import edits as e
from cutaway.surgery import effect_data
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.effect_data import Batches, all_answers, data_effect, different, must_be_finite

N = 70
PIXELS: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 256, (N, 10, 10, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(1)
    layers = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 3))
    return Model(trace(nn.Sequential(*layers).eval()), InputContract((10, 10)), ("a", "b", "c"))


def rows(at: NDArray[np.int64]) -> NDArray[np.uint8]:
    return PIXELS[at]


def run(models: Sequence[Model]) -> tuple[list[Any], list[Any]]:
    work = all_answers(models, {m.contract: rows for m in models}, N)
    told = []
    while True:
        try:
            told.append(next(work))
        except StopIteration as end:
            return end.value, told


@pytest.mark.parametrize("most_bytes", [0, 10**9])
def test_equal_to_each_model_alone(model: Model, most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effect_data, "MOST_BYTES", most_bytes)
    edits: list[Edit] = [e.Silence("3", (1,)), e.SetActivation("1", "tanh")]
    models = [model, *(apply(model, [edit]) for edit in edits)]
    other = dataclasses.replace(model, contract=dataclasses.replace(model.contract, scale=2.0, offset=-1.0))
    found, told = run([*models, other, dataclasses.replace(model, classes=("x", "y", "z"))])
    for one, logits in zip([*models, other, model], found, strict=True):
        assert np.allclose(logits, one.logits(PIXELS).numpy(), atol=1e-6)
    assert told[-1] == Progress("answer", 5 * N, 5 * N, "answers")


def test_what_no_edit_changes_is_run_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    before = nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: seen.append(len(x)) or before(self, x))
    run([model, apply(model, [e.Silence("3", (0,))]), apply(model, [e.SetActivation("3", "tanh")])])
    assert sum(seen) == 2 * N  # both convolutions lie above every edit
    seen.clear()
    run([model, dataclasses.replace(model, classes=("x", "y", "z"))])
    assert sum(seen) == 2 * N  # the same network


def test_what_is_different(model: Model) -> None:
    assert different([model]) == ()
    assert different([model, apply(model, [e.SetActivation("3", "tanh")])]) == ("3", "4", "5")
    assert different([model, apply(model, [e.SetActivation("3", "tanh")]), apply(model, [e.Silence("5", (0,))])]) == (
        "3", "4", "5"
    )  # fmt: skip


def test_batches_are_made_when_they_are_asked_for(model: Model) -> None:
    batches = Batches(rows, model.contract, np.arange(3, 20))
    assert [len(b) for b in batches] == [8, 8, 1]
    assert [len(b) for b in batches[1:]] == [8, 1]
    assert torch.allclose(batches[2][0], torch.from_numpy(PIXELS[19].astype(np.float32) / 255).permute(2, 0, 1))


def test_figures_by_hand(model: Model) -> None:
    z = np.log(np.array([[8, 1, 1], [1, 8, 1], [1, 1, 8], [6, 3, 1]], np.float32) / 10)
    w = np.log(np.array([[8, 1, 1], [8, 1, 1], [1, 1, 8], [3, 6, 1]], np.float32) / 10)
    labels = np.array([0, 1, 2, 1])
    found = data_effect("photos", (model, model), (z, w), ["p", "q", "r", "s"], labels)
    assert found.before is not None
    assert found.after is not None
    assert (found.before.correct, found.after.correct, found.won, found.lost) == (3, 3, 1, 1)
    assert found.agreement == 0.5
    assert found.apart == pytest.approx((0.7 + 0.3) / 4)
    assert [(f.name, f.true, f.before[0], f.after[0]) for f in found.flips] == [
        ("q", "b", "b", "a"),
        ("s", "b", "a", "b"),
    ]
    assert found.flips[0].after[1] == pytest.approx(0.8, abs=1e-6)
    plain = found.to_dict()
    assert plain["before"]["accuracy"] == plain["after"]["accuracy"] == 0.75
    assert plain["flips"][0] == {
        "picture": "q", "true": "b", "before": {"class": "b", "probability": 0.8},
        "after": {"class": "a", "probability": 0.8},
    }  # fmt: skip
    assert data_effect("photos", (model, model), (z, z), ["p", "q", "r", "s"], None).to_dict()["before"] is None


def test_what_cannot_be_compared(model: Model) -> None:
    z = np.zeros((2, 3), np.float32)
    with pytest.raises(BadInput, match="No picture of photos was given"):
        data_effect("photos", (model, model), (z[:0], z[:0]), [], None)
    with pytest.raises(BadInput, match="answers with 3 classes and the edited one with 2"):
        data_effect("photos", (model, model), (z, z[:, :2]), ["p", "q"], None)


def test_an_answer_that_is_no_number_names_the_layer(model: Model) -> None:
    broken = apply(model, [e.SetBias("2", 3e38), e.ScaleBias("2", 3.0)])
    (_, logits), _ = run([model, broken])
    names = [f"{n}.png" for n in range(N)]
    with pytest.raises(
        BadModel, match=r"The edited model gives no finite answer to 70 of 70 .*0.png\): 2 is the first"
    ):
        must_be_finite(broken, logits, rows, names, "The edited model")
    must_be_finite(model, model.logits(PIXELS).numpy(), rows, names, "The model")
