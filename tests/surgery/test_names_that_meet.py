"""Networks whose layers, second uses and functions have names that meet: an edit reaches the one that was named."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.engine.node_cache import NodeCache
from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edits import FoldNorm, Insert, Remove, Replace, ScaleWeights, SetBias, SetPadding

X = torch.linspace(-1, 1, 96).view(2, 3, 4, 4)


def model(network: nn.Module) -> Model:
    return Model(trace(network.eval()), InputContract((4, 4)), ("a", "b", "c"))


class SecondUse(nn.Module):
    """The second use of `conv` is called conv_1, as another layer is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.conv_1, self.f = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.f(self.conv_1(self.conv(self.conv(x)).relu()).mean((2, 3)))  # type: ignore[no-any-return]


class OwnWeight(nn.Module):
    """A layer whose weight is read once more by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.c, self.f = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.f(F.conv2d(self.c(x).relu(), self.c.weight).mean((2, 3)))  # type: ignore[no-any-return]


def test_padding_of_a_second_use() -> None:
    made = apply(model(SecondUse()), [SetPadding("conv_1", 1)])
    shapes = [tuple(value.shape[2:]) for value in trace_steps(made.graph, X).values.values() if value.ndim == 4]
    assert shapes == [(4, 4), (4, 4), (6, 6), (6, 6), (6, 6)], "from the second use on"


def test_a_weight_that_is_read_by_itself_is_followed() -> None:
    base = model(OwnWeight())
    edited, cache = apply(base, [ScaleWeights("c", 2.0)]), NodeCache.of(base.graph, X)
    found = cache.after(edited.graph, pure=True)
    assert torch.equal(found.trace.output, trace_steps(edited.graph, X).output)
    assert torch.equal(found.after(base.graph, pure=True).trace.output, cache.trace.output)


def test_a_layer_used_three_times_loses_its_first_use() -> None:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(48, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.conv(self.conv(self.conv(x))).flatten(1))  # type: ignore[no-any-return]

    made = apply(model(Three()), [Remove("conv")])
    assert list(names_of(made.graph)) == ["x", "conv_1", "conv_2", "flatten", "fc"]
    apply(made, [SetBias("conv_2", 9.0)])


@pytest.mark.parametrize("name", ["add", "mean"])
def test_a_new_layer_with_the_name_of_a_function(name: str) -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.f = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            return self.f((y + self.b(y)).mean((2, 3)))  # type: ignore[no-any-return]

    base = model(Sum())
    made = apply(base, [Insert("a", "relu", name=name)])
    assert set(names_of(made.graph)) - set(names_of(base.graph)) == {f"{name}_2"}


def test_stored_numbers_are_no_layer_to_replace() -> None:
    class Stored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.g, self.f = nn.Parameter(torch.ones(3)), nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.f(x.mean((2, 3)) * self.g)  # type: ignore[no-any-return]

    with pytest.raises(BadInput, match="g is stored numbers: nothing runs into it"):
        apply(model(Stored()), [Replace("g", "relu")])


def test_a_norm_over_rows_is_not_folded() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c, self.l, self.bn, self.f = nn.Conv2d(3, 4, 1), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.f(self.bn(self.l(self.c(x).flatten(2)[:, :, :4])).mean(1))  # type: ignore[no-any-return]

    with pytest.raises(BadInput, match="bn normalises the rows of what l gives, not its numbers; it stays"):
        apply(model(Rows()), [FoldNorm("bn")])
