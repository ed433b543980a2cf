"""Which layer is chosen and where its cells lie: known networks, names, refusals, and dots whose place is known."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn
from torchvision import models

from cutaway.errors import BadInput
from cutaway.explanation.cam import with_gradient
from cutaway.explanation.layer import map_layer
from cutaway.explanation.question import Question, ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model
from cutaway.zoo.plain import lenet5, tutorial_cats_dogs, tutorial_cifar


@pytest.mark.parametrize(
    ("network", "side", "layer", "channels", "cells"),
    [
        (lambda: tutorial_cifar(10), 32, "pool2", 64, 6),
        (lambda: tutorial_cats_dogs(2), 150, "pool3", 64, 17),
        (lambda: models.mobilenet_v2(), 224, "features.18.2", 1280, 7),
        (lambda: models.mobilenet_v2(), 96, "features.14.conv.0.2", 576, 6),
        (lambda: models.resnet18(), 224, "layer4.1.relu_2", 512, 7),
        (lambda: models.resnet18(), 96, "layer3.1.relu_2", 256, 6),
        (lambda: models.densenet121(), 224, "relu", 1024, 7),
        (lambda: models.inception_v3(aux_logits=False, init_weights=False), 299, "cat_14", 2048, 8),
        (lambda: models.convnext_tiny(), 224, "add_17", 768, 7),
    ],
)  # fmt: skip
def test_the_deepest_step_with_enough_cells_is_chosen(
    network: object, side: int, layer: str, channels: int, cells: int
) -> None:
    assert callable(network)
    found = map_layer(trace(network()), (3, side, side))
    assert (found.name, found.channels, found.cells) == (layer, channels, (cells, cells))


def test_small_pictures_and_coarse_networks_get_what_there_is() -> None:
    digits = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1),
                           nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 10))  # fmt: skip
    assert map_layer(trace(digits), (1, 8, 8)).name == "4"  # 4 x 4: half of the picture's 8 pixels
    coarse = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.Conv2d(4, 4, 2), nn.Flatten(), nn.Linear(36, 2))
    assert map_layer(trace(coarse), (3, 32, 32)).name == "1"  # 4 x 4 cells: none has 6, the largest is taken
    assert map_layer(trace(lenet5(10)), (1, 32, 32)).name == "act3"  # 10 x 10; behind it 5 x 5


def test_a_teachable_machine_export(shared_data: Path) -> None:
    model = open_model(shared_data / "teachable-machine/animals-h5/keras_model.h5")
    found = map_layer(model.graph, (3, 224, 224))
    assert found.cells == (7, 7)
    assert found.channels == 1280


class _Block(nn.Module):
    """A residual block that halves the size: `inner` has 8 x 8 cells and stands deeper than the step before it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.down = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1), nn.Conv2d(4, 4, 3, 2, 1)
        self.past, self.fc = nn.Conv2d(4, 4, 1, 2), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))  # (N, 4, 8, 8)
        x = self.down(self.inner(x)) + self.past(x)  # (N, 4, 4, 4)
        return self.fc(x.mean((2, 3)))


def test_inside_a_block_it_does_not_stop_by_itself_but_may_be_told_to() -> None:
    graph = trace(_Block())
    assert map_layer(graph, (3, 16, 16)).name == "relu"
    assert map_layer(graph, (3, 16, 16), "inner").name == "inner"


def test_a_block_stands_for_its_last_step() -> None:
    graph = trace(models.resnet18())
    assert map_layer(graph, (3, 64, 64), "layer2").name == "layer2.1.relu_2"
    assert map_layer(graph, (3, 64, 64), "layer2.0").name == "layer2.0.relu_2"
    assert map_layer(graph, (3, 64, 64), "auto").name == map_layer(graph, (3, 64, 64)).name


def test_what_has_no_places_is_refused_in_a_sentence() -> None:
    graph = trace(tutorial_cifar(10))
    with pytest.raises(
        BadInput, match=r"^dense1 gives 64 numbers without places; the last steps with maps: .*relu3\.$"
    ):
        map_layer(graph, (3, 32, 32), "dense1")
    with pytest.raises(BadInput, match=r"has no layer 'conv9'\. Nearest: conv"):
        map_layer(graph, (3, 32, 32), "conv9")
    with pytest.raises(BadInput, match=r"is what the network gets, not a step of it; the last steps with maps"):
        map_layer(graph, (3, 32, 32), next(iter(graph.graph.nodes)).name)
    with pytest.raises(BadInput, match=r"avgpool gives 512 x 1 x 1 numbers without places"):
        map_layer(trace(models.resnet18()), (3, 64, 64), "avgpool")
    dense = trace(nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 2)))
    with pytest.raises(BadInput, match=r"no step with places.*saliency, integrated-gradients, occlusion and rise"):
        map_layer(dense, (3, 4, 4))
    with pytest.raises(BadInput, match=r"^1 gives 8 numbers without places; no step of this network has maps\.$"):
        map_layer(dense, (3, 4, 4), "1")


def test_a_branch_that_the_answer_does_not_use_is_refused() -> None:
    graph = trace(_Block())
    node = next(n for n in graph.graph.nodes if n.target == "inner")
    graph.add_submodule("aside", nn.Conv2d(4, 4, 1))
    with graph.graph.inserting_after(node):
        graph.graph.call_module("aside", (node,))
    graph.recompile()
    with pytest.raises(BadInput, match=r"^The answer does not depend on aside; the last steps with maps"):
        map_layer(graph, (3, 16, 16), "aside")


class _ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.mix, self.fc = nn.Conv2d(3, 5, 3, 2, 1), nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.mix(self.conv(x).permute(0, 2, 3, 1))).mean((1, 2)))


def test_channels_in_the_last_axis() -> None:
    torch.manual_seed(0)
    network = _ChannelsLast()
    found = map_layer(trace(network), (3, 16, 24))
    assert (found.channels, found.cells, found.channels_last) == (7, (8, 12), True)
    model = Model(trace(network), InputContract((16, 24)), ("a", "b", "c"))
    question = ask(model, torch.randint(0, 256, (2, 16, 24, 3), dtype=torch.uint8).numpy())
    got = with_gradient(question, "")
    assert got.value.shape == got.gradient.shape == (2, 7, 8, 12)
    weight = network.fc.weight[question.classes]  # (2, 7): behind a mean and a dense layer it is the gradient
    assert torch.allclose(got.gradient, (weight / 96)[:, :, None, None].expand(-1, -1, 8, 12), atol=1e-7)


def test_tiles_are_torchs_bilinear_resize() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(192, 2)))
    layer = map_layer(graph, (3, 24, 32))
    assert (layer.first, layer.step) == ((1.5, 1.5), (4, 4))
    maps = torch.randn(2, 6, 8)
    wanted = F.interpolate(maps[:, None], (24, 32), mode="bilinear", align_corners=False)[:, 0]
    assert torch.allclose(layer.placed(maps, (24, 32)), wanted, atol=1e-6)


def test_cells_that_see_everything_are_tiles() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3, 1, 1), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            x = F.interpolate(F.adaptive_avg_pool2d(x, 1), size=(8, 8))
            return self.fc(torch.relu(x).mean((2, 3)))

    layer = map_layer(trace(Gated()), (3, 16, 16), "relu")
    assert (layer.first, layer.step) == ((0.5, 0.5), (2, 2))


def test_padded_networks_have_tiles() -> None:
    """Their receptive fields' centres are not in the middle (0, 32 ... 192 of 224 px); the cells are drawn there."""
    layer = map_layer(trace(models.resnet18()), (3, 224, 224))
    assert (layer.first, layer.step) == ((15.5, 15.5), (32, 32))


def test_without_padding_a_dot_is_found_where_it_is() -> None:
    """Three unpadded convolutions of stride 2 that add up what they see: the map's centre of mass is the dot's within
    a pixel, where a resize of the 5 x 5 cells stretches it outwards."""
    layers: list[nn.Module] = []
    for channels in (3, 1, 1):
        layers += [nn.Conv2d(channels, 1, 5, 2, bias=False), nn.ReLU()]
        nn.init.ones_(layers[-2].weight)
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    places = torch.tensor([(r, c) for r in range(24, 38, 3) for c in range(25, 37, 4)])
    pixels = torch.zeros(len(places), 61, 61, 3, dtype=torch.uint8)
    pixels[torch.arange(len(places)), places[:, 0], places[:, 1]] = 255
    model = Model(trace(network), InputContract((61, 61)), ("a", "b"))
    got = with_gradient(ask(model, pixels.numpy(), classes=[0] * len(pixels)), "5")
    assert (got.layer.cells, got.layer.first, got.layer.step) == ((5, 5), (14, 14), (8, 8))
    cells = got.value[:, 0]
    at = torch.arange(5, dtype=torch.float32)
    total = cells.sum((1, 2))
    middle = torch.stack([(cells.sum(2) @ at) / total, (cells.sum(1) @ at) / total], 1)  # in cells
    assert (got.layer.first[0] + middle * got.layer.step[0] - places).abs().max() < 1
    assert ((61 / 5 - 1) / 2 + middle * 61 / 5 - places).abs().max() > 3


def test_what_is_remembered_of_a_network_goes_with_it() -> None:
    question: Question | None = ask(
        Model(trace(tutorial_cifar(3)), InputContract((32, 32)), ("a", "b", "c")),
        torch.zeros(1, 32, 32, 3, dtype=torch.uint8).numpy(),
    )
    assert question is not None
    with_gradient(question, "")
    gone: weakref.ref[fx.GraphModule] = weakref.ref(question.network)
    question = None
    gc.collect()
    assert gone() is None
