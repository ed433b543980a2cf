"""A graph that is compiled at its first call gives what an ordinary one gives, and is an ordinary one to all others."""

from __future__ import annotations

import copy
import sys
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import fx, nn

from cutaway.graph.lazy import lazy_module, put_layer, sharing_module


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


class Nested(nn.Module):
    """Two blocks, a layer beside them, stored numbers of its own and of a block's."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
        self.shift = nn.Parameter(torch.ones(1))
        self.register_buffer("scale", torch.full((1,), 2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.b(self.a(x)) * self.scale + self.shift
        return out


def test_a_layer_put_in_a_sharing_module_is_in_that_one_only() -> None:
    torch.manual_seed(0)
    whole, x = fx.symbolic_trace(Nested()).eval(), torch.randn(1, 3, 4, 4)
    before = whole(x)
    made = sharing_module(whole)
    assert made.graph is whole.graph
    assert torch.equal(made(x), before)
    own: set[str] = set()
    for layer in (nn.Conv2d(3, 3, 1).eval(), nn.Identity()):
        put_layer(made, "a.0", layer, own)
    assert own == {"a"}
    assert torch.equal(made(x), whole.get_submodule("b.0")(x.relu()).relu() * 2 + 1)
    assert torch.equal(whole(x), before)
    assert made.get_submodule("b") is whole.get_submodule("b"), "nothing was put there"
    assert made.get_submodule("a.1") is whole.get_submodule("a.1")


def test_a_stored_value_that_is_no_tensor_is_there_too() -> None:
    root, graph = nn.Module(), fx.Graph()
    root.number = 3
    graph.output(graph.call_function(torch.add, (graph.placeholder("x"), graph.get_attr("number"))))
    whole = fx.GraphModule(root, graph)
    assert torch.equal(sharing_module(whole)(torch.ones(1)), torch.tensor([4.0]))


def test_two_threads_that_call_two_modules_of_one_graph_first() -> None:
    """fx marks the nodes of a graph while it writes a module's Python; one at a time does."""
    base = fx.symbolic_trace(nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(30))).eval())
    marks = [node._repr_fn for node in base.graph.nodes]
    before, x = sys.getswitchinterval(), torch.randn(1, 3, 2, 2)
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            shared = lazy_module(base, copy.deepcopy(base.graph))
            pair = [sharing_module(shared), sharing_module(shared)]
            with ThreadPoolExecutor(2) as pool:
                assert all(value.shape == x.shape for value in pool.map(lambda made: made(x), pair))
            assert [node._repr_fn for node in shared.graph.nodes] == marks
    finally:
        sys.setswitchinterval(before)
