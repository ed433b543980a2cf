"""trace: any network of listed layers -> the same numbers; what cannot be held is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.kinds import kind_of
from cutaway.graph.trace import trace


def of_timm(name: str) -> nn.Module:
    return timm.create_model(name, num_classes=3)  # type: ignore[no-any-return]


NETWORKS = {
    "resnet18": lambda: torchvision.models.resnet18(num_classes=3),
    "vgg11_bn": lambda: torchvision.models.vgg11_bn(num_classes=3),
    "mobilenet_v3_small": lambda: torchvision.models.mobilenet_v3_small(num_classes=3),
    "squeezenet1_0": lambda: torchvision.models.squeezenet1_0(num_classes=3),
    "mnasnet0_5": lambda: torchvision.models.mnasnet0_5(num_classes=3),
    "regnet_x_400mf": lambda: torchvision.models.regnet_x_400mf(num_classes=3),
    "shufflenet_v2_x0_5": lambda: torchvision.models.shufflenet_v2_x0_5(num_classes=3),
    **{
        f"timm {n}": (lambda n=n: of_timm(n)) for n in ("resnet18", "tf_mobilenetv3_small_minimal_100", "test_convnext")
    },
    **{f"timm {n}": (lambda n=n: of_timm(n)) for n in ("test_nfnet", "test_byobnet", "test_efficientnet", "test_vit")},
    **{f"timm {n}": (lambda n=n: of_timm(n)) for n in ("test_mambaout", "test_resnet", "mobilevit_xxs")},
}


def stirred(network: nn.Module) -> nn.Module:
    """Statistics and scales away from their starting values, so that no branch is silent."""
    with torch.no_grad():
        for value in network.parameters():
            if value.ndim <= 1:
                value.add_(torch.randn_like(value) * 0.1)
        for name, value in network.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_numbers_are_the_networks_own(name: str) -> None:
    torch.manual_seed(0)
    network = stirred(NETWORKS[name]())
    size = 160 if "vit" in name and "mobile" not in name else 64
    before = {k: v.clone() for k, v in network.state_dict().items()}
    x = torch.randn(2, 3, size, size)
    graph = trace(network, x[:1])
    again = from_document(to_document(graph), tensors_of(graph))
    with torch.inference_mode():
        wanted = network(x)
        assert torch.isfinite(wanted).all()
        assert torch.equal(graph(x), wanted)
        assert torch.equal(again(x), wanted)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("name", ["resnet18", "timm resnet18", "timm test_byobnet"])
def test_every_node_has_a_layer_of_its_own_and_nothing_is_written_in_place(name: str) -> None:
    graph = trace(NETWORKS[name](), torch.zeros(1, 3, 64, 64))
    targets = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    assert len(targets) == len(set(targets))
    modules = [graph.get_submodule(str(target)) for target in targets]
    assert not any(getattr(module, "inplace", False) for module in modules)
    assert all(kind_of(module) for module in modules)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.large(x) if x.shape[-1] > 8 else self.small(x)


def test_an_if_on_the_size_is_answered_by_the_example() -> None:
    network = Branching().eval()
    for side in (4, 16):
        x = torch.randn(1, 3, side, side)
        assert torch.equal(trace(network, x)(x), network(x))
    with pytest.raises(BadModel, match=r"Branching cannot be traced into a graph of layers: .*control flow"):
        trace(network)


class Judging(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -x if x.sum() > 0 else x


def test_an_if_on_the_values_is_answered_by_the_examples_values() -> None:
    assert torch.equal(trace(Judging(), torch.ones(2))(torch.ones(2)), -torch.ones(2))
    assert torch.equal(trace(Judging(), -torch.ones(2))(torch.ones(2)), torch.ones(2))


class Own(nn.Module):
    def __init__(self, part: Any) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: torch.Tensor, mask: Any = None, scale: float = 2.0) -> Any:
        return (self.part(x) if mask is None else x) * scale


def test_other_inputs_keep_their_defaults() -> None:
    graph = trace(Own(nn.Sigmoid()))
    assert [n.op for n in graph.graph.nodes].count("placeholder") == 1
    x = torch.randn(2, 3)
    assert torch.equal(graph(x), torch.sigmoid(x) * 2)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (nn.LSTM(3, 3), "layer part of kind LSTM is not on the list"),
        (torch.erfinv, "function erfinv at erfinv is not on the list"),
        (lambda x: x.cumprod(0), "tensor method cumprod at cumprod is not on the list"),
    ],
)
def test_what_is_not_on_the_lists_is_refused_by_name(part: Any, said: str) -> None:
    class Uses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = part

        def forward(self, x: torch.Tensor) -> Any:
            return self.part(x)

    with pytest.raises(BadModel, match=f"The network cannot be held as a graph of listed layers: {said}"):
        trace(Uses())


def test_a_network_whose_code_fails_is_refused_with_its_first_line() -> None:
    def fails(_: Any) -> Any:
        raise KeyError("no such thing\nsecond line")

    with pytest.raises(BadModel, match=r"Own cannot be traced into a graph of layers: 'no such thing"):
        trace(Own(fails))


def test_dropout_in_the_graph_drops_when_it_is_trained() -> None:
    class Drops(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.dropout(x, 0.75, training=self.training)

    graph = trace(Drops())
    x = torch.ones(1000)
    assert torch.equal(graph(x), x)
    assert 150 < int((graph.train()(x) > 0).sum()) < 350
