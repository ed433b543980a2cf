"""A graph followed without numbers: the shapes of a real run, and what claims too much is told before it is made."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph import dry_run
from cutaway.graph.build import GraphBuilder
from cutaway.graph.dry_run import must_run, numbers_of
from cutaway.graph.dry_shapes import broadcast, of_function, of_layer
from cutaway.graph.extra import SamePool2d
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace

X = torch.zeros(2, 4, 9, 7)
LAYERS = [
    nn.Conv2d(4, 6, 3),
    nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(2, 1), groups=2),
    nn.Conv2d(4, 6, 3, padding="same"),
    nn.MaxPool2d(3, 2, 1, dilation=2),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.AvgPool2d((3, 2), padding=1),
    nn.AdaptiveAvgPool2d((None, 3)),
    nn.AdaptiveMaxPool2d(5),
    nn.Linear(7, 3),
    nn.BatchNorm2d(4),
    nn.PReLU(4),
    nn.LocalResponseNorm(3),
    nn.Flatten(),
    nn.ConvTranspose2d(4, 2, 3, stride=2),
]
CALLS: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (operator.add, (X, torch.zeros(4, 1, 7)), {}),
    (operator.mul, (X, 2.0), {}),
    (torch.maximum, (X, X), {}),
    (torch.cat, ([X, X, X[:, :1]], 1), {}),
    (torch.cat, ([X, X],), {"dim": -1}),
    (torch.mean, (X, (2, 3)), {}),
    (torch.sum, (X, 1), {"keepdim": True}),
    (torch.amax, (X, (-1,), True), {}),
    (F.relu, (X,), {}),
    (torch.softmax, (X, 1), {}),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layers_formula_gives_the_shape_of_a_real_run(layer: nn.Module) -> None:
    wanted = tuple(layer(X).shape)
    by_formula = of_layer(layer, [X])
    assert by_formula in (wanted, None)
    assert (by_formula is None) is (
        type(layer) in (nn.Flatten, nn.ConvTranspose2d) or "ceil" in str(layer) or "same" in str(layer)
    ) or (isinstance(layer, nn.MaxPool2d) and not layer.ceil_mode)


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_functions_formula_gives_the_shape_of_a_real_run(function: Any, args: Any, kwargs: Any) -> None:
    assert of_function(function, args, kwargs) == tuple(function(*args, **kwargs).shape)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (torch.cat, ([X, 1], 0)),
        (torch.mean, (X,)),
        (torch.mean, (X, "a")),
        (operator.add, (2, X)),
        (operator.mul, (X, "a")),
    ],
)
def test_what_has_no_formula_is_left_to_torch(function: Any, args: Any) -> None:
    assert of_function(function, args, {}) is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: of_layer(nn.Conv2d(3, 4, 3), [X]), "it takes 3 channels and gets 4"),
        (lambda: of_layer(nn.BatchNorm2d(3), [X]), "it takes 3 channels and gets 4"),
        (lambda: of_layer(nn.Linear(3, 4), [X]), "it takes 3 numbers and gets 7"),
        (lambda: of_layer(nn.Conv2d(4, 4, 8), [X]), "its output of 2 x 0 would be empty"),
        (
            lambda: of_function(torch.cat, ([X, X[:, :, :2]], 1), {}),
            r"\(2, 4, 9, 7\) and \(2, 4, 2, 7\) cannot be joined",
        ),
        (lambda: of_function(torch.mean, (X, 4), {}), r"a value of shape \(2, 4, 9, 7\) has no axes \(4,\)"),
        (lambda: broadcast((2, 3), (2,)), r"shapes \(2, 3\) and \(2,\) do not fit together"),
    ],
)
def test_what_cannot_be_is_told(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


class Everything(nn.Module):
    """Formulas, torch's own shapes, sizes read on the way, several values of one step, stored numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.up, self.dense = nn.Conv2d(3, 8, 3, padding=1), nn.Upsample(scale_factor=2), nn.Linear(8, 2)
        self.scale = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(self.conv(x)) * self.scale
        n, c = x.shape[0], x.size(1)
        a, b = x.chunk(2, 1)
        x = torch.cat([b, a], 1).reshape(n, c, -1).mean(-1)
        made: torch.Tensor = self.dense(x)
        return made


def test_the_shapes_are_those_of_a_real_run() -> None:
    graph, seen = trace(Everything()), {}

    class Seeing(dry_run._Steps):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor):
                assert value.device.type == "meta"
                seen[n.name] = tuple(value.shape)
            return value

    Seeing(graph).run(torch.empty(1, 3, 8, 8, device="meta"))
    assert seen == shapes_of(graph, (3, 8, 8))
    must_run(graph, (1, 3, 8, 8))
    assert all(p.device.type == "cpu" for p in graph.parameters())


def built(*calls: tuple[Any, ...]) -> fx.GraphModule:
    """Calls one after the other: (function, arguments); "x" stands for the value before."""
    builder = GraphBuilder()
    node = builder.input()
    for function, *args in calls:
        args = [node if a == "x" else [node if b == "x" else b for b in a] if isinstance(a, list) else a for a in args]
        if isinstance(function, nn.Module):
            node = builder.layer("layer", function, node)
        elif isinstance(function, str):
            node = builder._graph.call_method(function, tuple(args))
        else:
            node = builder.call("call", function, *args)
    return builder.finish(node).eval()


DOUBLED = [(torch.cat, ["x", "x"], 1)] * 40
LARGE = 10**10


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([(torch.zeros, LARGE)], "a value of 10,000,000,000 numbers for one picture is too large"),
        ([(torch.arange, LARGE)], "too large"),
        (DOUBLED, "The layer call_1[0-9] cannot work on what it gets: a value of"),
        ([(nn.ZeroPad2d(10_000),)], "The layer layer cannot work on what it gets: a value of"),
        ([(nn.LocalResponseNorm(10**9),)], "too large"),
        ([(SamePool2d((10**5, 10**5), (1, 1)),)], "too large"),
        ([(torch.arange, 10**6), (torch.unbind, "x")], r"cuts a value into 1,000,000 pieces \(at most 10,000\)"),
        ([(torch.arange, 10**6), (torch.split, "x", 2)], "into 500,000 pieces"),
        ([(torch.arange, 10**6), ("chunk", "x", 10**5)], "into 100,000 pieces"),
        ([(operator.mod, "%9999999999d", 1)], "it calculates with something that is no number"),
        ([(operator.add, [0] * 600, [0] * 600)], "a list longer than any shape"),
        ([(getattr, "x", "ndim"), *[(operator.mul, "x", "x")] * 7], "a number that no size can be"),
        ([(getattr, "x", "shape"), ("mean", "x")], "it asks something that is no tensor to mean"),
        ([(getattr, "x", "ndim")], "what it gives is no tensor"),
        ([("add", "x", 2, "x")], "cannot work on what it gets: add takes 2 values, 3 are given"),
        ([(torch.addcmul, "x", 2, "x", "x")], "addcmul takes 3 values, 4 are given"),
        ([(nn.Linear(5, 2),)], "it takes 5 numbers and gets 8"),
        ([(nn.ConvTranspose2d(3, 1, 2),), (torch.permute, "x", (0, 9))], "The layer call cannot work on what it gets"),
    ],
)
def test_what_claims_too_much_is_told_before_it_is_made(calls: Any, said: str) -> None:
    with pytest.raises(BadModel, match=said):
        must_run(built(*calls), (1, 3, 8, 8))


def test_a_picture_that_is_too_large_is_told() -> None:
    with pytest.raises(BadModel, match="The layer input cannot work on what it gets: a value of 805,306,368 numbers"):
        must_run(built((F.relu, "x")), (1, 3, 16_384, 16_384))


def test_many_large_values_held_at_once_are_told() -> None:
    builder = GraphBuilder()
    x = builder.input()
    made = [builder.call(f"v{n}", operator.mul, x, float(n)) for n in range(15)]
    graph = builder.finish(builder.call("all", torch.stack, made)).eval()
    with pytest.raises(BadModel, match=r"The layer v1[234] .* numbers for one picture would be held at once"):
        must_run(graph, (1, 3, 2_600, 2_600))
    must_run(graph, (1, 3, 600, 600))


def test_a_step_whose_shape_torch_cannot_tell_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(dry_run._Steps, "call_function", refuses)
    must_run(built((F.relu, "x")), (1, 3, 8, 8))


def test_numbers_are_counted_without_being_made() -> None:
    weight = torch.zeros(4, 3)
    assert numbers_of(torch.tile, (weight, (10**4, 10**4)), {}) == 12 * 10**8
    assert numbers_of(torch.cat, ([weight, weight],), {"dim": 0}) == 24
    assert numbers_of(torch.split, (weight, 2), {}) == 12
    with pytest.raises(ValueError, match="cuts a value into 20,000 pieces"):
        numbers_of(torch.unbind, (torch.zeros(20_000),), {})
