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
    assert [(row.name, row.parameters) for row in table if row.name.startswith("depth")] == [
        ("depth", 72),
        ("depth_1", 0),
    ]
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
    row = trace(nn.Sequential(nn.Flatten(), nn.AvgPool2d(2)))  # torch calls this a wrong index
    with pytest.raises(BadModel, match=r"At 4 x 4 px the layer _1 cannot work: Dimension out of range"):
        shapes_of(row, (1, 4, 4))


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


# Multiply-adds of convolutions, dense layers and matrix products as fvcore 0.1.5 counts them (FlopCountAnalysis), at
# 224 px (inception_v3: 299), and parameters as torchinfo 1.8.0 counts them.
FVCORE = [
    ("alexnet", 224, 61_100_840, 714_188_480),
    ("mobilenet_v2", 224, 3_504_872, 300_774_272),
    ("googlenet", 224, 6_624_904, 1_498_376_192),
    ("densenet121", 224, 7_978_856, 2_834_161_664),
    ("shufflenet_v2_x1_0", 224, 2_278_604, 144_907_992),
    ("efficientnet_b0", 224, 5_288_548, 385_814_752),
    ("convnext_tiny", 224, 28_589_128, 4_455_531_264),
    ("inception_v3", 299, 23_834_568, 5_713_216_096),
]
NO_AUX = {"aux_logits": False, "init_weights": False}


@pytest.mark.parametrize(("name", "side", "parameters", "work"), FVCORE, ids=[row[0] for row in FVCORE])
def test_counts_are_those_of_fvcore_and_torchinfo(name: str, side: int, parameters: int, work: int) -> None:
    options = NO_AUX if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        table = layer_table(trace(getattr(torchvision.models, name)(**options)), (3, side, side))
    assert sum(row.parameters for row in table) == parameters
    assert sum(row.multiply_adds for row in table) == work


def test_layer_by_layer_as_torchinfo() -> None:
    """torchinfo also counts one for every bias; the rest is equal for every convolution and dense layer."""
    torchinfo = pytest.importorskip("torchinfo")
    network = torchvision.models.resnet18().eval()
    rows = {row.name: row for row in layer_table(trace(network), (3, 64, 64))}
    seen = torchinfo.summary(network, input_size=(1, 3, 64, 64), verbose=0).summary_list
    paths = {id(module): name for name, module in network.named_modules()}
    theirs = {paths[id(layer.module)]: layer for layer in seen if layer.class_name in ("Conv2d", "Linear")}
    assert len(theirs) == 21
    for name, layer in theirs.items():
        bias = layer.module.bias.numel() if layer.module.bias is not None else 0
        assert rows[name].multiply_adds == layer.macs - bias, name
        assert (rows[name].parameters, rows[name].shape) == (layer.trainable_params, tuple(layer.output_size[1:])), name


def test_rows_say_what_comes_in_and_where_they_belong() -> None:
    rows = {row.name: row for row in layer_table(trace(torchvision.models.resnet18()), (3, 64, 64))}
    assert rows["add"].input_shapes == ((64, 16, 16), (64, 16, 16))
    assert (rows["add"].blocks, rows["add"].block) == (("layer1", "layer1.0"), "layer1.0")
    assert rows["conv1"].receptive is not None
    assert rows["conv1"].to_dict() == {
        "name": "conv1",
        "kind": "Conv2d",
        "input_shapes": [[3, 64, 64]],
        "shape": [64, 32, 32],
        "parameters": 9408,
        "multiply_adds": 9408 * 32 * 32,
        "receptive_field": {
            "size": [7, 7], "stride": [2.0, 2.0], "offset": [0.0, 0.0], "whole": False, "gated": False,
        },
        "block": "",
    }  # fmt: skip


def test_matrix_products_and_functions_with_weights_count() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = torch.nn.functional.linear(x.flatten(2).transpose(1, 2), self.weight)  # (N, 6, 5)
            mixed = torch.matmul(tokens, tokens.transpose(1, 2))  # (N, 6, 6)
            out = torch.nn.functional.scaled_dot_product_attention(mixed, mixed, mixed)
            return out.flatten(1)

    rows = {row.kind: row for row in layer_table(trace(Attention()), (3, 2, 3))}
    assert (rows["linear"].parameters, rows["linear"].multiply_adds) == (15, 6 * 5 * 3)
    assert rows["matmul"].multiply_adds == 6 * 6 * 5
    assert rows["scaled_dot_product_attention"].multiply_adds == 2 * 6 * 6 * 6
