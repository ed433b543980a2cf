"""Shapes from a real run; the table of layers against counts by hand."""

from __future__ import annotations

import operator

import pytest
import torch
import torchvision
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph.build import GraphBuilder
from cutaway.graph.shapes import layer_table, network_text, shapes_of
from cutaway.graph.trace import trace
from cutaway.zoo import build


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2, bias=False)
        self.dense = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(x))
        x = x + self.depth(self.depth(x))
        out: torch.Tensor = self.dense(self.up(x).mean((2, 3)))
        return out


def test_every_value_has_its_shape() -> None:
    shapes = shapes_of(trace(Net()), (3, 8, 10))
    assert shapes["x"] == (1, 3, 8, 10)
    assert shapes["conv"] == shapes["depth"] == shapes["add"] == (1, 8, 4, 5)
    assert shapes["up"] == (1, 4, 8, 10)
    assert shapes["dense"] == shapes["output"] == (1, 5)


def test_parameters_and_multiply_adds_by_hand() -> None:
    rows = {row.name: row for row in layer_table(trace(Net()), (3, 8, 10))}
    assert (rows["conv"].kind, rows["conv"].shape) == ("Conv2d", (8, 4, 5))
    assert (rows["conv"].parameters, rows["conv"].multiply_adds) == (8 * 3 * 9 + 8, 8 * 4 * 5 * 3 * 9)
    assert rows["depth"].multiply_adds == 8 * 4 * 5 * 9  # one channel in each group
    assert (rows["up"].parameters, rows["up"].multiply_adds) == (8 * 4 * 4, 4 * 8 * 10 * 8 * 4)
    assert (rows["dense"].parameters, rows["dense"].multiply_adds) == (4 * 5 + 5, 20)
    assert (rows["add"].kind, rows["add"].parameters, rows["add"].multiply_adds) == ("add", 0, 0)
    assert rows["relu"].kind == "ReLU"


def test_a_layer_used_twice_holds_its_parameters_once() -> None:
    table = layer_table(trace(Net()), (3, 8, 10))
    assert [row.parameters for row in table if row.name == "depth"] == [72, 0]
    assert sum(row.parameters for row in table) == sum(p.numel() for p in Net().parameters())


def test_a_known_network_adds_up() -> None:
    """ResNet-18 at 224 px: 11,689,512 parameters and 1.814 G multiply-adds, as torchvision publishes."""
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    table = layer_table(trace(torchvision.models.resnet18()), (3, 224, 224))
    assert sum(row.parameters for row in table) == weights.meta["num_params"] == 11_689_512
    assert sum(row.multiply_adds for row in table) / 1e9 == pytest.approx(weights.meta["_ops"], abs=0.001)


def test_a_size_that_does_not_fit_names_the_layer() -> None:
    graph = build("lenet5", classes=("a", "b")).graph
    with pytest.raises(BadModel, match=r"At 40 x 40 px the layer c5 cannot work: .*mat1 and mat2 shapes"):
        shapes_of(graph, (1, 40, 40))


def test_a_graph_in_training_stays_so_and_its_norms_learn_nothing() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))).train()
    before = {name: value.clone() for name, value in graph.state_dict().items()}
    shapes_of(graph, (3, 8, 8))
    assert graph.training
    assert all(torch.equal(value, before[name]) for name, value in graph.state_dict().items())


def test_the_zeros_have_the_weights_type() -> None:
    assert shapes_of(trace(Net()).double(), (3, 8, 8))["output"] == (1, 5)


def test_values_that_are_no_tensors_have_no_row() -> None:
    builder = GraphBuilder()
    x = builder.input()
    halves = builder.call("halves", torch.chunk, x, 2, 1)
    first = builder.call("first", operator.getitem, halves, 0)
    assert [row.name for row in layer_table(builder.finish(first), (4, 2, 2))] == ["first"]


def test_text_is_aligned_in_columns() -> None:
    text = network_text(layer_table(trace(Net()), (3, 8, 10)))
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters"]
    assert lines[1].split() == ["conv", "Conv2d", "8", "x", "4", "x", "5", "224"]
    assert len({line.index(kind) for line, kind in zip(lines[1:3], ("Conv2d", "ReLU"))}) == 1
    assert not any(line.endswith(" ") for line in lines)
