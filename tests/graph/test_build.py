"""GraphBuilder: layer after layer, under safe and unique names."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph.build import GraphBuilder, add_submodule, must_be_safe, safe_name
from cutaway.graph.names import steps_of


def test_layers_and_calls_make_one_graph() -> None:
    builder = GraphBuilder()
    x = builder.input()
    conv = nn.Conv2d(3, 4, 3, padding=1)
    y = builder.layer("block/conv:0", conv, x)
    both = builder.call("joined", torch.cat, [y, y], dim=1)
    graph = builder.finish(builder.layer("block.relu", nn.ReLU(), both))
    x = torch.randn(1, 3, 5, 5)
    assert torch.equal(graph(x), torch.relu(torch.cat([conv(x), conv(x)], 1)))
    assert [n.name for n in graph.graph.nodes] == ["input_1", "block_conv_0", "joined", "block_relu", "output"]
    assert graph.get_submodule("block_conv_0") is conv


def test_a_name_that_is_taken_gets_a_number() -> None:
    builder = GraphBuilder()
    x = builder.input()
    for _ in range(3):
        x = builder.layer("relu", nn.ReLU(), x)
    graph = builder.finish(x)
    assert [name for name, _ in graph.named_children()] == ["relu", "relu_2", "relu_3"]


@given(st.text(max_size=40))
def test_any_text_becomes_a_safe_name(text: str) -> None:
    name = safe_name(text)
    assert must_be_safe(name) == name
    assert safe_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "a..b", ".a", "a b", 'a"];import os', "a\n", "a(b)", "a/b", "a[0]"])
def test_a_name_from_a_file_must_be_safe(name: str) -> None:
    with pytest.raises(BadModel, match=r"The model names a layer .*; only letters, digits, _, - and \. are accepted"):
        must_be_safe(name)


def test_a_layer_can_lie_below_others() -> None:
    root = nn.Module()
    relu = nn.ReLU()
    add_submodule(root, "a.b.c", relu)
    add_submodule(root, "a.b.d", nn.Tanh())
    assert root.get_submodule("a.b.c") is relu
    assert isinstance(root.get_submodule("a.b.d"), nn.Tanh)


def test_repeat_uses_the_same_layers_on_another_value() -> None:
    builder = GraphBuilder()
    x = builder.input()
    conv, relu = nn.Conv2d(3, 3, 1), nn.ReLU()
    first = [builder.layer("conv", conv, x)]
    first.append(builder.layer("relu", relu, first[0]))
    second = builder.repeat(first, {x: first[1]})
    graph = builder.finish(second)
    given = torch.randn(1, 3, 4, 4)
    assert torch.equal(graph(given), torch.relu(conv(torch.relu(conv(given)))))
    assert [str(n.target) for n in graph.graph.nodes if n.op == "call_module"] == ["conv", "relu", "conv", "relu"]
    assert list(steps_of(graph)) == ["conv", "relu", "conv_again", "relu_again"]
