"""Layers and blocks that can be left out: exactly those whose shapes allow it."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models import resnet18

from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.bypass import ways_around_blocks, ways_around_layers, without


def sequential() -> Model:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.Dropout(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 2),
    )  # fmt: skip
    return Model(trace(net.eval()), InputContract((8, 8)), ("a", "b"))


def test_layers_of_one_shape_and_why_not_the_others() -> None:
    model = sequential()
    ways, refused = ways_around_layers(model.graph, shapes_of(model.graph, (3, 8, 8)))
    assert [(w.name, w.at, w.instead) for w in ways] == [("1", "1", "0"), ("2", "2", "1")]
    assert refused == (
        ("0", "3 x 8 x 8 go in, 4 x 8 x 8 come out"),
        ("4", "4 x 8 x 8 go in, 4 x 4 x 4 come out"),
        ("6", "64 go in, 2 come out"),
    )
    x = torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        by_hand = x
        for name in ("0", "1", "3", "4", "5", "6"):
            by_hand = model.graph.get_submodule(name)(by_hand)
        assert torch.equal(without(model, ways[1])(x), by_hand)
    assert len(model.graph.graph.nodes) == 9, "the model stays as it is"


def test_blocks_of_a_resnet() -> None:
    torch.manual_seed(0)
    net = resnet18(num_classes=3).eval()
    model = Model(trace(net), InputContract((64, 64)), ("a", "b", "c"))
    ways, refused = ways_around_blocks(model.graph, shapes_of(model.graph, (3, 64, 64)))
    names = [w.name for w in ways]
    assert {"layer1", "layer1.0", "layer1.1", "layer2.1", "layer3.1", "layer4.1"} == set(names)
    assert dict(refused)["layer2.0"] == "64 x 16 x 16 go in, 128 x 8 x 8 come out"
    x = torch.randn(2, 3, 64, 64)
    net.layer2[1] = nn.Identity()
    with torch.inference_mode():
        torch.testing.assert_close(without(model, ways[names.index("layer2.1")])(x), net(x))
