"""Pools of the other kind, against torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edits import SetPooling

X = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(1))


def model(*layers: nn.Module) -> Model:
    b = GraphBuilder()
    x = b.input()
    for letter, layer in zip("ab", layers):
        x = b.layer(letter, layer, x)
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    return Model(b.finish(ends).eval(), InputContract((9, 9)), ("a", "b", "c"))


def maps(model: Model, names: tuple[str, ...] = ("a_pad", "a", "b_pad", "b")) -> torch.Tensor:
    x = X
    for name in names:
        if hasattr(model.graph, name):
            x = model.graph.get_submodule(name)(x)
    return x


@pytest.mark.parametrize(
    ("layer", "to", "wanted"),
    [
        (nn.MaxPool2d(2), "avg", lambda x: F.avg_pool2d(x, 2)),
        (nn.MaxPool2d(3, 2, 1), "avg", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
        (nn.MaxPool2d(2, ceil_mode=True), "avg", lambda x: F.avg_pool2d(x, 2, ceil_mode=True)),
        (nn.AvgPool2d(3, 2, 1), "max", lambda x: F.max_pool2d(x, 3, 2, 1)),
        (nn.AvgPool2d(2), "avg", lambda x: F.avg_pool2d(x, 2)),
        (nn.MaxPool2d(2), "max", lambda x: F.max_pool2d(x, 2)),
        (extra.SamePool2d((2, 2), (2, 2)), "max", lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 2)),
        (nn.AdaptiveAvgPool2d(2), "max", lambda x: F.adaptive_max_pool2d(x, 2)),
        (nn.AdaptiveMaxPool2d((2, 1)), "avg", lambda x: F.adaptive_avg_pool2d(x, (2, 1))),
        (nn.AdaptiveMaxPool2d(1), "max", lambda x: F.adaptive_max_pool2d(x, 1)),
    ],
)
def test_kinds(layer: nn.Module, to: Any, wanted: Any) -> None:
    assert torch.allclose(maps(apply(model(layer), [SetPooling("a", to)])), wanted(X), atol=1e-6)


def test_a_kerass_same_max_pool_becomes_its_same_average_pool_and_back() -> None:
    before = model(extra.SamePad2d((2, 2), (2, 2), value=-torch.inf), nn.MaxPool2d(2))
    mean = apply(before, [SetPooling("b", "avg")])
    assert torch.allclose(maps(mean), extra.SamePool2d((2, 2), (2, 2))(X))
    again = apply(mean, [SetPooling("b", "max")])
    assert torch.equal(maps(again), maps(before))


@pytest.mark.parametrize("keep", [False, True])
def test_the_mean_over_all_places(keep: bool) -> None:
    b = GraphBuilder()
    ends = b.call("rows", torch.mean, b.input(), (2, 3), keep)
    ends = b.layer("flat", nn.Flatten(), ends)
    before = Model(b.finish(ends).eval(), InputContract((9, 9)), ("a", "b", "c"))
    after = apply(before, [SetPooling("rows", "max")])
    assert torch.equal(after.graph(X), X.amax((2, 3)))
    assert torch.equal(apply(after, [SetPooling("rows", "avg")]).graph(X), before.graph(X))
    assert apply(after, [SetPooling("rows", "max")]).graph(X).shape == (1, 3)


def test_the_mean_of_everything_stays() -> None:
    b = GraphBuilder()
    before = Model(b.finish(b.call("whole", torch.mean, b.input())), InputContract((9, 9)), ("a",))
    with pytest.raises(
        BadInput, match="whole takes the mean of everything; only one over places can become the other kind"
    ):
        apply(before, [SetPooling("whole", "max")])


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (nn.ReLU(), r"a is a ReLU, not a max or average pool\. Pools are mean\."),
        (nn.MaxPool2d(2, dilation=2), r"a has gaps in its window \(dilation 2\), which average pools have not"),
    ],
)
def test_what_cannot_be(layer: nn.Module, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model(layer), [SetPooling("a", "avg")])


def test_a_network_without_pools() -> None:
    b = GraphBuilder()
    ends = b.layer("fc", nn.Linear(243, 3), b.layer("flat", nn.Flatten(), b.input()))
    with pytest.raises(BadInput, match=r"fc is a Linear, not a max or average pool\. The network has none"):
        apply(Model(b.finish(ends), InputContract((9, 9)), ("a", "b", "c")), [SetPooling("fc", "avg")])


def test_rows_are_pooled_too() -> None:
    b = GraphBuilder()
    x = b.layer("row", nn.MaxPool1d(3), b.layer("flat", nn.Flatten(2), b.input()))
    ends = b.layer("end", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool1d(1), x))
    before = Model(b.finish(ends), InputContract((9, 9)), ("a", "b", "c"))
    after = apply(before, [SetPooling("row", "avg"), SetPooling("mean", "max")])
    assert torch.allclose(after.graph(X), F.avg_pool1d(X.flatten(2), 3).amax(2))
    assert torch.equal(apply(after, [SetPooling("row", "max"), SetPooling("mean", "avg")]).graph(X), before.graph(X))
