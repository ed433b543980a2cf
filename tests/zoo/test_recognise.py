"""recognise: zoo networks from their graph alone, other widths and heads, departures named, foreign networks not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cutaway.graph.trace import trace
from cutaway.model import open_model
from cutaway.zoo import build
from cutaway.zoo.recognise import recognise_graph, title

KNOWN = [
    ("resnet18", "ResNet-18"), ("mobilenet_v2", "MobileNetV2"), ("vgg11", "VGG-11"), ("alexnet", "AlexNet"),
    ("squeezenet1_1", "SqueezeNet 1.1"), ("mobilenetv3_small_100", "MobileNetV3-small 1.00"), ("lenet5", "LeNet-5"),
    ("tutorial-cifar", "the CIFAR-10 tutorial's CNN"), ("efficientnet_b0", "EfficientNet-B0"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "called"), KNOWN)
def test_zoo_networks_are_known_by_their_layers_alone(name: str, called: str) -> None:
    named = build(name, classes=["a", "b", "c"])
    shape = (named.contract.in_channels, *named.contract.size)
    found = recognise_graph(named.graph, shape)  # its weights are random
    assert found.how == "same"
    assert name in (found.network, *found.others)
    assert name != found.network or found.title == called
    assert found.classes == 3
    assert found.size == named.contract.size


def test_teachable_machines_network_is_said_in_one_sentence(shared_data: Path) -> None:
    model = open_model(shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5")
    found = recognise_graph(model.graph, (3, 224, 224))
    assert found.sentence == "MobileNetV2 0.35 at 224 px up to out_relu, then 100 hidden units and 3 classes"
    assert found.departures == ("head: 100 hidden units where it has no hidden units",)


def test_another_width_of_a_known_form() -> None:
    named = build("mobilenet_v2", classes=["a", "b"], size=64, width_mult=0.6)
    found = recognise_graph(named.graph, (3, 64, 64))
    assert found.how == "width"
    assert "mobilenet" in found.network
    assert "times its channels" in found.sentence
    assert any("channels after the first layer" in d for d in found.departures)


def test_departures_are_named_layer_by_layer() -> None:
    named = build("resnet18", classes=["a", "b"], size=64)
    first = named.graph.get_submodule("conv1")
    assert isinstance(first, nn.Conv2d)
    named.graph.set_submodule("conv1", nn.Conv2d(3, 64, 3, 1, 1, bias=False))  # as for CIFAR-10
    named.graph.set_submodule("layer2.0.relu", nn.SiLU())
    found = recognise_graph(named.graph, (3, 64, 64))
    assert (found.how, found.network) == ("near", "resnet18")
    assert found.share > 0.9
    assert "conv1: 3 x 3, 3 to 64 where it has 7 x 7, 3 to 64, stride 2" in found.departures
    assert found.sentence.startswith("near ResNet-18 (9")


def test_a_network_of_ones_own_is_called_so() -> None:
    own = nn.Sequential(nn.Conv2d(3, 7, 5, 3), nn.Tanh(), nn.Conv2d(7, 9, 4), nn.Flatten(), nn.Linear(9 * 81, 2))
    torch.manual_seed(0)
    found = recognise_graph(trace(own), (3, 38, 38))
    assert found.how == "unknown"
    assert found.departures == ()
    assert found.sentence.startswith("a network of its own (nearest: ")
    assert found.to_dict()["classes"] == 2


@pytest.mark.parametrize(
    ("name", "called"),
    [("timm/resnet50", "ResNet-50"), ("tf_mobilenetv3_large_075", "MobileNetV3-large 0.75"), ("dla34", "dla34")],
)
def test_titles(name: str, called: str) -> None:
    assert title(name) == called
