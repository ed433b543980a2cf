"""Dropout: another rate, active when predicting, back again."""

from __future__ import annotations

import typing
from collections import OrderedDict

import pytest
import torch
from torch import nn

from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput
from cutaway.graph.kinds import kind_class
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edits import SetDropout

X = torch.rand(3, 3, 6, 6, generator=torch.Generator().manual_seed(1)) + 1


def network() -> Model:
    body = OrderedDict(
        maps=nn.Dropout2d(0.2),
        depth=kind_class("StochasticDepth")(0.1, "row"),
        path=kind_class("DropPath")(0.1),
        alpha=nn.AlphaDropout(0.3),
        flat=nn.Flatten(),
        drop=nn.Dropout(0.5),
        fc=nn.Linear(108, 3),
    )
    return Model(trace(nn.Sequential(body)), InputContract((6, 6)), ("a", "b", "c"))


def layer(model: Model, name: str) -> typing.Any:
    return model.graph.get_submodule(name)


@pytest.mark.parametrize(
    ("name", "key"), [("maps", "p"), ("depth", "p"), ("path", "drop_prob"), ("alpha", "p"), ("drop", "p")]
)
def test_the_rate_is_for_training_and_answers_stay(name: str, key: str) -> None:
    before = network()
    after = apply(before, [SetDropout(name, 0.75)])
    assert getattr(layer(after, name), key) == 0.75
    assert getattr(layer(before, name), key) != 0.75
    assert torch.equal(after.graph(X), before.graph(X))


def test_at_prediction_half_is_zero_and_half_is_doubled() -> None:
    before = network()
    after = apply(before, [SetDropout("drop", 0.5, at_prediction=True, seed=3)])
    kept = trace_steps(after.graph, X)
    ratio = kept["drop"] / kept["flat"]
    assert set(ratio.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(ratio[0], ratio[1])
    assert torch.equal(trace_steps(after.graph, X[1:2])["drop"], kept["drop"][1:2])
    other = apply(before, [SetDropout("drop", 0.5, at_prediction=True, seed=4)])
    assert not torch.equal(trace_steps(other.graph, X)["drop"], kept["drop"])


def test_whole_maps_stay_whole_and_back_is_as_before() -> None:
    before = network()
    after = apply(before, [SetDropout("maps", 0.5, at_prediction=True)])
    zero = trace_steps(after.graph, X)["maps"] == 0
    assert torch.equal(zero.all(3).all(2), zero.any(3).any(2))
    assert zero.any()
    again = apply(after, [SetDropout("maps", 0.3, at_prediction=True)])
    assert repr(layer(again, "maps")) == "AlwaysDropout(p=0.3, seed=0, whole_maps=True)"
    back = apply(after, [SetDropout("maps", 0.2)])
    assert repr(layer(back, "maps")) == repr(layer(before, "maps"))
    assert torch.equal(back.graph(X), before.graph(X))
    flat = apply(before, [SetDropout("drop", 0.1, at_prediction=True), SetDropout("drop", 0.4)])
    assert repr(layer(flat, "drop")) == "Dropout(p=0.4, inplace=False)"


REFUSED = [
    (SetDropout("drop", 1.2), "a dropout rate is a share from 0 to 1. Got 1.2"),
    (SetDropout("drop", 0.5, True, -3), r"a seed is a whole number from 0 to 2\^63 - 1. Got -3"),
    (SetDropout("fc", 0.5), "fc is a Linear, not a dropout layer. Those are maps, depth, path, alpha, drop"),
    (SetDropout("alpha", 0.5, True), "alpha is a AlphaDropout, which can drop in training only; its rate can be set"),
    (SetDropout("path", 0.5, True), "path is a DropPath, which can drop in training only"),
]


@pytest.mark.parametrize(("edit", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_does_not_fit_is_said(edit: SetDropout, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        operated(network(), [edit])


def test_a_network_without_dropout() -> None:
    model = Model(trace(nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 1, 1)))), InputContract((2, 2)), ())
    with pytest.raises(BadInput, match=r"conv is a Conv2d, not a dropout layer. The network has none: insert one"):
        operated(model, [SetDropout("conv", 0.5)])


def test_sentences() -> None:
    assert SetDropout("drop", 0.5).sentence == "set drop's dropout rate to 0.5"
    assert SetDropout("drop", 0.5, True, 2).sentence == "set drop's dropout rate to 0.5, at prediction too (seed 2)"
