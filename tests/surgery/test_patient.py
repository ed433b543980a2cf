"""The model's copy under the knife: layers that serve several steps, names, what counts as changed, what is kept."""

from __future__ import annotations

import json
import typing

import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edits import RandomiseWeights, ScaleWeights, SetActivation, SetBias, SetWeight, Silence
from cutaway.surgery.patient import Patient, twin


class Shared(nn.Module):
    """One convolution used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.fc = nn.Linear(75, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return typing.cast(torch.Tensor, self.fc((self.conv(self.conv(x)) + self.conv(x)).flatten(1)))


def network() -> Model:
    torch.manual_seed(0)
    return Model(trace(Shared()), InputContract((5, 5)), ("a", "b"))


NAMES = ["x", "conv", "conv_1", "conv_2", "add", "flatten", "fc"]


@pytest.mark.parametrize("name", ["conv", "conv_1", "conv_2"])
def test_a_layer_of_several_steps_is_changed_for_one_and_names_stay(name: str) -> None:
    before = network()
    assert list(names_of(before.graph)) == NAMES
    after = apply(before, [ScaleWeights(name, 2.0), SetBias(name, 1.0), SetWeight(name, (0, 0, 0, 0), 9.0)])
    assert list(names_of(after.graph)) == NAMES
    layers = {n: after.graph.get_submodule(str(names_of(after.graph)[n].target)) for n in NAMES[1:4]}
    old = before.graph.get_submodule("conv")
    for other, layer in layers.items():
        if other == name:
            assert layer.bias.tolist() == [1, 1, 1]  # type: ignore[operator,union-attr]
            wanted = old.weight * 2  # type: ignore[operator]
            assert (layer.weight != wanted).sum() == 1  # type: ignore[attr-defined,operator]
        else:
            assert layer is old
    x = torch.rand(1, 3, 5, 5)
    use = {n: (lambda v, m=m: m(v)) for n, m in layers.items()}
    wanted = before.graph.get_submodule("fc")((use["conv_1"](use["conv"](x)) + use["conv_2"](x)).flatten(1))
    torch.testing.assert_close(after.graph(x), wanted)


def test_two_of_three_uses_are_changed_one_after_the_other() -> None:
    after = apply(network(), [SetBias("conv", 1.0), SetBias("conv_2", 2.0), SetBias("conv", 3.0)])
    biases = [after.graph.get_submodule(str(names_of(after.graph)[n].target)).bias for n in NAMES[1:4]]
    assert biases[0].tolist() == [3] * 3  # type: ignore[union-attr,operator]
    assert biases[1] is None
    assert biases[2].tolist() == [2] * 3  # type: ignore[union-attr,operator]
    again = apply(after, [SetBias("conv_1", 5.0)])
    assert list(names_of(again.graph)) == NAMES


def test_a_twin_shares_numbers_until_one_is_replaced() -> None:
    block = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    other = twin(block)
    assert other[0].weight is block[0].weight  # type: ignore[index]
    other[0]._parameters["weight"] = nn.Parameter(torch.zeros(2, 2))  # type: ignore[index]
    assert block[0].weight.any()


def test_weights_that_learned_can_learn_again() -> None:
    before = network()
    typing.cast(nn.Conv2d, before.graph.get_submodule("conv")).weight.requires_grad_(False)
    after = apply(before, [ScaleWeights("fc", 2.0), ScaleWeights("conv", 2.0), SetBias("conv", 0.0)])
    learns = {n: p.requires_grad for n, p in after.graph.named_parameters()}
    assert learns == {
        "conv.weight": False,
        "conv.bias": True,
        "conv_1.weight": False,
        "fc.weight": True,
        "fc.bias": True,
    }


def test_what_changed_is_named() -> None:
    assert operated(network(), [ScaleWeights("conv_1", 2.0)]).changed == {"conv_1"}
    assert operated(network(), [Silence("conv", (1,))]).changed == {"conv_channels", "conv_1"}
    assert operated(network(), [Silence("fc", (1,))]).changed == {"fc_channels"}


def test_an_inserted_layer_takes_a_free_name() -> None:
    patient = Patient(network())
    for wanted in ("conv", "graph", "forward", "a b"):
        patient.insert_after("add", wanted, nn.ReLU())
    model = patient.model({})
    assert list(names_of(model.graph))[5:9] == ["a_b", "forward_2", "graph_2", "conv_3"]
    assert model.graph(torch.rand(1, 3, 5, 5)).shape == (1, 2)


def test_bypassed_steps_are_taken_out() -> None:
    patient = Patient(network())
    patient.bypass("add", "conv_2")
    model = patient.model({"why": "test"})
    assert list(names_of(model.graph)) == ["x", "conv_2", "flatten", "fc"]
    assert model.card == {"why": "test"}


def test_a_function_takes_no_settings() -> None:
    with pytest.raises(BadInput, match="add is a function, not a layer with settings; name a layer"):
        Patient(network()).layer("add")
    with pytest.raises(BadInput, match="add is a function, not a layer with settings"):
        Patient(network()).put("add", nn.ReLU())
    with pytest.raises(BadInput, match="x is the input, not a layer with settings"):
        Patient(network()).own("x")


def test_what_must_learn_again_and_what_was_adapted_is_remembered() -> None:
    once = apply(network(), [RandomiseWeights("conv"), SetBias("conv", 1.0)])
    twice = apply(once, [RandomiseWeights("fc"), SetBias("conv_1", 1.0)])
    assert list(json.loads(twice.card["untrained"])) == ["conv", "fc"]
    assert twice.card["adapted"] == "conv had no bias and has one now. conv_1 had no bias and has one now."
    assert [e["edit"] for e in json.loads(twice.card["edits"])] == ["randomise_weights", "set_bias"] * 2
    assert apply(network(), []).card == {}


def test_the_edit_that_does_not_fit_is_named() -> None:
    with pytest.raises(
        BadInput, match=r"^set cnov's activation to relu: The network has no layer 'cnov'. Nearest: conv"
    ):
        apply(network(), [SetBias("conv", 1.0), SetActivation("cnov", "relu")])


def test_the_graph_is_copied_only_where_an_edit_changes_it() -> None:
    model = network()
    x = torch.rand(1, 3, 5, 5)
    before, steps = model.graph(x), list(names_of(model.graph))
    weights = apply(model, [ScaleWeights("fc", 2.0)])
    assert weights.graph.graph is model.graph.graph
    for edit in (Silence("conv", (1,)), SetBias("conv_1", 1.0)):  # a layer more; a layer that serves two steps
        for edits in ([edit], [ScaleWeights("fc", 2.0), edit, SetBias("fc", 0.0)]):
            edited = apply(weights, edits)
            assert edited.graph.graph is not model.graph.graph
            assert not torch.equal(edited.graph(x), weights.graph(x))
    assert list(names_of(model.graph)) == list(names_of(weights.graph)) == steps
    assert torch.equal(model.graph(x), before)


def test_a_copied_patient_and_the_first_do_not_see_each_other() -> None:
    first = Patient(network())
    first.own("fc").bias = None
    second = first.copied()
    for patient, scale in ((first, 2.0), (second, 3.0)):
        patient.undergo(ScaleWeights("fc", scale))
        patient.insert_after("add", "more", nn.ReLU())
    weights = [p.model({}).graph.get_parameter("fc.weight") for p in (first, second)]
    assert torch.allclose(weights[0] / 2, weights[1] / 3)
    assert torch.allclose(weights[0] / 2, first.original.graph.get_parameter("fc.weight"))
    assert all("more" in names_of(p.graph) for p in (first, second))
