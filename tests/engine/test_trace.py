"""Traces: each step's value is what a forward hook sees; names that are not there and layers that cannot work."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput, BadModel
from cutaway.graph.trace import trace


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4 * 4, 2)).eval()


def test_every_step_is_what_a_hook_sees() -> None:
    plain, x = network(), torch.randn(2, 3, 6, 6)
    seen = []
    for layer in plain:
        layer.register_forward_hook(lambda *a: seen.append(a[2]))
    plain(x)
    traced = trace_steps(trace(network()), x)
    assert list(traced) == ["input_1", "0", "1", "2", "3"]
    for name, expected in zip(["0", "1", "2", "3"], seen, strict=True):
        assert torch.equal(traced[name], expected)
    assert torch.equal(traced.output, seen[-1])
    assert traced.non_finite == ""


def test_only_what_was_asked_for_is_kept() -> None:
    traced = trace_steps(trace(network()), torch.randn(1, 3, 6, 6), ["1"])
    assert list(traced) == ["1"]
    assert len(traced) == 1
    assert "0" not in traced
    with pytest.raises(BadModel, match="holds no layer '0'; ask for it"):
        traced["0"]


def test_the_first_layer_with_a_broken_number_is_named() -> None:
    graph = trace(network())
    with torch.no_grad():
        graph.get_parameter("3.weight")[0, 0] = float("nan")
    assert trace_steps(graph, torch.randn(1, 3, 6, 6)).non_finite == "3"


def test_what_cannot_be_run_names_the_layer() -> None:
    with pytest.raises(BadModel, match=r"layer 3 cannot work on this input of shape 1 x 3 x 9 x 9: .*mat1 and mat2"):
        trace_steps(trace(network()), torch.randn(1, 3, 9, 9))
    with pytest.raises(BadInput, match="no layer 'conv'"):
        trace_steps(trace(network()), torch.randn(1, 3, 6, 6), ["conv"])
