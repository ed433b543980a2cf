"""Names of layers: paths for layers, node names for functions, a name of its own for each use."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.names import names_of, step_named, steps_of
from cutaway.graph.trace import trace


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(self.block(x)) + x


def test_each_step_has_a_name_of_its_own() -> None:
    graph = trace(Twice())
    assert list(names_of(graph)) == ["x", "block.0", "block_1", "add"]
    assert list(steps_of(graph)) == ["block.0", "block_1", "add"]
    assert step_named(graph, "block.0").target == "block.0"
    assert step_named(graph, "add").op == "call_function"


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"no layer 'block.1'. Nearest: block_1, block.0"):
        step_named(trace(Twice()), "block.1")
    with pytest.raises(BadInput, match=r"no layer '###'. The first are x, block.0"):
        step_named(trace(Twice()), "###")
    with pytest.raises(BadInput, match=r"no layer 'block'. Nearest: block.0, block_1\."):
        step_named(trace(Twice()), "block")
