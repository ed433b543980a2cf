"""Groups: exact where no weight is lost, the block diagonal where some are."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.build import GraphBuilder
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edits import SetGroups

X = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def model(groups: int) -> Model:
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.layer("conv", nn.Conv2d(6, 12, 3, groups=groups), b.layer("first", nn.Conv2d(3, 6, 1), b.input()))
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    return Model(b.finish(ends).eval(), InputContract((8, 8)), tuple(map(str, range(12))))


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_without_groups_it_gives_the_same(groups: int) -> None:
    before = model(groups)
    after = apply(before, [SetGroups("conv", 1)])
    assert after.graph.get_submodule("conv").weight.shape == (12, 6, 3, 3)
    assert torch.allclose(after.graph(X), before.graph(X), atol=1e-6)
    assert "untrained" not in after.card
    again = apply(after, [SetGroups("conv", groups)])
    assert torch.equal(again.graph.get_submodule("conv").weight, before.graph.get_submodule("conv").weight)
    assert "untrained" not in again.card


def test_depthwise_keeps_each_channels_own_weights() -> None:
    before = model(1)
    after = apply(before, [SetGroups("conv", 6)])
    full = before.graph.get_submodule("conv").weight
    assert torch.equal(
        after.graph.get_submodule("conv").weight, torch.stack([full[o, o // 2][None] for o in range(12)])
    )
    x = before.graph.get_submodule("first")(X)
    conv = after.graph.get_submodule("conv")
    assert torch.allclose(conv(x), F.conv2d(x, conv.weight, conv.bias, groups=6), atol=1e-6)
    assert after.card["untrained"] == '{"conv": "its filters lost their weights between the 6 groups"}'


@pytest.mark.parametrize(
    ("layer", "groups", "says"),
    [
        ("conv", 4, r"conv takes 6 channels and makes 12; its groups must divide both: 1, 2, 3, 6\. Got 4"),
        ("conv", 0, "its groups must divide both"),
        ("mean", 2, "mean is a AdaptiveAvgPool2d, which has no groups"),
    ],
)
def test_what_cannot_be(layer: str, groups: int, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model(1), [SetGroups(layer, groups)])


def test_a_pool_has_no_groups() -> None:
    b = GraphBuilder()
    ends = b.layer("flat", nn.Flatten(), b.layer("pool", nn.MaxPool2d(8), b.input()))
    with pytest.raises(BadInput, match="pool is a MaxPool2d; only convolutions have groups"):
        apply(Model(b.finish(ends), InputContract((8, 8)), ("a", "b", "c")), [SetGroups("pool", 3)])
