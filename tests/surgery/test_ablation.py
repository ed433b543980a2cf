"""Silenced channels run in batches from the middle of the network: what an edit and a whole run give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cutaway.engine.fast import fast_twin
from cutaway.engine.run import input_of, run
from cutaway.graph import extra
from cutaway.graph.names import step_named
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.ablation import Ablation, points_of
from cutaway.surgery.apply import apply
from cutaway.surgery.edits import Silence

SIDE = 12


class Residual(nn.Module):
    """A shortcut, a concatenation, a mean over places, a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(6)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.gate = nn.Conv2d(6, 6, 1)
        self.sigmoid = nn.Sigmoid()
        self.side = nn.Conv2d(6, 4, 1, stride=2)
        self.down = nn.Conv2d(6, 5, 3, stride=2, padding=1)
        self.fc = nn.Linear(9, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.relu1(self.bn1(self.conv1(x)))
        b = self.relu2(self.conv2(a) + a)
        b = b * self.sigmoid(self.gate(b.mean((2, 3), keepdim=True)))
        both = torch.cat([self.side(b), self.down(b)], 1)
        return self.fc(both.mean((2, 3)))  # type: ignore[no-any-return]


class Tokens(nn.Module):
    """Dense layers over places that lie last, as in ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, stride=4)
        self.wide = nn.Linear(6, 10)
        self.gelu = nn.GELU()
        self.narrow = nn.Linear(10, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.stem(x).permute(0, 2, 3, 1)
        rows = rows + self.narrow(self.gelu(self.wide(rows)))
        return self.head(rows.mean((1, 2)))  # type: ignore[no-any-return]


def plain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


def networks() -> dict[str, nn.Module]:
    mobile = plain(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(8, 8, 3, stride=2, groups=8), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 5, 1), nn.BatchNorm2d(5),
        nn.Conv2d(5, 7, 1), nn.PReLU(7), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 4), nn.ReLU(),
        nn.Dropout(), nn.Linear(4, 3), nn.Softmax(1),
    )  # fmt: skip
    vgg = plain(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3, dilation=2, padding=2), nn.Tanh(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(20, 9), nn.ELU(), nn.Linear(9, 3),
    )  # fmt: skip
    keras = plain(
        extra.SamePad2d((3, 3), (2, 2)), nn.Conv2d(3, 6, 3, stride=2), extra.ClippedReLU(6.0, 0.1),
        extra.ChannelsLastFlatten(), nn.Linear(216, 8), nn.ReLU(), nn.Linear(8, 3),
    )  # fmt: skip
    grouped = plain(
        nn.Conv2d(3, 8, 3, padding="same"), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.GroupNorm(2, 8), nn.SiLU(),
        nn.ConvTranspose2d(8, 4, 2, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    return {"mobile": mobile, "vgg": vgg, "keras": keras, "grouped": grouped, "branches": Residual(), "rows": Tokens()}


def made(name: str) -> Model:
    torch.manual_seed(0)
    network = networks()[name].eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.bias, -1, 1)
            nn.init.uniform_(module.running_mean, -1, 1)  # type: ignore[arg-type]
    return Model(trace(network), InputContract((SIDE, SIDE)), ("a", "b", "c"), name == "mobile")


def found(model: Model, graph: Any, x: torch.Tensor) -> dict[tuple[str, int, int], torch.Tensor]:
    """Every (step, channel, picture) that was run -> outputs."""
    shapes = shapes_of(model.graph, (3, SIDE, SIDE))
    there = {node.name: node for node in graph.graph.nodes}
    outputs = {}
    for point in points_of(model.graph):
        node = step_named(model.graph, point.at)
        while node.name not in there:
            node = node.all_input_nodes[0]
        ablation = Ablation(graph, point, there[node.name], shapes)
        values, _ = run(graph, {input_of(graph): x.clone()}, ablation.kept)
        for pairs in ablation(values):
            for channel, picture, output in zip(
                pairs.channels.tolist(), pairs.pictures.tolist(), pairs.outputs, strict=True
            ):
                outputs[point.at, channel, picture] = output.clone()
    return outputs


@pytest.mark.parametrize("twin", [True, False], ids=["twin", "as it is"])
@pytest.mark.parametrize("name", list(networks()))
def test_every_pair_is_what_the_edit_gives(name: str, twin: bool) -> None:
    model = made(name)
    x = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    graph = fast_twin(model.graph) if twin else model.graph
    outputs = found(model, graph, x)
    with torch.inference_mode():
        plain_output = model.graph(x)
    points = points_of(model.graph)
    assert len(points) == {"mobile": 5, "vgg": 3, "keras": 2, "grouped": 4, "branches": 5, "rows": 3}[name]
    for point in points:
        for channel in range(point.channels):
            with torch.inference_mode():
                expected = apply(model, [Silence(point.at, (channel,))]).graph(x)
            for picture in range(3):
                got = outputs.get((point.at, channel, picture), plain_output[picture])
                torch.testing.assert_close(got, expected[picture], rtol=1e-4, atol=2e-6)


def test_pairs_that_change_nothing_are_not_run() -> None:
    model = made("vgg")
    with torch.no_grad():
        model.graph.get_submodule("0").bias[2] = -100  # type: ignore[union-attr, operator]
    x = torch.randn(2, 3, SIDE, SIDE)
    outputs = found(model, model.graph, x)
    assert not any(at == "1" and channel == 2 for at, channel, _ in outputs)
    assert ("1", 0, 0) in outputs


def test_a_channel_is_silenced_behind_what_finishes_its_layer() -> None:
    assert [(p.layer, p.at, p.channels, p.dim) for p in points_of(made("mobile").graph)] == [
        ("0", "2", 8, 1), ("4", "6", 8, 1), ("7", "8", 5, 1), ("9", "10", 7, 1), ("13", "14", 4, -1),
    ]  # fmt: skip
    assert [(p.layer, p.at) for p in points_of(made("branches").graph)][:3] == [
        ("conv1", "relu1"), ("conv2", "conv2"), ("gate", "sigmoid"),
    ]  # fmt: skip


def test_the_network_is_left_as_it_was() -> None:
    model = made("mobile")
    x = torch.randn(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        before = model.graph(x)
    found(model, fast_twin(model.graph), x)
    with torch.inference_mode():
        assert torch.equal(model.graph(x), before)
