"""Filters and classes: new filters change no answer, dropping silent ones changes none, whatever comes after them."""

from __future__ import annotations

import functools
import json
import operator

import pytest
import torch
from torch import nn
from torchvision import models

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edits import (
    SetActivation,
    SetBias,
    SetClassCount,
    SetFilters,
    SetWeight,
    Silence,
    ZeroWeights,
)

X = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@functools.cache
def known(name: str) -> Model:
    torch.manual_seed(0)
    settings = {"init_weights": False} if name == "vgg11" else {}
    network = getattr(models, name)(weights=None, num_classes=3, **settings).eval()
    for part in network.modules():  # as after training: nothing is 0 or 1
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            nn.init.uniform_(part.weight, 0.5, 1.5)
    return Model(trace(network), InputContract((32, 32)), ("a", "b", "c"))


def answers(model: Model) -> torch.Tensor:
    with torch.inference_mode():
        out: torch.Tensor = model.graph(X)
    return out


def near(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() <= 1e-5 * max(1.0, float(b.abs().max())))


EVERYWHERE = pytest.mark.parametrize(
    ("network", "layer", "count"),
    [
        ("squeezenet1_1", "features.0", 64),  # plain
        ("vgg11", "features.18", 512),  # flattened: 49 numbers a channel
        ("vgg11", "classifier.3", 4096),  # a dense layer
        ("resnet18", "layer1.0.conv1", 64),  # inside a block
        ("resnet18", "layer2.0.conv2", 128),  # added: the shortcut and the next block follow
        ("resnet18", "conv1", 64),
        ("mobilenet_v2", "features.3.conv.0.0", 144),  # a depthwise convolution follows
        ("mobilenet_v2", "features.2.conv.2", 24),
        ("densenet121", "features.denseblock1.denselayer1.conv2", 32),  # concatenated many times
        ("squeezenet1_1", "features.3.expand1x1", 64),
        ("efficientnet_b0", "features.3.0.block.0.0", 144),  # gates
        ("regnet_y_400mf", "trunk_output.block2.block2-1.f.a.0", 104),  # groups
        ("resnext50_32x4d", "layer1.1.conv2", 128),  # groups itself
        ("shufflenet_v2_x0_5", "conv5.0", 1024),
    ],
)


@EVERYWHERE
def test_new_filters_change_no_answer_until_they_learn(network: str, layer: str, count: int) -> None:
    before = known(network)
    after = apply(before, [SetFilters(layer, count + 32)])
    weight = after.graph.get_submodule(layer).weight.detach()
    assert weight.shape[0] == count + 32
    assert 0 < float(weight[count:].std()) < 0.2 * float(weight[:count].std()) or "resnext" in network
    assert near(answers(after), answers(before))
    untrained = json.loads(after.card["untrained"])
    assert untrained[layer] == "it has new filters"
    assert len(untrained) > 1


@EVERYWHERE
def test_dropping_filters_that_give_zeros_changes_no_answer(network: str, layer: str, count: int) -> None:
    """The weakest go: those are the ones whose weights are zero."""
    groups = getattr(known(network).graph.get_submodule(layer), "groups", 1)
    silent = tuple(range(0, count, count // groups if groups > 1 else 5))
    edits = [ZeroWeights(layer, silent)]
    if known(network).graph.get_submodule(layer).bias is not None:
        edits.append(SetBias(layer, 0.0, silent))  # type: ignore[arg-type]
    if network == "resnet18" and layer != "layer1.0.conv1":  # all that is added has to be silent
        stage = "layer1" if layer == "conv1" else "layer2"
        others = [n for n, m in known(network).graph.named_modules() if n.startswith(stage) and n.endswith("conv2")]
        others += ["layer2.0.downsample.0"] if stage == "layer2" else []
        edits += [ZeroWeights(name, silent) for name in others]
    if network == "mobilenet_v2" and layer == "features.2.conv.2":
        edits.append(ZeroWeights("features.3.conv.2", silent))
    before = apply(known(network), edits)
    after = apply(before, [SetFilters(layer, count - len(silent))])
    assert after.graph.get_submodule(layer).weight.shape[0] == count - len(silent)
    assert near(answers(after), answers(before))
    assert "untrained" not in after.card


def test_layer_norms_and_layer_scales_follow() -> None:
    """ConvNeXt: channels move to the last axis and back, are scaled by a stored number each, and added."""
    before = known("convnext_tiny")
    after = apply(before, [SetFilters("features.2.1", 96)])
    assert answers(after).shape == (1, 3)
    after = apply(before, [SetFilters("features.1.0.block.3", 300)])
    assert after.graph.get_submodule("features.1.0.block.5").in_features == 300


def small(*layers: nn.Module, classes: int = 3) -> Model:
    """conv (3 -> 6 channels), then layers b, c, ..."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.layer("a", nn.Conv2d(3, 6, 3), b.input())
    for letter, layer in zip("bcdefgh", layers):
        x = b.layer(letter, layer, x)
    return Model(b.finish(x).eval(), InputContract((32, 32)), tuple("abcdefgh"[:classes]))


END = (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3))


@pytest.mark.parametrize(
    "layers",
    [
        (nn.BatchNorm2d(6), nn.PReLU(6), *END),
        (nn.PReLU(), nn.InstanceNorm2d(6, affine=True), *END),
        (extra.ScaleChannels((1, 2, 3, 4, 5, 6)), extra.Rescale((1, 2, 3, 4, 5, 6), (0.1,) * 6), *END),
        (extra.Rescale((2.0,), (0.5,)), extra.FrozenBatchNorm2d(6), *END),
        (nn.ConvTranspose2d(6, 4, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
        (nn.Conv2d(6, 12, 3, groups=6), nn.Conv2d(12, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
        (nn.Conv2d(6, 4, 1, groups=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
        (nn.ConvTranspose2d(6, 4, 2, groups=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
        (nn.AdaptiveAvgPool2d(2), extra.ChannelsLastFlatten(), nn.Linear(24, 3)),
        (nn.AdaptiveAvgPool2d(2), nn.Flatten(2), nn.Conv1d(6, 3, 4), nn.Flatten()),
        (nn.LocalResponseNorm(2), *END),
    ],
    ids=lambda layers: "-".join(type(m).__name__ for m in layers[:2]),
)
def test_every_layer_that_may_follow(layers: tuple[nn.Module, ...]) -> None:
    before = small(*layers)
    keep = SetFilters("a", 4, keep="first")
    fewer, more = apply(before, [keep]), apply(before, [SetFilters("a", 9)])
    assert answers(fewer).shape == answers(more).shape == (1, 3)
    if not isinstance(layers[0], nn.LocalResponseNorm):  # whose window over the channels sees the new ones
        assert near(answers(more), answers(before))
    back = apply(more, [SetFilters("a", 6, keep="first")])
    assert near(answers(back), answers(before))


def test_group_norms_must_divide_evenly() -> None:
    before = small(nn.GroupNorm(3, 6), *END)
    assert answers(apply(before, [SetFilters("a", 3)])).shape == (1, 3)
    with pytest.raises(
        BadInput, match="b normalises its channels in 3 groups; 4 channels do not fall into them evenly"
    ):
        apply(before, [SetFilters("a", 4)])


def twice(swapped: bool) -> Model:
    """Two branches of one convolution behind one another; or, swapped, that and its opposite added."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.layer("a", nn.Conv2d(3, 4, 3), b.input())
    p, q = b.layer("p", nn.ReLU(), x), b.layer("q", nn.MaxPool2d(3, 1, 1), x)
    own = b.layer("own", nn.Conv2d(4, 4, 1), q)
    one = b.call("one", torch.cat, [p, own], 1)
    two = b.call("two", torch.cat, [own, p] if swapped else [p, q], 1)
    one = b.call("plus", operator.add, one, two) if swapped else b.layer("end", nn.Conv2d(8, 8, 1), two)
    ends = b.layer("fc", nn.Linear(8, 3), b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), one)))
    return Model(b.finish(ends).eval(), InputContract((32, 32)), ("a", "b", "c"))


def test_both_parts_of_a_concatenation_change() -> None:
    before = twice(swapped=False)
    assert near(answers(apply(before, [SetFilters("a", 6)])), answers(before))
    assert answers(apply(before, [SetFilters("a", 3)])).shape == (1, 3)


def test_one_change_that_would_have_to_be_two() -> None:
    with pytest.raises(BadInput, match="two would have to follow two different changes of its channels"):
        apply(twice(swapped=True), [SetFilters("a", 6)])


def test_the_strongest_stay_in_their_order() -> None:
    edits = [ZeroWeights("a", (0, 3)), SetWeight("a", (5, 0, 0, 0), 100.0)]
    before = apply(small(*END), edits)
    weight = before.graph.get_submodule("a").weight
    after = apply(before, [SetFilters("a", 4)])
    assert torch.equal(after.graph.get_submodule("a").weight, weight[[1, 2, 4, 5]])
    assert torch.equal(apply(before, [SetFilters("a", 2, "first")]).graph.get_submodule("a").weight, weight[:2])
    assert after.card["adapted"] == "a has 4 filters instead of 6 (the strongest stayed); adapted to it: d."


def test_the_seed_chooses_the_new_weights() -> None:
    one, same, other = (
        apply(small(*END), [SetFilters("a", 8, seed=seed)]).graph.get_submodule("a").weight for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(one[:6], other[:6])


def gated() -> Model:
    """A value added to what came of it, whose channels are the picture's own; and a stored factor."""
    b = GraphBuilder()
    x = b.input()
    y = b.layer("a", nn.Conv2d(3, 3, 3, padding=1), x)
    y = b.call("both", operator.add, x, y)
    y = b.layer("c", nn.Conv2d(3, 6, 1), y)
    y = b.call("scaled", operator.mul, y, b.constant("gamma", torch.full((6, 1, 1), 2.0)))
    y = b.call("mixed", torch.chunk, y, 2, 1)
    y = b.call("half", operator.getitem, y, 0)
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), y))
    return Model(b.finish(ends).eval(), InputContract((32, 32)), ("a", "b", "c"))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (SetFilters("a", 4), "is the picture, whose channels cannot follow"),
        (SetFilters("c", 4), r"mixed \(chunk\) gets these channels and mixes or divides them"),
        (SetFilters("mean", 4), "mean is a AdaptiveAvgPool2d; only convolutions and dense layers have filters"),
        (SetFilters("c", 0), "a layer has 1 to 16384 filters. Got 0"),
        (SetFilters("c", -3), "a layer has 1 to 16384 filters. Got -3"),
        (SetFilters("c", 10**9), "a layer has 1 to 16384 filters"),
    ],
)
def test_what_cannot_be_followed(edit: SetFilters, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(gated(), [edit])


def test_depthwise_layers_follow_and_do_not_lead() -> None:
    before = small(nn.Conv2d(6, 6, 3, groups=6), *END)
    with pytest.raises(
        BadInput, match="b is depthwise, one filter for each channel it gets from a; set the filters of"
    ):
        apply(before, [SetFilters("b", 4)])


def test_groups_of_its_own_want_a_multiple() -> None:
    before = small(nn.Conv2d(6, 6, 3, groups=2), *END)
    with pytest.raises(BadInput, match=r"b works in 2 groups; its filters must be a multiple\. Got 5"):
        apply(before, [SetFilters("b", 5)])
    assert apply(before, [SetFilters("b", 4)]).graph.get_submodule("b").groups == 2


def test_the_answers_are_not_filters() -> None:
    with pytest.raises(BadInput, match="its channels reach the network's answer, one per class; set the number of"):
        apply(small(*END), [SetFilters("d", 5)])


def test_stored_factors_are_cut_and_the_originals_kept() -> None:
    b = GraphBuilder()
    y = b.layer("c", nn.Conv2d(3, 6, 1), b.input())
    y = b.call("scaled", operator.mul, y, b.constant("gamma", torch.arange(6.0).view(6, 1, 1)))
    ends = b.layer("fc", nn.Linear(6, 3), b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), y)))
    before = Model(b.finish(ends).eval(), InputContract((32, 32)), ("a", "b", "c"))
    after = apply(before, [SetFilters("c", 4, "first")])
    assert after.graph.gamma.flatten().tolist() == [0, 1, 2, 3]
    assert before.graph.gamma.flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert near(answers(apply(before, [SetFilters("c", 8)])), answers(before))


# -- classes


def test_classes_that_stay_keep_their_answers() -> None:
    before = small(*END)
    after = apply(before, [SetClassCount(("c", "new", "a"))])
    assert after.classes == ("c", "new", "a")
    was, now = answers(before)[0], answers(after)[0]
    assert torch.equal(now[[0, 2]], was[[2, 0]])
    assert after.card["untrained"] == '{"d": "it has new classes"}'
    fewer = apply(before, [SetClassCount(count=2)])
    assert fewer.classes == ("a", "b")
    assert torch.equal(answers(fewer)[0], was[:2])
    assert "untrained" not in fewer.card
    assert apply(before, [SetClassCount(count=5)]).classes == ("a", "b", "c", "class 4", "class 5")


def test_the_head_may_lie_before_a_softmax_or_a_pool() -> None:
    ends = (nn.Conv2d(6, 3, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1))
    after = apply(small(*ends), [SetClassCount(count=4)])
    assert answers(after).shape == (1, 4)
    assert torch.allclose(answers(after).sum(), torch.tensor(1.0))


def test_squeezenets_head_is_a_convolution() -> None:
    assert answers(apply(known("squeezenet1_1"), [SetClassCount(count=7)])).shape == (1, 7)


def joined_end() -> Model:
    b = GraphBuilder()
    x = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), b.input()))
    y = b.call("both", operator.add, b.layer("p", nn.Linear(3, 3), x), b.layer("q", nn.Linear(3, 3), x))
    return Model(b.finish(y), InputContract((32, 32)), ("a", "b", "c"))


def bare_end() -> Model:
    b = GraphBuilder()
    x = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), b.input()))
    return Model(b.finish(x), InputContract((32, 32)), ("a", "b", "c"))


@pytest.mark.parametrize(
    ("model", "edit", "says"),
    [
        (small(*END), SetClassCount(), "give either the classes' names or their number"),
        (small(*END), SetClassCount(("a",), 2), "give either the classes' names or their number"),
        (small(*END), SetClassCount(count=-1), "a network has 1 to 16384 classes. Got -1"),
        (small(*END), SetClassCount(("a", "a ")), "two classes cannot both be called 'a'"),
        (small(*END), SetClassCount(("a", "b\n c")), "a class name is a text on one line"),
        (
            joined_end(),
            SetClassCount(count=2),
            r"the network's answers come from both \(add\), not from one last layer",
        ),
        (bare_end(), SetClassCount(count=2), "the network's answers do not come from one last layer"),
        (small(*END, classes=2), SetClassCount(count=3), "the last layer d makes 3 numbers for 2 classes"),
    ],
)
def test_classes_that_cannot_be(model: Model, edit: SetClassCount, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model, [edit])


def test_other_edits_go_on_afterwards() -> None:
    edits = [SetFilters("a", 9), Silence("a", (8,)), SetActivation("b", "relu"), SetFilters("a", 3)]
    before = small(nn.Sigmoid(), *END)
    assert answers(apply(before, edits)).shape == (1, 3)
