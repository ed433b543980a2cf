"""Traces: each step's value is what a forward hook sees; broken numbers, names that are not there, layers that fail."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from cutaway.engine.memory import keep_freed_memory
from cutaway.engine.run import run
from cutaway.engine.trace import Trace, first_non_finite, is_finite, trace_steps
from cutaway.errors import BadInput, BadModel
from cutaway.graph.trace import trace
from cutaway.zoo import build


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


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "test_efficientnet", "test_convnext"])
def test_it_is_fx_interpreters_run_bit_for_bit(name: str) -> None:
    """Against torch.fx.Interpreter, value by value; kept steps are the same when others are dropped on the way."""
    graph = build(name, classes=("a", "b"), size=32).graph
    x = torch.randn(2, 3, 32, 32)
    expected: dict[str, torch.Tensor] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor) and n.op != "output":
                expected[n.name] = value
            return value

    with torch.inference_mode():
        Recorder(graph).run(x)
    traced = trace_steps(graph, x)
    assert len(traced) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(traced.values.values(), expected.values(), strict=True))
    some = list(traced)[1::5]
    few = trace_steps(graph, x, some)
    assert list(few) == some
    assert all(torch.equal(few[n], traced[n]) for n in some)
    assert torch.equal(few.output, traced.output)


def test_only_what_was_asked_for_is_kept_in_running_order() -> None:
    traced = trace_steps(trace(network()), torch.randn(1, 3, 6, 6), ["3", "1"])
    assert list(traced) == ["1", "3"]
    assert len(traced) == 2
    assert "0" not in traced
    with pytest.raises(BadModel, match="holds no layer '0'; ask for it"):
        traced["0"]


def test_what_is_not_kept_is_dropped_after_its_last_use() -> None:
    graph = trace(nn.Sequential(*[nn.ReLU() for _ in range(6)]))
    (start,) = (n for n in graph.graph.nodes if n.op == "placeholder")
    import weakref

    values: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def look(_: fx.Node, value: torch.Tensor) -> None:
        values.append(weakref.ref(value))
        alive.append(sum(ref() is not None for ref in values))

    kept, _ = run(graph, {start: torch.randn(2, 3)}, (), look)
    assert kept == {}
    assert max(alive) == 2, "a value and the one it is made of"


def test_the_first_layer_with_a_broken_number_is_named() -> None:
    graph = trace(network())
    with torch.no_grad():
        graph.get_parameter("3.weight")[0, 0] = float("nan")
    assert trace_steps(graph, torch.randn(1, 3, 6, 6)).non_finite == "3"


def test_a_broken_number_that_a_later_layer_hides_is_found_among_steps_that_are_not_kept() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardtanh(), nn.Flatten()))
    with torch.no_grad():
        graph.get_parameter("0.bias")[1] = float("inf")
    x = torch.randn(1, 3, 6, 6)
    assert trace_steps(graph, x, ["2"]).non_finite == ""
    assert trace_steps(graph, x, ["2"], watch=True).non_finite == "0"
    assert first_non_finite(graph, x) == "0"
    assert first_non_finite(trace(network()), x) == ""


def test_large_numbers_are_not_broken_ones() -> None:
    assert is_finite(torch.full((4,), 3e38)), "their sum overflows, they do not"
    assert is_finite(torch.tensor([1, 2]))
    assert not is_finite(torch.tensor([float("inf"), float("-inf")]))
    assert not is_finite(torch.tensor([1.0, float("nan")], dtype=torch.float16))


def test_what_cannot_be_run_names_the_layer() -> None:
    with pytest.raises(BadModel, match=r"layer 3 cannot work on this input of shape 1 x 3 x 9 x 9: .*mat1 and mat2"):
        trace_steps(trace(network()), torch.randn(1, 3, 9, 9))
    with pytest.raises(BadInput, match="no layer 'conv'"):
        trace_steps(trace(network()), torch.randn(1, 3, 6, 6), ["conv"])


def test_a_network_with_two_inputs_is_refused() -> None:
    graph = fx.Graph()
    graph.output(graph.call_function(torch.add, (graph.placeholder("a"), graph.placeholder("b"))))
    with pytest.raises(BadModel, match=r"has 2 inputs \(a, b\); pictures feed networks with exactly one"):
        trace_steps(fx.GraphModule(nn.Module(), graph), torch.zeros(1, 3, 4, 4))


def test_stored_numbers_defaults_and_keyword_arguments_are_values_too() -> None:
    graph = fx.Graph()
    x, scale = graph.placeholder("x"), graph.placeholder("scale", default_value=3.0)
    stored = graph.get_attr("inner.offset")
    total = graph.call_function(torch.add, (), {"input": graph.call_method("mul", (x, scale)), "other": stored})
    graph.output(total)
    root = nn.Module()
    root.inner = nn.Module()
    root.inner.register_buffer("offset", torch.tensor([1.0, 2.0]))
    traced = trace_steps(fx.GraphModule(root, graph), torch.ones(1, 2))
    assert traced.output.tolist() == [[4.0, 5.0]]
    assert list(traced) == ["x", "inner.offset", "mul", "add"]
    assert isinstance(traced, Trace)


def test_memory_is_kept_where_the_c_library_can() -> None:
    assert keep_freed_memory() in (True, False)
    assert keep_freed_memory() is keep_freed_memory()
