"""Silent channels: against the definition on whole traces, rules by kind of layer, channels wherever they lie."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from cutaway.engine.silent import ChannelCounter, Silence, channels_last, rule_of
from cutaway.engine.stream import stream
from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput
from cutaway.graph.extra import ClippedReLU
from cutaway.graph.names import step_named, steps_of
from cutaway.graph.trace import trace


def counted(graph: fx.GraphModule, batches: list[torch.Tensor], names: list[str], above: float = 0.0) -> list[Silence]:
    counter = ChannelCounter(graph, names, above)
    for _ in stream(graph, batches, names, counter, look=counter.look):
        pass
    assert counter.pictures == sum(map(len, batches))
    return list(counter.found())


def test_it_is_the_definition_over_all_pictures_and_places() -> None:
    """By hand on one trace of all 300 pictures: never above the threshold; above it on fewer than 1 % of them."""
    torch.manual_seed(0)
    graph = trace(
        nn.Sequential(nn.Conv2d(3, 40, 3), nn.BatchNorm2d(40), nn.ReLU(), nn.Flatten(), nn.Linear(160, 30), nn.ReLU())
    )
    graph.get_parameter("1.bias").data = torch.linspace(-2.4, 0, 40)
    graph.get_parameter("4.bias").data = torch.linspace(-4.5, 1, 30)
    pictures = torch.randn(300, 3, 4, 4)
    for above in (0.0, 0.3):
        found = counted(graph, list(pictures.split(64)), ["2", "5"], above)
        full = trace_steps(graph, pictures)
        for got, name in zip(found, ("2", "5"), strict=True):
            values = full[name].reshape(300, full[name].shape[1], -1)
            fired = (values.amax(2) > above).sum(0)
            assert got.silent == tuple((fired == 0).nonzero().flatten().tolist())
            assert got.rare == tuple(((fired > 0) & (fired < 3)).nonzero().flatten().tolist())
            assert got.silent
            assert (got.layer, got.rule, got.channels) == (name, "zero", full[name].shape[1])
        assert found[0].rare


@pytest.mark.parametrize(
    ("layer", "rule", "fires"),
    [
        (nn.ReLU(), "zero", True), (nn.ReLU6(), "zero", True), (nn.Hardsigmoid(), "zero", True),
        (nn.Hardtanh(0.0, 1.0), "zero", True), (nn.Hardtanh(), "constant", False), (ClippedReLU(6.0), "zero", True),
        (ClippedReLU(6.0, 0.1), "constant", False), (nn.GELU(), "constant", True), (nn.SiLU(), "constant", True),
        (nn.Tanh(), "constant", True), (nn.LeakyReLU(), "constant", True), (nn.Sigmoid(), "constant", False),
        (nn.Conv2d(3, 3, 1), "constant", False),
    ],
)  # fmt: skip
def test_the_rule_follows_from_the_layer(layer: nn.Module, rule: str, fires: bool) -> None:
    graph = trace(nn.Sequential(layer))
    got = rule_of(graph, step_named(graph, "0"))
    assert (got.name, got.fires) == (rule, fires)


def test_functions_have_rules_too() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    clamped = graph.call_function(torch.clamp, (x,), {"min": 0, "max": 6})
    free = graph.call_function(torch.clamp, (clamped, -1.0, 1.0))
    relu = graph.call_function(torch.nn.functional.relu, (free,))
    graph.output(relu)
    module = fx.GraphModule(nn.Module(), graph)
    rules = [rule_of(module, node).name for node in steps_of(module).values()]
    assert rules == ["zero", "constant", "zero"]


def test_without_a_zero_a_channel_that_never_changes_is_silent() -> None:
    torch.manual_seed(0)
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sigmoid(), nn.Conv2d(4, 4, 1), nn.GELU()))
    with torch.no_grad():
        graph.get_parameter("0.weight")[2] = 0
        graph.get_parameter("2.weight")[1] = 0
        graph.get_parameter("2.bias")[3] = -50
    sigmoid, gelu = counted(graph, [torch.randn(3, 3, 4, 4), torch.randn(2, 3, 4, 4)], ["1", "3"])
    assert (sigmoid.rule, sigmoid.silent, sigmoid.rare) == ("constant", (2,), None)
    assert (gelu.rule, gelu.silent) == ("constant", (1, 3)), "always far below zero is constant as well"


def test_channels_are_found_where_they_lie() -> None:
    """Behind a dense layer the last axis, whatever the number of axes; behind a convolution the second."""

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.dense, self.act, self.end = nn.Conv2d(3, 6, 1), nn.Linear(6, 7), nn.ReLU(), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.act(self.dense(self.conv(x).permute(0, 2, 3, 1)))
            out: torch.Tensor = self.end(x.flatten(1, 2).mean(1))
            return out

    graph = trace(Last())
    with torch.no_grad():
        graph.get_parameter("dense.weight")[5] = 0
        graph.get_parameter("dense.bias")[5] = -1
    found = counted(graph, [torch.randn(2, 3, 4, 5)], ["conv", "act", "end"])
    assert [f.channels for f in found] == [6, 7, 7]
    assert 5 in found[1].silent
    assert 5 in found[2].silent


def test_broken_numbers_are_told() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()))
    with torch.no_grad():
        graph.get_parameter("0.bias")[0] = float("nan")
    (found,) = counted(graph, [torch.randn(2, 3, 4, 4)], ["1"])
    assert not found.finite


def test_a_batch_counts_whole_or_not_at_all() -> None:
    graph = trace(nn.Sequential(nn.ReLU(), nn.ReLU()))
    counter = ChannelCounter(graph, ["0", "1"])
    counter({"0": (torch.ones(2, 3), None), "1": (torch.zeros(2, 3), None)})
    before = counter.found()
    with pytest.raises(RuntimeError):
        counter({"0": (-torch.ones(5, 3), None), "1": (torch.zeros(5, 9), None)})
    assert counter.found() == before
    assert counter.pictures == 2
    assert ChannelCounter(graph, ["0"]).found() == ()
    with pytest.raises(BadInput, match="no layer '9'"):
        ChannelCounter(graph, ["9"])


class Permuted(nn.Module):
    """A ConvNeXt block in small: norm and dense layer over channels that stand last, then back."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.dense = nn.Conv2d(3, 6, 3), nn.LayerNorm(6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.conv(x)
        last = torch.nn.functional.layer_norm(maps.permute(0, 2, 3, 1), (6,))
        return maps + torch.permute(self.dense(self.norm(last)), (0, 3, 1, 2))


def test_channels_are_followed_through_permutes() -> None:
    graph = trace(Permuted().eval())
    last = {name: channels_last(graph, node) for name, node in steps_of(graph).items()}
    values = trace_steps(graph, torch.randn(1, 3, 9, 9))  # maps of 7 x 7, so that 6 is the channels
    assert len(last) == 7
    assert last == {name: tuple(values[name].shape) == (1, 7, 7, 6) for name in last}
    assert sum(last.values()) == 4
