"""The fast twin answers as the graph does, and leaves the graph alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

from cutaway.engine.fast import fast_twin, gradient_twin, light_twin, training_twin
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


@pytest.mark.parametrize("make", [gradient_twin, light_twin])
@pytest.mark.parametrize("name", NETWORKS)
def test_its_gradients_are_the_networks(name: str, make: Callable[[fx.GraphModule], fx.GraphModule]) -> None:
    graph = build(name, classes=("a", "b", "c"), size=64).graph
    lively(graph)
    graph.double()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    state = {name: value.clone() for name, value in graph.state_dict().items()}
    twin = make(graph)
    for network in (graph, twin):
        network.requires_grad_(False)
    (before,), (after,) = (torch.autograd.grad(network(x)[:, 1].sum(), x) for network in (graph, twin))
    assert (before - after).abs().max() < 1e-9 * before.abs().max()
    assert all(torch.equal(value, state[name]) for name, value in graph.state_dict().items())
    assert not [layer for layer in graph.modules() if getattr(layer, "inplace", False)]


def test_a_light_twin_copies_only_the_first_convolutions() -> None:
    graph = build("resnet18", classes=("a", "b"), size=64).graph
    mine = {id(value) for value in graph.parameters()}
    own = sum(value.numel() for value in light_twin(graph).parameters() if id(value) not in mine)
    whole = sum(value.numel() for value in graph.parameters())
    assert 0 < own < 0.1 * whole


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


def _networks() -> list[tuple[nn.Module, tuple[int, ...]]]:
    pooled = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 7 * 7, 4))
    strided = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Flatten())
    return [(pooled, (5, 3, 16, 16)), (strided, (5, 3, 16, 16))]


@pytest.mark.parametrize("case", [0, 1])
def test_training_twin_gives_the_same_outputs_and_gradients_bit_for_bit(case: int) -> None:
    torch.manual_seed(0)
    network, shape = _networks()[case]
    graph = trace(network).train()
    twin = training_twin(graph)
    names = [n.target for n in twin.graph.nodes if n.op == "call_module"]
    assert names.index("2" if case == 0 else "3") < names.index("1" if case == 0 else "2")
    x, results = torch.randn(shape), []
    for one in (graph, twin):
        graph.zero_grad()
        out = one(x)
        out.square().sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in graph.parameters() if p.grad is not None)])
    assert len(results[0]) > 2
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_training_twin_leaves_the_graph_and_a_relu_that_two_layers_read() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.relu(x)
            return self.pool(x).flatten(1).sum() + x.flatten(1).sum()

    graph = trace(Branch())
    before = [n.name for n in graph.graph.nodes]
    assert [n.name for n in training_twin(graph).graph.nodes] == before == [n.name for n in graph.graph.nodes]


def test_what_is_kept_stays_a_node_with_the_originals_values() -> None:
    """A convolution, its norm and the sum before a ReLU: neither folded away nor overwritten."""
    graph = build("resnet18", classes=("a", "b"), size=64).graph
    lively(graph)
    twin = fast_twin(graph, ["conv1", "layer1_0_bn1"])
    names = {n.name for n in twin.graph.nodes}
    assert {"conv1", "bn1", "layer1_0_conv1", "layer1_0_bn1"} <= names
    assert "layer1_0_bn2" not in names, "the others are folded"
    assert not twin.get_submodule("layer1.0.relu").inplace
    assert twin.get_submodule("layer2.0.relu").inplace
