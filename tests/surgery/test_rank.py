"""Ranking: every number is what the edited network gives on all pictures; stopped and gone on, it counts the same."""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.events import Progress
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.reports.metrics import measure
from cutaway.surgery import rank as room
from cutaway.surgery.apply import apply
from cutaway.surgery.edits import Remove, Silence
from cutaway.surgery.rank import Parts, Standing, parts_of, ranking
from cutaway.surgery.worth import most_worth_first, worths

COUNT = 13
PHOTOS = np.random.default_rng(0).integers(0, 256, (COUNT, 12, 12, 3), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 3, COUNT)


def small(probabilities: bool = False, temperature: float = 1.0) -> Model:
    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(216, 5), nn.ReLU(), nn.Linear(5, 3),
        *([nn.Softmax(1)] if probabilities else []),
    )  # fmt: skip
    nn.init.normal_(net[9].weight, std=2.0)  # type: ignore[arg-type]
    graph = trace(net.eval())
    return Model(graph, InputContract((12, 12)), ("a", "b", "c"), probabilities, {}, temperature)


def through(running: Generator[Progress, None, Standing]) -> tuple[Standing, list[Progress]]:
    seen = []
    while True:
        try:
            seen.append(next(running))
        except StopIteration as end:
            return end.value, seen


def ranked(model: Model, parts: Parts, labels: Any = LABELS, **options: Any) -> Standing:
    return through(ranking(model, parts, lambda at: PHOTOS[at], labels, COUNT, **options))[0]


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("by", ["channel", "layer"])
def test_every_number_is_that_of_the_edited_network(by: Any, probabilities: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr(room, "_CHUNK", 5)
    model = small(probabilities, temperature=1.7)
    parts = parts_of(model, by)
    assert len(parts.parts) == (17 if by == "channel" else 5)
    whole, rows = worths(parts, ranked(model, parts))
    names = [str(i) for i in range(COUNT)]
    for row in rows:
        part = row.part
        edit = Remove(part.at) if part.channel is None else Silence(part.at, (part.channel,))
        logits = apply(model, [edit]).logits(PHOTOS).numpy() / 1.7
        expected = measure("x", names, LABELS, logits, model.classes)
        assert row.accuracy == pytest.approx(expected.accuracy)
        assert row.loss == pytest.approx(expected.loss, rel=1e-5)
        assert expected.calibration is not None
        assert row.ece == pytest.approx(expected.calibration.ece, abs=1e-5)
        assert row.loss_cost == pytest.approx(row.loss - whole.loss)
        assert row.changed >= row.broken + row.mended
    assert whole.accuracy == pytest.approx(float((model.logits(PHOTOS).argmax(1).numpy() == LABELS).mean()))
    first = most_worth_first(rows)[0]
    assert first.accuracy_cost == max(row.accuracy_cost for row in rows)


def test_without_labels_answers_that_stay_are_counted() -> None:
    model = small()
    parts = parts_of(model, "channel", ["3"])
    whole, rows = worths(parts, ranked(model, parts, labels=None))
    answers = model.logits(PHOTOS).argmax(1)
    assert (whole.accuracy, whole.ece > 0) == (1.0, True)
    for row in rows:
        kept = apply(model, [Silence("4", (row.part.channel or 0,))]).logits(PHOTOS).argmax(1) == answers
        assert row.accuracy == pytest.approx(float(kept.float().mean()))
        assert row.changed == int((~kept).sum())
        assert row.name == f"3[{row.part.channel}]"


@pytest.mark.parametrize("by", ["channel", "layer"])
@pytest.mark.parametrize("steps", [1, 2, 4, 7, 12])
def test_stopped_and_gone_on_it_counts_the_same(by: Any, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_CHUNK", 4)
    model = small()
    parts = parts_of(model, by)
    expected = ranked(model, parts)
    kept: list[Standing] = []
    running = ranking(model, parts, lambda at: PHOTOS[at], LABELS, COUNT, None, lambda s: kept.append(copy.deepcopy(s)))
    for _ in range(steps):
        next(running)
    with pytest.raises(StopIteration) as stopped:
        running.throw(KeyboardInterrupt())
    half = stopped.value.value
    assert half.done < COUNT
    assert kept[-1].done == half.done
    again = ranked(model, parts, start=copy.deepcopy(kept[-1]))
    assert again.done == COUNT
    for a, b in zip(expected.tally.arrays, again.tally.arrays, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(expected.plain.loss, again.plain.loss)


def test_progress_goes_up_to_the_end() -> None:
    model = small()
    parts = parts_of(model, "channel")
    _, seen = through(ranking(model, parts, lambda at: PHOTOS[at], LABELS, COUNT))
    done = [p.done for p in seen]
    assert done == sorted(done)
    assert (done[0], done[-1], seen[0].total) == (0, COUNT * 17, COUNT * 17)


def test_only_what_lies_behind_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer runs once for each picture, however many channels are silenced behind it."""
    model = small()
    calls: list[int] = []
    convolve = nn.Conv2d.forward
    monkeypatch.setattr(
        nn.Conv2d,
        "forward",
        lambda self, x: (calls.append(len(x)) if self.in_channels == 3 else None, convolve(self, x))[1],
    )
    parts = parts_of(model, "channel", ["3", "7"])
    calls.clear()
    running = ranking(model, parts, lambda at: PHOTOS[at], LABELS, COUNT)
    shapes = len(calls)
    through(running)
    assert sum(calls[shapes:]) <= COUNT + 2, "and twice on one picture for the shapes"


def test_names_mean_the_layer_or_what_follows_it() -> None:
    model = small()
    for name in ("0", "1", "2"):
        assert {p.name for p in parts_of(model, "channel", [name]).parts} == {"0"}
    with pytest.raises(
        BadInput, match=r"5 has no channels to rank: name a convolution or a dense layer .* there are 0, 3"
    ):
        parts_of(model, "channel", ["5"])
    with pytest.raises(BadInput, match="no layer 'conv9'"):
        parts_of(model, "channel", ["conv9"])
    with pytest.raises(BadInput, match=r"No layer can be left out .* staying as they are: 0, 3 x 12 x 12 go in"):
        parts_of(model, "layer", ["0"])
    with pytest.raises(BadInput, match=r"There is no block to leave out in this network"):
        parts_of(model, "block")
    with pytest.raises(BadInput, match=r"x is no block that could be left out; there are none"):
        parts_of(model, "block", ["x"])


def test_answers_must_be_numbers_and_as_many_as_classes() -> None:
    model = small()
    parts = parts_of(model, "channel", ["3"])
    wrong = Model(model.graph, model.contract, ("a", "b"))
    with pytest.raises(BadModel, match=r"gives 3 numbers for a picture and has 2 class names"):
        ranked(wrong, parts)
    with torch.no_grad():
        model.graph.get_submodule("9").bias[0] = float("nan")  # type: ignore[union-attr, operator]
    with pytest.raises(BadModel, match="own answers are not finite numbers"):
        ranked(model, parts)
