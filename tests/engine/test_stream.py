"""Streaming: every asked value is the trace's, batch by batch, in the memory of one batch."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from cutaway.engine.stream import Values, stream
from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput, BadModel
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace
from cutaway.zoo import build


def lively(name: str) -> torch.fx.GraphModule:
    """Network by name with running statistics and scales as after training, so that folding has something to do."""
    torch.manual_seed(2)
    graph = build(name, classes=("a", "b", "c"), size=32).graph
    for module in graph.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 4
            module.running_var = torch.rand(module.num_features) + 0.5
    return graph


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "densenet121", "test_convnext"])
@pytest.mark.parametrize("every", [1, 3])
def test_values_are_the_traces_whatever_is_asked(name: str, every: int) -> None:
    """Within 1e-5 of each layer's largest value; every layer at once keeps all from being folded or overwritten."""
    graph = lively(name)
    names = list(names_of(graph))[::every]
    x = torch.randn(2, 3, 32, 32)
    seen: list[dict[str, torch.Tensor]] = []
    full = {n: value.detach() for n, value in trace_steps(graph, x).values.items()}
    asked = [n for n in names if n in full]
    assert list(stream(graph, [x.clone()], asked, lambda values: seen.append(dict(values)))) == [2]
    for step in asked:
        assert (seen[0][step] - full[step]).abs().max() <= 1e-5 * max(1.0, float(full[step].abs().max())), step


def test_exact_is_bit_for_bit_and_nothing_behind_the_last_layer_runs() -> None:
    graph = lively("resnet18")
    x = torch.randn(2, 3, 32, 32)
    full, calls = trace_steps(graph, x), []
    names = ["layer2.0.relu", "layer1.0.conv1"]
    for name in ("layer2.0.relu", "layer2.1.conv1", "fc"):
        graph.get_submodule(name).register_forward_hook(lambda *_, name=name: calls.append(name))

    def fold(values: Values) -> None:
        assert list(values) == names
        assert all(torch.equal(values[n], full[n]) for n in names)

    assert list(stream(graph, [x], names, fold, exact=True)) == [2]
    assert calls == ["layer2.0.relu"]


def test_batches_are_taken_one_at_a_time_and_let_go() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    alive: list[weakref.ref[torch.Tensor]] = []
    made = 0

    def batches() -> Iterator[torch.Tensor]:
        nonlocal made
        for size in (4, 4, 1):
            made += 1
            yield torch.randn(size, 3, 8, 8)

    def fold(values: Values) -> None:
        assert not torch.is_grad_enabled()
        gc.collect()
        assert all(ref() is None for ref in alive), "values of earlier batches are gone"
        alive.append(weakref.ref(values["2"]))

    done = []
    for count in stream(graph, batches(), ["2"], fold):
        done.append(count)
        assert made == len(done), "the next batch waits for the caller"
    assert done == [4, 8, 9]


@pytest.mark.parametrize("exact", [True, False])
def test_a_look_sees_each_value_as_it_comes_and_the_value_goes(exact: bool) -> None:
    """Before anything overwrites it, in running order whatever was asked first, and with no earlier value alive."""
    graph = lively("mobilenetv3_small_050")
    x = torch.randn(2, 3, 32, 32)
    full = trace_steps(graph, x).values
    names = [name for name in names_of(graph) if name in full][:40:3]
    alive: list[weakref.ref[torch.Tensor]] = []

    def look(name: str, value: torch.Tensor) -> tuple[str, float]:
        assert (value - full[name]).abs().max() <= 1e-5 * max(1.0, float(full[name].abs().max())), name
        assert sum(ref() is not None for ref in alive) <= 3, "what a block adds to, and no more"
        alive.append(weakref.ref(value))
        return name, float(value.mean())

    seen: list[dict[str, tuple[str, float]]] = []
    asked = names[::-1]
    assert list(stream(graph, [x, x], asked, lambda s: seen.append(dict(s)), look=look, exact=exact)) == [2, 4]
    assert list(seen[0]) == asked
    assert [name for name, _ in seen[0].values()] == asked
    assert seen[1] == seen[0]
    if exact:
        assert seen[0] == {name: (name, float(full[name].mean())) for name in asked}


def test_threads_are_set_while_a_batch_runs_and_the_callers_between() -> None:
    before = torch.get_num_threads()
    graph, inside = trace(nn.Sequential(nn.ReLU())), []
    batches = [torch.zeros(1, 3, 4, 4)] * 2
    for _ in stream(graph, batches, ["0"], lambda _: inside.append(torch.get_num_threads()), threads=before + 1):
        assert torch.get_num_threads() == before
    assert inside == [before + 1] * 2


def test_what_cannot_be_done_is_named() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)))
    with pytest.raises(BadInput, match="no layer 'conv'"):
        next(stream(graph, [], ["conv"], lambda _: None))
    with pytest.raises(BadModel, match="layer 2 cannot work on this input of shape 1 x 3 x 9 x 9"):
        next(stream(graph, [torch.zeros(1, 3, 9, 9)], ["2"], lambda _: None))

    def broken(_: Values) -> None:
        raise ValueError("the fold's own")

    with pytest.raises(ValueError, match="the fold's own"):
        next(stream(graph, [torch.zeros(1, 3, 8, 8)], ["2"], broken))

    def blind(name: str, _: torch.Tensor) -> None:
        raise ValueError(f"the look's own at {name}")

    with pytest.raises(ValueError, match="the look's own at 0"):
        next(stream(graph, [torch.zeros(1, 3, 8, 8)], ["2", "0"], broken, look=blind))
