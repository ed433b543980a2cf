"""Backbones of the libraries' networks, new heads on them, and what cannot serve as one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import timm
import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.model.backbone import Backbone, backbone_of, with_head
from cutaway.zoo import build

Make = Callable[..., Model]


def backbone(name: str, size: int = 64) -> tuple[fx.GraphModule, Backbone]:
    torch.manual_seed(1)
    named = build(name, classes=("a", "b", "c"), size=size)
    return named.graph, backbone_of(named.graph, named.contract)


def long_vector() -> Backbone:
    """As VGG: 32 maps of 12 x 12 flattened, a dense layer, dropout, a dense layer; cut before the last."""
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(3, 32, 5), nn.Flatten(), nn.Linear(32 * 12 * 12, 40), nn.ReLU(), nn.Dropout(), nn.Linear(40, 3)
    )
    return backbone_of(trace(network), InputContract((16, 16)))


def head(features: int, *, hidden: int = 0) -> nn.Sequential:
    made = nn.Sequential()
    made.add_module("dropout", nn.Dropout(0.5))
    if hidden:
        made.add_module("hidden", nn.Linear(features, hidden))
    made.add_module("dense", nn.Linear(hidden or features, 2))
    return made.eval()


@pytest.mark.parametrize(
    "name",
    [
        "timm/resnet18",
        "mobilenetv3_small_050",
        "test_convnext",
        "test_efficientnet",
        "tf_efficientnet_lite0",
        "lcnet_050",
    ],
)
def test_timms_networks_are_cut_where_timm_says_their_features_are(name: str) -> None:
    """num_features: the width of the last map. What MobileNetV3 does after averaging counts as its head."""
    graph, cut = backbone(name)
    network = timm.create_model(name.removeprefix("timm/"), num_classes=3).eval()
    assert cut.features == network.num_features
    network.load_state_dict(graph.state_dict(), strict=True)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        pooled = network.forward_features(x).mean((2, 3))
        if name == "test_convnext":  # its normalisation follows the averaging, and belongs to the vector
            pooled = network.head.norm(pooled[..., None, None]).flatten(1)
        got = cut.graph(x)
    assert got.shape == pooled.shape
    assert torch.allclose(got, pooled, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("resnet18", 512),
        ("mobilenet_v2", 1280),
        ("shufflenet_v2_x0_5", 1024),
        # torchvision keeps 6 x 6 (7 x 7) cells: too long for a vector, so the input of the last dense layer is taken.
        ("alexnet", 4096),
        # SqueezeNet's class scores are maps that are averaged: no vector comes before them.
        ("squeezenet1_1", 3),
    ],
)
def test_torchvisions_networks_are_cut_at_their_vectors(name: str, features: int) -> None:
    graph, cut = backbone(name)
    assert cut.features == features
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        vectors = cut.graph(x)
        assert vectors.shape == (2, features)
        rest = {"resnet18": "fc", "mobilenet_v2": "classifier.1", "shufflenet_v2_x0_5": "fc", "alexnet": "classifier.6"}
        last = graph.get_submodule(rest[name]) if name in rest else None
        if last is not None:
            assert torch.allclose(last(vectors), graph(x), atol=1e-5)


def test_a_backbone_keeps_only_the_layers_it_runs() -> None:
    cut = long_vector()
    assert (cut.features, cut.cut_at) == (40, "3")
    assert [n for n, m in cut.graph.named_modules() if n and not list(m.children())] == ["0", "1", "2", "3"]
    assert not cut.graph.training


def test_the_whole_network_stays_as_it_was() -> None:
    graph, cut = backbone("timm/resnet18")
    assert cut.graph.get_submodule("conv1") is not graph.get_submodule("conv1")
    assert graph.get_submodule("fc").out_features == 3


def test_a_softmax_at_the_end_is_cut_too(make_model: Make) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3), nn.Softmax(1))
    assert backbone_of(make_model(network).graph, InputContract((16, 16))).features == 8


def test_maps_of_one_cell_are_flattened(make_model: Make) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 3, 1), nn.Flatten())
    cut = backbone_of(make_model(network).graph, InputContract((16, 16)))
    assert cut.graph(torch.zeros(2, 3, 16, 16)).shape == (2, 8)


@pytest.mark.parametrize("name", ["resnet18", "test_convnext", "long vector"])
def test_a_new_head_follows_the_vectors(name: str) -> None:
    cut = long_vector() if name == "long vector" else backbone(name)[1]
    made = head(cut.features)
    before = {key: value.clone() for key, value in cut.graph.state_dict().items()}
    together = with_head(cut, made)
    x = torch.randn(2, 3, *cut.contract.size)
    with torch.inference_mode():
        assert torch.equal(together(x), made(cut.graph(x)))
    assert {n.split(".")[1] for n, _ in together.named_parameters() if n.startswith("head.")} == {"dense"}
    assert all(torch.equal(before[key], value) for key, value in cut.graph.state_dict().items())
    # A classifier made so serves as a backbone again.
    again = backbone_of(together, cut.contract)
    assert again.features == cut.features
    with torch.inference_mode():
        assert torch.equal(again.graph(x), cut.graph(x))


def test_a_backbone_that_has_layers_named_head_keeps_them() -> None:
    """VGG with a new head of a hidden layer, used as a backbone again: the old head.hidden must not be overwritten."""
    cut = long_vector()
    once = with_head(cut, head(40, hidden=6))
    again = backbone_of(once, cut.contract)
    assert (again.features, again.cut_at) == (6, "head.hidden")
    second = head(6, hidden=4)
    twice = with_head(again, second)
    x = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(twice(x), second(again.graph(x)))
    assert twice.get_submodule("body_head.hidden").out_features == 6
    assert {n for n, _ in twice.named_parameters() if n.startswith("head.")} == {
        *("head.hidden.weight", "head.hidden.bias", "head.dense.weight", "head.dense.bias")
    }


def test_constants_below_the_old_name_move_along() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.head = nn.Module()
            self.head.scale = nn.Parameter(torch.full((4,), 2.0))
            self.body_head = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.body_head(self.conv(x).mean((2, 3)) * self.head.scale)
            return out

    cut = backbone_of(trace(Scaled()), InputContract((16, 16)))
    made = head(4)
    together = with_head(cut, made)
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(together(x), made(cut.graph(x)))


def test_a_network_without_vectors_is_no_backbone(make_model: Make) -> None:
    maps = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    with pytest.raises(BadModel, match="No feature vector was found before the network's output, so it cannot serve"):
        backbone_of(make_model(maps).graph, InputContract((16, 16)))


def test_a_long_vector_without_a_dense_layer_after_it_is_no_backbone(make_model: Make) -> None:
    network = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.Flatten(), nn.ReLU())
    with pytest.raises(BadModel, match="No dense layer was found before the network's output, so it cannot serve"):
        backbone_of(make_model(network).graph, InputContract((16, 16)))


def test_a_size_the_network_does_not_take_is_told(make_model: Make) -> None:
    network = nn.Sequential()
    network.add_module("pool", nn.AvgPool2d(4))
    graph = make_model(network).graph
    with pytest.raises(BadModel, match="At 2 x 2 px the layer pool cannot work"):
        backbone_of(graph, InputContract((2, 2)))
