"""A graph that is compiled at its first call gives what an ordinary one gives, and is an ordinary one to all others."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn

from cutaway.graph.lazy import lazy_module


def network() -> fx.GraphModule:
    torch.manual_seed(0)
    return fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())).eval()


def test_it_gives_the_same_and_shares_its_layers() -> None:
    whole, x = network(), torch.randn(1, 3, 8, 8)
    lazy = lazy_module(whole, copy.deepcopy(whole.graph)).eval()
    assert isinstance(lazy, fx.GraphModule)
    assert lazy.get_submodule("0") is whole.get_submodule("0")
    assert torch.equal(lazy(x), whole(x))
    assert torch.equal(copy.deepcopy(lazy)(x), whole(x))
    assert torch.equal(torch.export.export(lazy, (x,)).module()(x), whole(x))


def test_a_change_of_the_graph_is_seen_by_the_next_call() -> None:
    whole, x = network(), torch.randn(1, 3, 8, 8)
    lazy = lazy_module(whole, copy.deepcopy(whole.graph)).eval()
    lazy(x)
    last = next(n for n in lazy.graph.nodes if n.target == "2")
    last.replace_all_uses_with(last.args[0])
    lazy.graph.erase_node(last)
    lazy.recompile()
    assert torch.equal(lazy(x).relu(), whole(x))
