"""One layer in full: figures against numpy, neighbours and settings by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.describe import layer_details, weight_stats
from cutaway.graph.shapes import layer_table
from cutaway.graph.trace import trace


def dense(values: list[float]) -> nn.Linear:
    layer = nn.Linear(len(values), 1, bias=False)
    layer.weight.data = torch.tensor([values])
    return layer


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60))
def test_figures_are_those_of_numpy(values: list[float]) -> None:
    (stats,) = weight_stats(dense(values), bins=7)
    array = np.array(values, np.float64)
    assert (stats.low, stats.high) == (array.min(), array.max())
    assert stats.mean == pytest.approx(array.mean(), abs=1e-9)
    assert stats.std == pytest.approx(array.std(), abs=1e-9)
    assert stats.zeros == pytest.approx((array == 0).mean())
    assert (len(stats.counts), len(stats.edges)) == (7, 8)
    assert sum(stats.counts) == len(values)
    assert list(stats.edges) == sorted(stats.edges)
    if array.max() - array.min() > 1e-3:
        assert (stats.edges[0], stats.edges[-1]) == (array.min(), array.max())
        clear = min(abs(v - e) for v in array for e in stats.edges[1:-1]) > 1e-6
        if clear:  # a number on the border of two bins may fall either way
            assert list(stats.counts) == np.histogram(array, 7)[0].tolist()


def test_numbers_that_are_not_finite_are_counted_and_left_out() -> None:
    (stats,) = weight_stats(dense([1.0, math.nan, 3.0, math.inf]))
    assert (stats.low, stats.high, stats.mean, stats.non_finite) == (1, 3, 2, 2)
    (none,) = weight_stats(dense([math.nan]))
    assert (none.counts, none.non_finite) == ((), 1)
    assert none.to_dict()["mean"] is None


def test_equal_numbers_lie_in_one_bin() -> None:
    (stats,) = weight_stats(dense([2.0, 2.0]))
    assert (stats.low, stats.high, stats.std, max(stats.counts)) == (2, 2, 0, 2)


def test_a_norm_shows_its_running_statistics() -> None:
    assert [s.name for s in weight_stats(nn.BatchNorm2d(4))] == ["weight", "bias", "running_mean", "running_var"]
    assert weight_stats(nn.ReLU()) == ()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return torch.cat([y * self.scale, torch.relu(y)], 1).mean((2, 3))


def test_a_layer_with_its_neighbours() -> None:
    graph = trace(Net())
    rows = layer_table(graph, (3, 8, 8))
    conv = layer_details(graph, rows, "conv")
    assert conv is not None
    assert (conv.fed_by, conv.feeds) == (("x",), ("mul", "relu"))
    assert conv.settings["stride"] == (2, 2)
    assert conv.settings["padding_mode"] == "zeros"
    assert [(w.name, w.shape) for w in conv.weights] == [("weight", (4, 3, 3, 3)), ("bias", (4,))]
    plain = conv.to_dict()
    assert plain["settings"]["kernel_size"] == [3, 3]
    assert plain["receptive_field"]["size"] == [3, 3]
    assert sum(plain["weights"][0]["counts"]) == 108
    joined = layer_details(graph, rows, "cat")
    assert joined is not None
    assert (joined.fed_by, joined.feeds, joined.settings) == (("mul", "relu"), ("mean",), {"argument 1": 1})
    last = layer_details(graph, rows, "mean")
    assert last is not None
    assert last.feeds == ("output",)


def test_a_function_shows_the_weights_it_reads() -> None:
    graph = trace(Net())
    scaled = layer_details(graph, layer_table(graph, (3, 8, 8)), "mul")
    assert scaled is not None
    assert [(w.name, w.shape, w.mean) for w in scaled.weights] == [("scale", (4, 1, 1), 1.0)]
    assert scaled.fed_by == ("conv",)
    assert scaled.row.parameters == 4


def test_the_input_has_no_row_and_a_wrong_name_has_near_ones() -> None:
    graph = trace(Net())
    rows = layer_table(graph, (3, 8, 8))
    assert layer_details(graph, rows, "x") is None
    with pytest.raises(BadInput, match=r"no layer 'comv'. Nearest: conv"):
        layer_details(graph, rows, "comv")
