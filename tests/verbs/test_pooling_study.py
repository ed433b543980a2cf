"""Max pooling, average pooling and strides compared: three networks by edits, trained alike, measured alike."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.shift import Change
from cutaway.verbs.pooling_study import compare_pooling, variants
from cutaway.zoo.plain import tutorial_cifar

CLASSES = ("circle", "cross", "square")


def tutorial() -> Model:
    torch.manual_seed(0)
    return Model(trace(tutorial_cifar(3).eval()), InputContract((32, 32)), CLASSES)


def test_the_variants_differ_in_the_pooling_alone() -> None:
    model = tutorial()
    made = variants(model)
    assert list(made) == ["max", "average", "stride"]
    assert made["max"] is model
    shapes = {name: shapes_of(m.graph, (3, 32, 32)) for name, m in made.items()}
    assert shapes["average"] == shapes["max"]
    assert isinstance(made["average"].graph.get_submodule("pool1"), nn.AvgPool2d)
    assert shapes["stride"]["conv1"] == (1, 32, 15, 15)
    assert "pool1" not in shapes["stride"]
    assert made["stride"].graph.get_submodule("conv2").stride == (2, 2)
    x = torch.rand(2, 3, 32, 32)
    for variant in made.values():
        assert variant.graph(x).shape == (2, 3)


@pytest.mark.usefixtures("shapes")
def test_they_are_trained_and_measured_alike() -> None:
    rows = compare_pooling(tutorial(), "shapes", Change("translate", 4), epochs=1, pictures=4, steps=3)
    assert [row.name for row in rows] == ["max", "average", "stride"]
    assert all(0 <= row.invariance <= 1 and row.accuracy is not None for row in rows)


def test_a_network_without_max_pooling_is_refused() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(BadInput, match="no max pooling to compare with; take one that has, such as tutorial-cifar"):
        variants(Model(trace(net.eval()), InputContract((16, 16)), CLASSES))


def test_a_pool_without_a_convolution_before_it_is_refused() -> None:
    net = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 3))
    with pytest.raises(BadInput, match="No convolution comes straight before 0, which could take the pool's stride"):
        variants(Model(trace(net.eval()), InputContract((16, 16)), CLASSES))
