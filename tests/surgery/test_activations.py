"""Activations exchanged: against torch's functions, found from the layer they follow, modules and calls alike."""

from __future__ import annotations

import typing
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput
from cutaway.graph.build import GraphBuilder
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.activations import ActivationName
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edits import RemoveNorm, SetActivation

X = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1)) * 4


def network(*last: nn.Module) -> Model:
    body = OrderedDict(
        conv=nn.Conv2d(3, 4, 3, padding=1),
        bn=nn.BatchNorm2d(4),
        act=nn.ReLU6(),
        pool=nn.MaxPool2d(2),
        flat=nn.Flatten(),
        fc=nn.Linear(36, 3),
    )
    body.update({f"last{i}": layer for i, layer in enumerate(last)})
    return Model(trace(nn.Sequential(body)), InputContract((6, 6)), ("a", "b", "c"), bool(last))


Curve = Callable[[torch.Tensor], torch.Tensor]
CURVES: list[tuple[ActivationName, float | None, Curve]] = [
    ("relu", None, F.relu), ("relu6", None, F.relu6), ("clipped_relu", 2.5, lambda x: x.clamp(0, 2.5)),
    ("leaky_relu", None, lambda x: F.leaky_relu(x, 0.01)), ("leaky_relu", 0.3, lambda x: F.leaky_relu(x, 0.3)),
    ("leaky_relu", -1.0, torch.abs), ("prelu", 0.1, lambda x: F.leaky_relu(x, 0.1)),
    ("elu", 2.0, lambda x: F.elu(x, 2.0)),
    ("selu", None, F.selu), ("celu", 0.5, lambda x: F.celu(x, 0.5)), ("gelu", None, F.gelu),
    ("gelu_tanh", None, lambda x: F.gelu(x, approximate="tanh")), ("silu", None, F.silu), ("mish", None, F.mish),
    ("sigmoid", None, torch.sigmoid), ("tanh", None, torch.tanh), ("softplus", None, F.softplus),
    ("softplus", 3.0, lambda x: F.softplus(x, 3.0)), ("softsign", None, F.softsign),
    ("hardtanh", 0.5, lambda x: x.clamp(-0.5, 0.5)), ("hardswish", None, F.hardswish),
    ("hardsigmoid", None, F.hardsigmoid), ("log_sigmoid", None, F.logsigmoid), ("identity", None, lambda x: x),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameter", "curve"), CURVES, ids=lambda v: str(v) if not callable(v) else "")
def test_the_new_curve_is_torchs(name: ActivationName, parameter: float | None, curve: Curve) -> None:
    after = apply(network(), [SetActivation("act", name, parameter)])
    kept = trace_steps(after.graph, X)
    torch.testing.assert_close(kept["act"], curve(kept["bn"]))


def test_every_name_was_tried() -> None:
    assert {name for name, _, _ in CURVES} == set(typing.get_args(ActivationName))


@pytest.mark.parametrize("named", ["conv", "bn", "act"])
def test_it_is_found_from_the_layer_it_follows(named: str) -> None:
    patient = operated(network(), [SetActivation(named, "sigmoid")])
    assert isinstance(patient.layer("act"), nn.Sigmoid)
    assert patient.changed == {"act"}
    assert list(names_of(patient.graph)) == list(names_of(network().graph))


def test_there_and_back_through_nothing_is_the_same() -> None:
    before = network()
    gone = apply(before, [RemoveNorm("bn"), SetActivation("conv", "identity")])
    assert isinstance(gone.graph.get_submodule("act"), nn.Identity)
    back = apply(gone, [SetActivation("conv", "relu6")])
    assert torch.equal(back.graph(X), apply(before, [RemoveNorm("bn")]).graph(X))
    direct = apply(gone, [SetActivation("act", "tanh")])
    assert isinstance(direct.graph.get_submodule("act"), nn.Tanh)


def test_functions_and_methods_become_layers_of_the_same_name() -> None:
    builder = GraphBuilder()
    x = builder.layer("conv", nn.Conv2d(3, 4, 3), builder.input("x"))
    a = builder.call("sigmoid", torch.sigmoid, x)
    b = builder.call("clamp", torch.clamp, a, min=0.3)
    c = builder._graph.call_method("tanh", (b,))
    graph = builder.finish(builder.call("add", torch.add, c, a))
    before = Model(graph, InputContract((6, 6)), ())
    edits = [SetActivation("conv", "relu"), SetActivation("clamp", "silu"), SetActivation("tanh", "identity")]
    after = apply(before, edits)
    assert list(names_of(after.graph)) == list(names_of(before.graph))
    h = F.relu(before.graph.get_submodule("conv")(X))
    torch.testing.assert_close(after.graph(X), F.silu(h) + h)
    assert operated(before, edits).changed == {"sigmoid", "clamp", "tanh"}


def test_a_softmax_at_the_end_gives_way_to_logits() -> None:
    before = network(nn.Softmax(1))
    after = apply(before, [SetActivation("last0", "identity")])
    assert not after.probabilities
    torch.testing.assert_close(torch.softmax(after.graph(X), 1), before.graph(X))
    assert after.card["adapted"].startswith("last0 made probabilities of the answers; now they are numbers of any size")


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.soft = nn.Softmax(-1)
        self.fc = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return typing.cast(torch.Tensor, self.fc((x * self.soft(x)).mean((2, 3))))


REFUSED = [
    (SetActivation("pool", "relu"), "pool is no activation and none follows it directly; name the activation"),
    (SetActivation("fc", "relu"), "set fc's activation to relu: fc is no activation and none follows it directly"),
    (SetActivation("act", "gelu", 0.5), "gelu has no parameter; clipped_relu, leaky_relu, .* have one. Got 0.5"),
    (SetActivation("act", "elu", 0.0), "elu's parameter is alpha, the depth below zero; it must be above 0. Got 0"),
    (SetActivation("act", "prelu", -1e39), r"slope .*; it must lie within 1e.06 of 0"),
    (SetActivation("akt", "relu"), "The network has no layer 'akt'. Nearest: act"),
]


@pytest.mark.parametrize(("edit", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_does_not_fit_is_said(edit: SetActivation, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        operated(network(), [edit])


def test_a_softmax_inside_is_no_activation() -> None:
    model = Model(trace(Attention()), InputContract((3, 3)), ())
    with pytest.raises(BadInput, match="soft is a softmax that weighs maps, not an activation"):
        operated(model, [SetActivation("soft", "relu")])


def test_a_kind_that_is_none() -> None:
    with pytest.raises(BadInput, match=r"set_activation.to must be one of relu, relu6, .*Got 'swoosh'"):
        SetActivation("act", "swoosh")  # type: ignore[arg-type]


def test_sentences() -> None:
    assert SetActivation("act", "tanh").sentence == "set act's activation to tanh"
    assert SetActivation("act", "elu", 0.5).sentence == "set act's activation to elu (0.5)"
