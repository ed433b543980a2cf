"""Units: what can be typed, what it means, and one clear sentence for what is not there."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.explanation.network import own_network
from cutaway.explanation.unit import Unit, ceiling_of, starred, unit_named
from cutaway.graph.extra import ClippedReLU
from cutaway.graph.names import step_named
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 3, padding=1)
        self.relu1 = nn.ReLU6()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(5, 3)
        self.soft = nn.Softmax(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.soft(self.fc(self.flat(self.pool(self.relu1(self.conv1(x))))))


def named(typed: str, net: nn.Module | None = None, classes: tuple[str, ...] = ("cat", "Dog", "bird")) -> Unit:
    model = Model(trace((net or Net()).eval()), InputContract((8, 6)), classes, probabilities=net is None)
    network = own_network(model)
    return unit_named(typed, network, shapes_of(network, (3, 8, 6)), classes)


def test_a_channel_a_cell_a_number_and_a_class() -> None:
    channel = named("conv1[4]")
    assert (channel.name, channel.channel, channel.cell, channel.layer.size) == ("conv1[4]", 4, None, (8, 6))
    cell = named(" conv1[4, 7,5] ")
    assert (cell.name, cell.cell) == ("conv1[4,7,5]", (7, 5))
    assert not named("fc[2]").layer.maps
    for typed in ("class:dog", "Dog", "class:1"):
        found = named(typed)
        assert (found.layer.name, found.channel, found.target, found.name) == ("fc", 1, "Dog", "class:Dog")
    assert named("fc[bird]").channel == 2
    assert named("class:2", classes=()).name == "class:2"


def test_the_values_of_a_unit_are_the_layers() -> None:
    value = torch.arange(2 * 5 * 8 * 6.0).reshape(2, 5, 8, 6)
    assert torch.equal(named("conv1[4]").values(value), value[:, 4])
    assert torch.equal(named("conv1[4,7,5]").values(value), value[:, 4, 7:, 5:])
    assert torch.equal(named("fc[1]").values(torch.tensor([[1.0, 2, 3]])), torch.tensor([[[2.0]]]))


def test_channels_may_come_last() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 7, 1)
            self.norm = nn.LayerNorm(7)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.conv(x).permute(0, 2, 3, 1)).mean((1, 2))

    found = named("norm[6]", Last())
    assert (found.layer.channels, found.layer.size) == (7, (8, 6))
    value = torch.rand(2, 8, 6, 7)
    assert torch.equal(found.values(value), value[..., 6])


def test_a_relu6_is_read_before_its_ceiling() -> None:
    found = named("relu1[0]")
    assert (found.layer.ceiling, found.layer.source, found.layer.rests) == (6.0, "conv1", True)
    value = torch.full((1, 5, 8, 6), 9.0)
    value[0, 0, 0, 0] = -3
    assert found.values(value)[0, 0, :2].tolist() == [0.0, 9.0]
    assert found.raw(value)[0, 0, :2].tolist() == [-3.0, 9.0]


@pytest.mark.parametrize(
    ("layer", "ceiling"),
    [
        (nn.ReLU(), None),
        (nn.ReLU6(), 6.0),
        (nn.Hardtanh(0, 4), 4.0),
        (nn.Hardtanh(-1, 1), None),
        (ClippedReLU(top=2.0), 2.0),
        (ClippedReLU(), None),
        (ClippedReLU(top=2.0, negative_slope=0.1), None),
        (ClippedReLU(top=2.0, threshold=1.0), None),
    ],
)
def test_which_activations_have_a_ceiling(layer: nn.Module, ceiling: float | None) -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 2, 1), layer).eval())
    assert ceiling_of(graph, step_named(graph, "1")) == ceiling
    assert ceiling_of(graph, step_named(graph, "0")) is None


def test_a_star_is_a_layer() -> None:
    assert starred("block.1.relu[*]") == "block.1.relu"
    assert starred(" conv1 [ * ]") == "conv1"
    assert starred("conv1[1]") == starred("class:dog") == ""


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("conv2[1]", r"no layer 'conv2'. Nearest: conv1"),
        ("conv1", r"conv1 has 5 channels; name one, conv1\[0\] to conv1\[4\], or ask for conv1\[\*\], the most active"),
        ("conv1[5]", r"conv1 has 5 channels, 0 to 4; there is no conv1\[5\]"),
        ("conv1[1,8,0]", r"maps of conv1 have rows 0 to 7 and columns 0 to 5; there is no conv1\[1,8,0\]"),
        ("conv1[1,0,6]", r"there is no conv1\[1,0,6\]"),
        ("fc[1,0,0]", r"fc gives one number a channel, without rows and columns; ask for fc\[1\]"),
        ("conv1[1,2]", r"unit must be like conv3\[12\] \(channel\).*Got 'conv1\[1,2\]'"),
        ("conv1[-1]", r"unit must be like"),
        ("conv1[]", r"unit must be like"),
        ("class:cow", r"no class 'cow'. It has cat, Dog, bird"),
        ("doog", r"no layer 'doog'"),
        ("x[0]", r"x is not computed by a layer, so it has no units; layers that have are conv1, relu1, pool"),
    ],
)
def test_what_is_not_there_is_told(typed: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        named(typed)


def test_values_without_channels_are_told() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.flat = nn.Flatten(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.flat(self.conv(x)).mean(2)

    with pytest.raises(BadInput, match=r"flat gives 4 x 48 numbers, neither maps nor one number a channel.*are conv"):
        named("flat[0]", Tokens())


def test_a_network_without_a_row_of_scores_has_no_classes() -> None:
    with pytest.raises(BadModel, match="answer is not one row of scores"):
        named("class:cat", nn.Sequential(nn.Conv2d(3, 3, 1)))


def test_units_compare_by_what_they_mean() -> None:
    one = named("conv1[1]")
    assert one == dataclasses.replace(one)
    assert one != named("conv1[2]")
