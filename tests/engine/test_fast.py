"""The fast twin answers as the graph does, and leaves the graph alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cutaway.engine.fast import fast_twin
from cutaway.graph.trace import trace
from cutaway.zoo import build

NETWORKS = ["resnet18", "densenet121", "mobilenetv3_small_050", "test_convnext", "test_efficientnet", "squeezenet1_1"]


def lively(graph: nn.Module) -> None:
    """Running statistics and scales as after training, so that folding has something to do."""
    torch.manual_seed(2)
    for module in graph.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 4
            module.running_var = torch.rand(module.num_features) + 0.5
            module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.normal_(0, 0.1)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_answers_alike_within_1e_5(name: str) -> None:
    graph = build(name, classes=("a", "b", "c"), size=64).graph
    lively(graph)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before, after = graph(x), fast_twin(graph)(x.clone())
        assert (before - after).abs().max() < 1e-5 * max(1.0, float(before.abs().max()))
        assert torch.equal(graph(x), before), "the original is as it was"


def test_norms_after_convolutions_are_gone() -> None:
    twin = fast_twin(build("resnet18", classes=("a", "b"), size=64).graph)
    assert not [n for n in twin.graph.nodes if n.op == "call_module" and "bn" in str(n.target)]


class Branches(nn.Module):
    """Values that are read twice, views, and a convolution that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.first, self.second = nn.ReLU(), nn.ReLU()
        self.same, self.third = nn.Identity(), nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.conv(x)
        b = self.norm(self.conv(a))
        c = self.first(a) - a
        d = self.same(b)
        return c + self.third(d) * b + self.second(x)


def test_what_is_read_again_is_not_overwritten() -> None:
    graph = trace(Branches())
    lively(graph)
    x = torch.randn(2, 3, 4, 4)
    kept = x.clone()
    with torch.inference_mode():
        assert torch.allclose(fast_twin(graph)(x), graph(kept), atol=1e-6)
    assert torch.equal(x, kept), "the input is the caller's"


def test_a_norm_that_leads_or_keeps_no_statistics_stays() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()
    )
    graph = trace(network)
    lively_first = graph.get_submodule("0")
    lively_first.running_mean = torch.rand(3)
    x = torch.randn(2, 3, 4, 4)
    with torch.inference_mode():
        assert torch.allclose(fast_twin(graph)(x), graph(x), atol=1e-6)
