"""Tails: the same answer as the whole rest of the network, cut where one small map is all that is needed."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn
from torchvision import models

from cutaway.engine.fast import fast_twin
from cutaway.engine.run import run
from cutaway.explanation.covering.plan import Network
from cutaway.explanation.covering.tail import AT_ONCE, Tail
from cutaway.graph.trace import trace

X = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def prepared(network: nn.Module) -> Network:
    """With norms that have seen pictures: else the answer of random weights is nothing, and any other equals it."""
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(1)))
    return Network.of(fast_twin(trace(network.eval())), X)


def node(network: Network, name: str) -> fx.Node:
    return next(n for n in network.graph.graph.nodes if n.name == name)


def starts(tail: Tail) -> list[list[str]]:
    """What each part takes, by name."""
    return [[n.name for n in part.graph.nodes if n.op == "placeholder"] for part, _ in tail.parts]


@pytest.mark.parametrize("windows", [1, 3, 60])
def test_a_tail_gives_what_the_network_gives(windows: int) -> None:
    network = prepared(models.mobilenet_v2(weights=None))
    ends = [node(network, "add"), node(network, "features_4_conv_0_2")]  # a block's input and what its branch has
    values, logits = run(network.graph, {network.x: X}, ends)
    tail = network.tails.behind(ends)
    with torch.inference_mode():
        found = tail.logits([values[end].expand(windows, -1, -1, -1).clone() for end in ends])
    assert len(tail.parts) == 2
    torch.testing.assert_close(found, logits.expand(windows, -1), rtol=1e-4, atol=1e-6)


def test_small_maps_are_taken_together_and_their_part_is_made_once() -> None:
    """At 96 px MobileNetV2's maps are 6 x 6 behind the stride of features.7."""
    network = prepared(models.mobilenet_v2(weights=None))
    one, other = (network.tails.behind([node(network, name)]) for name in ("features_2_conv_2", "add"))
    assert starts(one) == [["features_2_conv_2"], ["features_7_conv_1_0"]]
    assert one.parts[1][0] is other.parts[1][0]
    assert one.parts[0][1] == AT_ONCE < one.parts[1][1]


def test_small_maps_alone_are_not_cut() -> None:
    network = prepared(models.mobilenet_v2(weights=None))
    assert len(network.tails.behind([node(network, "features_17_conv_2")]).parts) == 1


def test_what_has_no_row_for_each_window_is_not_cut_at() -> None:
    """The upper and the lower half of a map: small, and all that is read behind them, but a pair."""
    network = Network.of(fast_twin(trace(Halves().eval())), torch.rand(1, 4, 20, 20))
    tail = network.tails.behind([network.x])
    assert starts(tail) == [["x"], ["mul"]]
    windows = torch.rand(30, 4, 20, 20)
    torch.testing.assert_close(tail.logits([windows]), Halves()(windows))


def test_where_no_map_becomes_small_nothing_is_cut() -> None:
    network = prepared(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)))
    ((_, at_once),) = network.tails.behind([node(network, "_0")]).parts
    assert at_once == AT_ONCE


class Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        upper, lower = x.chunk(2, dim=2)
        return (upper * lower).mean((2, 3))
