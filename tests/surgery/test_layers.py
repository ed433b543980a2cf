"""Layers and blocks removed, inserted, replaced: what the network computes then, and what is said."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.bridge import bridge
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import Insert, Remove, Replace, SetFilters
from cutaway.surgery.refusal import Refusal

X = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def model() -> Model:
    """stem; block_1 keeps its shape, block_2 halves the map and doubles the channels; head. Named as Keras names."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.layer("stem_relu", nn.ReLU(), b.layer("stem", nn.Conv2d(3, 4, 3, padding=1), b.input()))
    y = b.layer("block_1_bn", nn.BatchNorm2d(4), b.layer("block_1_conv", nn.Conv2d(4, 4, 3, padding=1), x))
    x = b.call("block_1_add", operator.add, x, b.layer("block_1_relu", nn.ReLU(), y))
    x = b.layer("block_2_pad", extra.SamePad2d((3, 3), (2, 2)), x)
    x = b.layer("block_2_conv", nn.Conv2d(4, 8, 3, 2), x)
    x = b.layer("block_2_relu", nn.ReLU(), b.layer("block_2_bn", nn.BatchNorm2d(8), x))
    x = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    x = b.layer("drop", nn.Dropout(0.3), x)
    return Model(b.finish(b.layer("fc", nn.Linear(8, 3), x)).eval(), InputContract((16, 16)), ("a", "b", "c"))


def answers(model: Model) -> torch.Tensor:
    with torch.inference_mode():
        out: torch.Tensor = model.graph(X)
    return out


def test_a_removed_layer_is_as_an_identity() -> None:
    before = model()
    after = apply(before, [Remove("stem_relu")])
    assert "stem_relu" not in names_of(after.graph)
    assert torch.equal(answers(after), answers(apply(before, [Replace("stem_relu", "identity")])))
    assert not torch.equal(answers(after), answers(before))


def test_a_removed_block_is_what_came_before_it() -> None:
    before = model()
    after = apply(before, [Remove("block_1")])
    assert not [name for name in names_of(after.graph) if name.startswith("block_1")]
    x = before.graph.stem_relu(before.graph.stem(X))
    for name in ("block_2_pad", "block_2_conv", "block_2_bn", "block_2_relu", "mean", "flat", "fc"):
        x = before.graph.get_submodule(name)(x)
    assert torch.equal(answers(after), x)


@pytest.mark.parametrize("block", ["layer1.0", "layer1.1", "layer4.1"])
def test_a_block_of_resnet(block: str) -> None:
    before = Model(trace(models.resnet18(num_classes=3).eval()), InputContract((32, 32)), ("a", "b", "c"))
    after = apply(before, [Remove(block)])
    gone = set(names_of(before.graph)) - set(names_of(after.graph))
    assert len(gone) == 7
    assert after.graph(torch.rand(2, 3, 32, 32)).shape == (2, 3)


def test_a_block_that_changes_the_shape_is_bridged() -> None:
    with pytest.raises(Refusal, match="Also put a bridge in the place of block_2") as caught:
        apply(model(), [Remove("block_2")])
    assert caught.value.layer == "fc"
    assert caught.value.remedies[0][1] == (Remove("block_2", bridge=True),)
    after = apply(model(), [Remove("block_2", bridge=True)])
    names = list(names_of(after.graph))
    assert names[-7:] == ["block_1_add", "block_2_bridge", "block_2_bridge_2", "mean", "flat", "drop", "fc"]
    assert isinstance(after.graph.block_2_bridge, nn.AvgPool2d)
    assert after.graph.block_2_bridge_2.weight.shape == (8, 4, 1, 1)
    assert after.card["untrained"] == '{"block_2_bridge_2": "its weights are new and random"}'


def test_a_bridge_where_none_is_needed_is_none() -> None:
    after = apply(model(), [Remove("block_1", bridge=True)])
    assert torch.equal(answers(after), answers(apply(model(), [Remove("block_1")])))


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ((1, 4, 8, 8), (1, 4, 8, 8), []),
        ((1, 4, 8, 8), (1, 4, 4, 2), [nn.AvgPool2d]),
        ((1, 4, 7, 7), (1, 4, 4, 4), [nn.AdaptiveAvgPool2d]),
        ((1, 4, 7, 7), (1, 4, 3, 3), [nn.AvgPool2d]),
        ((1, 4, 8, 8), (1, 6, 16, 16), [nn.Upsample, nn.Conv2d]),
        ((1, 10), (1, 4), [nn.Linear]),
        ((1, 10), (1, 10), []),
    ],
)
def test_bridges(before: tuple[int, ...], after: tuple[int, ...], kinds: list[Any]) -> None:
    layers = bridge(before, after)
    assert [type(layer) for layer in layers] == kinds
    assert nn.Sequential(*layers)(torch.zeros(before)).shape == after


def test_nothing_bridges_maps_and_rows() -> None:
    with pytest.raises(BadInput, match="nothing bridges 4 x 8 x 8 and 10"):
        bridge((1, 4, 8, 8), (1, 10))


def test_untrained_layers_that_went_are_no_longer_to_be_healed() -> None:
    edits = [Replace("block_1_conv", "Conv2d"), Remove("block_1")]
    assert "untrained" not in apply(model(), edits).card


def test_what_only_a_removed_layer_read_is_told() -> None:
    b = GraphBuilder()
    x = b.layer("conv", nn.Conv2d(3, 3, 1), b.input())
    gamma = b.constant("gamma", torch.ones(3, 1, 1))
    ends = b.layer(
        "flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), b.call("scaled", operator.mul, x, gamma))
    )
    before = Model(b.finish(ends), InputContract((16, 16)), ("a", "b", "c"))
    assert apply(before, [Remove("scaled")]).card["adapted"] == "With scaled went what only it read: gamma."


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "block_1_add",
            r"block_1_add joins 2 values \(stem_relu, block_1_relu\), so it is not clear which should go on",
        ),
        ("input_1", "input_1 is the picture, which cannot be taken out"),
        ("blok_1", "The network has no layer 'blok_1'. Nearest: "),
    ],
)
def test_what_cannot_be_removed(name: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model(), [Remove(name)])


def test_a_block_with_two_ways_out() -> None:
    b = GraphBuilder()
    x = b.input()
    p = b.layer("split.a", nn.Conv2d(3, 3, 1), x)
    q = b.layer("split.b", nn.Conv2d(3, 3, 1), p)
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), b.call("both", operator.add, p, q)))
    before = Model(b.finish(ends), InputContract((16, 16)), ("a", "b", "c"))
    with pytest.raises(BadInput, match="split gives 2 values to others; take out its parts one by one"):
        apply(before, [Remove("split")])


# -- inserted


@pytest.mark.parametrize(
    ("after", "kind_of", "settings"),
    [
        ("stem", "conv", {}),
        ("stem", "Conv2d", {"kernel_size": 5, "groups": 4}),
        ("stem", "conv", {"kernel_size": (1, 3), "bias": False}),
        ("stem", "dropout", {"p": 0.9}),
        ("drop", "dense", {}),
        ("stem", "identity", {}),
        ("block_1_add", "leaky_relu", {"parameter": 1.0}),
    ],
)
def test_these_change_no_answer_until_they_learn(after: str, kind_of: str, settings: dict[str, Any]) -> None:
    before = model()
    edited = apply(before, [Insert(after, kind_of, settings)])
    assert f"{after}_{kind_of}" in names_of(edited.graph)
    assert torch.allclose(answers(edited), answers(before), atol=1e-6)
    assert "untrained" not in edited.card


@pytest.mark.parametrize("kind", ["norm", "batch_norm", "BatchNorm2d"])
def test_a_fresh_normalisation_does_nearly_nothing(kind: str) -> None:
    """Mean 0 and variance 1: divided by sqrt(1 + 1e-5)."""
    before = model()
    assert torch.allclose(answers(apply(before, [Insert("stem", kind)])), answers(before), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind_of", "settings", "wanted"),
    [
        ("sigmoid", {}, torch.sigmoid),
        ("max_pool", {}, lambda x: nn.functional.max_pool2d(x, 2)),
        ("avg_pool", {"kernel_size": 3, "stride": 1}, lambda x: nn.functional.avg_pool2d(x, 3, 1)),
        ("global_pool", {}, lambda x: x.mean((2, 3), keepdim=True)),
        ("GroupNorm", {"num_groups": 2}, lambda x: nn.functional.group_norm(x, 2)),
        ("InstanceNorm2d", {}, lambda x: nn.functional.instance_norm(x)),
        ("LayerNorm", {}, lambda x: nn.functional.layer_norm(x, x.shape[1:])),
    ],
)
def test_others_do_what_their_name_says(kind_of: str, settings: dict[str, Any], wanted: Any) -> None:
    before = model()
    edited = apply(before, [Insert("stem_relu", kind_of, settings, name="new")])
    x = wanted(before.graph.stem_relu(before.graph.stem(X)))
    assert torch.allclose(edited.graph.get_submodule("new")(before.graph.stem_relu(before.graph.stem(X))), x, atol=1e-6)


def test_other_channels_begin_at_random_and_enlarging_is_allowed() -> None:
    edits: list[Edit] = [
        Insert("flat", "dense", {"out_features": 20}, seed=3),
        Replace("fc", "dense", {"in_features": 20}),
    ]
    after = apply(model(), edits)
    assert after.graph.flat_dense.weight.shape == (20, 8)
    assert "flat_dense" in after.card["untrained"]
    again = apply(model(), edits)
    assert torch.equal(again.graph.flat_dense.weight, after.graph.flat_dense.weight)
    bigger = apply(model(), [Insert("block_1_add", "ConvTranspose2d")])
    assert bigger.graph.block_1_add_ConvTranspose2d.weight.shape == (4, 4, 2, 2)


def test_for_one_reader_only() -> None:
    before = model()
    after = apply(before, [Insert("stem_relu", "relu", reader="block_1_add", name="path.train.half")])
    nodes = names_of(after.graph)
    assert nodes["path.train_.half_2"].all_input_nodes == [nodes["stem_relu"]]
    assert [n.name for n in nodes["block_1_conv"].all_input_nodes] == ["stem_relu"]
    assert torch.equal(answers(after), answers(before))  # a ReLU of a ReLU


def test_names_are_made_free() -> None:
    after = apply(model(), [Insert("stem", "relu", name="fc"), Insert("stem", "relu", name="f c(1)")])
    assert {"fc_2", "f_c_1"} <= set(names_of(after.graph))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (Insert("stem", "convolution"), "there is no layer of kind 'convolution'; there are conv, norm, batch_norm"),
        (Insert("stem", "Module"), "there is no layer of kind 'Module'"),
        (Insert("flat", "conv"), "a conv cannot work on values of 8"),
        (Insert("stem", "Conv2d", {"size": 3}), "A layer of kind Conv2d has no setting 'size'"),
        (Insert("stem", "Conv2d", {"kernel_size": "3"}), "A layer of kind Conv2d cannot be built from"),
        (
            Insert("stem", "Conv2d", {"out_channels": 10**9}),
            r"a Conv2d with .* would have 37,000,000,000 weights; at most",
        ),
        (Insert("stem", "relu", {"slope": 1}), "relu has no setting 'slope'; give its parameter"),
        (Insert("stem", "leaky_relu", {"parameter": "x"}), "leaky_relu's parameter must be a number. Got 'x'"),
        (Insert("stem", "relu", reader="fc"), r"fc does not read stem; these do: stem_relu\."),
        (Insert("stem", "relu", name="stem.new"), "stem is a layer, not a block, so nothing can be called stem.new"),
        (Insert("stm", "relu"), "The network has no layer 'stm'"),
        (Replace("input_1", "relu"), "input_1 is the picture, which cannot be replaced"),
        (Replace("block_1_add", "relu"), "block_1_add is a function, not a layer with settings"),
        (Replace("stem", "Lambda"), "there is no layer of kind 'Lambda'"),
    ],
)
def test_what_cannot_be_made(edit: Edit, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model(), [edit])


def test_a_value_that_is_no_tensor_has_nothing_after_it() -> None:
    b = GraphBuilder()
    x = b.layer("conv", nn.Conv2d(3, 6, 1), b.input())
    parts = b.call("parts", torch.chunk, x, 2, 1)
    x = b.call("first", operator.getitem, parts, 0)
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    before = Model(b.finish(ends), InputContract((16, 16)), ("a", "b", "c"))
    with pytest.raises(BadInput, match="parts gives no maps or numbers, or the network does not get that far"):
        apply(before, [Insert("parts", "relu")])


# -- replaced


def test_what_is_not_said_is_as_before() -> None:
    after = apply(model(), [Replace("block_2_conv", "Conv2d", {"groups": 2})])
    fresh = after.graph.block_2_conv
    assert (fresh.out_channels, fresh.stride, fresh.padding, fresh.groups) == (8, (2, 2), (0, 0), 2)
    assert after.card["untrained"] == '{"block_2_conv": "its weights are new and random"}'
    wider = apply(model(), [Replace("block_1_conv", "Conv2d", {"kernel_size": 5})])
    assert wider.graph.block_1_conv.padding == (2, 2)
    pooled = apply(model(), [Replace("mean", "AdaptiveMaxPool2d")])
    assert pooled.graph.mean.output_size == 1
    assert "untrained" not in pooled.card


def test_a_function_can_be_replaced() -> None:
    b = GraphBuilder()
    x = b.call("act", torch.sigmoid, b.layer("conv", nn.Conv2d(3, 3, 1), b.input()))
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    before = Model(b.finish(ends), InputContract((16, 16)), ("a", "b", "c"))
    assert isinstance(apply(before, [Replace("act", "gelu")]).graph.act, nn.GELU)


def test_edits_on_new_layers() -> None:
    after = apply(model(), [Insert("stem", "conv", name="new"), SetFilters("new", 7)])
    assert after.graph.new.weight.shape == (7, 4, 3, 3)
