"""Steps that read other steps, and layers made anew for what they get."""

from __future__ import annotations

import operator

import pytest
import torch
from torch import fx, nn

from cutaway.errors import BadInput
from cutaway.graph.build import GraphBuilder
from cutaway.graph.names import names_of
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import FitInput, Replace, Rewire, SetInputSize
from cutaway.surgery.patient import Patient
from cutaway.surgery.refusal import Refusal
from cutaway.surgery.rewire import in_order

X = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def model() -> Model:
    """a, then b and c beside one another, added; d; their mean through a dense layer."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.layer("a", nn.Conv2d(3, 4, 1), b.input())
    p, q = b.layer("b", nn.Conv2d(4, 4, 1), x), b.layer("c", nn.Conv2d(4, 4, 1), x)
    x = b.layer("d", nn.Conv2d(4, 4, 1), b.call("plus", operator.add, p, q))
    x = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    return Model(b.finish(b.layer("fc", nn.Linear(4, 3), x)).eval(), InputContract((8, 8)), ("x", "y", "z"))


def by_hand(model: Model, order: str) -> torch.Tensor:
    x = X
    for name in order:
        x = model.graph.get_submodule(name)(x)
    return model.graph.fc(x.mean((2, 3)))  # type: ignore[no-any-return,operator]


def test_a_step_reads_another() -> None:
    before = model()
    after = apply(before, [Rewire("d", "a")])
    assert torch.allclose(after.graph(X), by_hand(before, "ad"), atol=1e-6)
    assert after.card["adapted"] == "Nobody reads b, c, plus any more; taken out."
    assert list(names_of(after.graph)) == ["input_1", "a", "d", "mean", "flat", "fc"]


def test_one_of_several_inputs() -> None:
    before = model()
    after = apply(before, [Rewire("plus", "a", 1)])
    g = before.graph
    wanted = g.fc(g.d(g.a(X) + g.b(g.a(X))).mean((2, 3)))
    assert torch.allclose(after.graph(X), wanted, atol=1e-6)
    both = apply(after, [Rewire("plus", "a", 0)])
    assert torch.allclose(both.graph(X), g.fc(g.d(g.a(X) + g.a(X)).mean((2, 3))), atol=1e-6)


def test_a_step_that_runs_later() -> None:
    """b reads c, which stands behind it: the order of running follows."""
    before = model()
    after = apply(before, [Rewire("b", "c")])
    g = before.graph
    c = g.c(g.a(X))
    assert torch.allclose(after.graph(X), g.fc(g.d(g.b(c) + c).mean((2, 3))), atol=1e-6)
    assert list(names_of(before.graph))[2:4] == ["b", "c"]


def test_in_order_leaves_what_is_in_order() -> None:
    graph = model().graph.graph
    names = [node.name for node in graph.nodes]
    in_order(graph)
    assert [node.name for node in graph.nodes] == names
    graph.lint()
    empty = fx.Graph()
    in_order(empty)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (Rewire("a", "d"), "d is computed from a, so a cannot read it"),
        (Rewire("a", "a"), "a is computed from a, so a cannot read it"),
        (Rewire("plus", "a", 2), "plus has 2 inputs, 0 to 1. Got 2"),
        (Rewire("plus", "a", -1), "plus has 2 inputs, 0 to 1. Got -1"),
        (Rewire("input_1", "a"), "input_1 reads nothing, so it cannot be rewired"),
        (Rewire("b", "e"), "The network has no layer 'e'"),
    ],
)
def test_what_cannot_be(edit: Edit, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model(), [edit])


def test_other_channels_are_refused_with_a_layer_made_anew() -> None:
    with pytest.raises(
        Refusal, match=r"d gets 3 x 8 x 8 from input_1; its filters take 4 channels\. Also make d anew"
    ) as e:
        apply(model(), [Rewire("d", "input_1")])
    after = apply(model(), e.value.remedies[0][1])
    assert after.graph.d.weight.shape == (4, 3, 1, 1)
    assert after.card["untrained"] == '{"d": "it was made anew for 3 x 8 x 8"}'


# -- made anew


def broken(layer: nn.Module, channels: int = 6) -> tuple[Model, Edit]:
    """A network whose layer "e" takes 4 channels, and the edit that gives it others."""
    b = GraphBuilder()
    x = b.layer("e", layer, b.layer("a", nn.Conv2d(3, 4, 1), b.input()))
    count = getattr(layer, "out_channels", 4)
    ends = b.layer(
        "fc", nn.Linear(count, 3), b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    )
    return Model(b.finish(ends).eval(), InputContract((8, 8)), ("x", "y", "z")), Replace(
        "a", "conv", {"out_channels": channels}
    )


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (nn.Conv2d(4, 5, 3), (5, 6, 3, 3)),
        (nn.Conv2d(4, 8, 3, groups=4), (12, 1, 3, 3)),
        (nn.Conv2d(4, 8, 3, groups=2), (8, 3, 3, 3)),
        (nn.ConvTranspose2d(4, 5, 2), (6, 5, 2, 2)),
        (nn.BatchNorm2d(4), (6,)),
        (nn.LayerNorm((4, 8, 8)), (6, 8, 8)),
        (nn.GroupNorm(2, 4), (6,)),
        (nn.GroupNorm(4, 4), (6,)),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "",
)
def test_layers_made_anew(layer: nn.Module, wanted: tuple[int, ...]) -> None:
    before, edit = broken(layer)
    after = apply(before, [edit, FitInput("e"), FitInput("fc")])
    assert tuple(after.graph.e.weight.shape) == wanted
    assert after.graph(X).shape == (1, 3)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (FitInput("mean"), "mean is a AdaptiveAvgPool2d, which takes what comes; nothing to fit"),
        (FitInput("plus"), "plus is a function, not a layer with settings"),
    ],
)
def test_what_cannot_be_made_anew(edit: Edit, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model(), [edit])


def test_too_large_to_be_made_anew() -> None:
    b = GraphBuilder()
    x = b.layer("fc", nn.Linear(8 * 8 * 3, 3000), b.layer("flat", nn.Flatten(), b.input()))
    before = Model(b.finish(b.layer("end", nn.Linear(3000, 3), x)), InputContract((8, 8)), ("x", "y", "z"))
    with pytest.raises(BadInput, match=r"fc gets 196608 from flat; it has weights for 192 numbers\.") as caught:
        apply(before, [SetInputSize(256)])
    assert "make fc anew" not in str(caught.value)  # 600 million weights
    patient = Patient(before)
    SetInputSize(256).operate(patient)
    with pytest.raises(BadInput, match="fc would need 589,827,000 weights; at most 200,000,000 are accepted"):
        FitInput("fc").operate(patient)


def test_behind_a_break_nothing_is_known() -> None:
    before, edit = broken(nn.Conv2d(4, 5, 3))
    patient = Patient(before)
    edit.operate(patient)
    with pytest.raises(BadInput, match="the network does not get as far as fc; mend what comes before it first"):
        FitInput("fc").operate(patient)
