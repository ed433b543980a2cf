"""Weights changed: what was chosen, by how much, and nothing else."""

from __future__ import annotations

import typing
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import (
    AddNoise,
    RandomiseWeights,
    RoundWeights,
    ScaleBias,
    ScaleWeights,
    SetBias,
    SetWeight,
    SwapChannels,
    ZeroWeights,
)
from cutaway.surgery.filters_of import seen, unseen
from cutaway.surgery.weights import rounded


def network() -> Model:
    body = OrderedDict(
        conv=nn.Conv2d(3, 4, 3),
        bn=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        bare=nn.Conv2d(4, 4, 3, bias=False, groups=2),
        up=nn.ConvTranspose2d(4, 6, 2, groups=2),
        pool=nn.AdaptiveAvgPool2d(2),
        flat=nn.Flatten(),
        fc=nn.Linear(24, 3),
    )
    torch.manual_seed(3)
    model = Model(trace(nn.Sequential(body)), InputContract((8, 8)), ("a", "b", "c"))
    norm = typing.cast(nn.BatchNorm2d, model.graph.get_submodule("bn"))
    assert norm.running_mean is not None
    norm.running_mean.copy_(torch.arange(4.0))
    return model


def array(model: Model, name: str, which: str = "weight") -> torch.Tensor:
    found = getattr(model.graph.get_submodule(name), which)
    assert isinstance(found, torch.Tensor)
    return found.detach()


def filters(model: Model, name: str) -> torch.Tensor:
    return seen(model.graph.get_submodule(name), array(model, name))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_a_transposed_filter_is_what_makes_its_map(groups: int, inner: int, outer: int, size: int) -> None:
    """Zeroing filter i as seen here silences map i, and there and back is the same."""
    layer = nn.ConvTranspose2d(groups * inner, groups * outer, size, groups=groups, bias=False)
    as_filters = seen(layer, layer.weight.detach())
    assert as_filters.shape == (groups * outer, inner, size, size)
    assert torch.equal(unseen(layer, as_filters), layer.weight)
    x = torch.rand(1, groups * inner, 4, 4) + 0.1
    for channel in range(groups * outer):
        kept = as_filters.clone()
        kept[channel] = 0
        silent = nn.functional.conv_transpose2d(x, unseen(layer, kept), groups=groups)
        assert (silent != 0).flatten(2).any(2)[0].tolist() == [n != channel for n in range(groups * outer)]


@pytest.mark.parametrize(
    ("edit", "at"),
    [
        (SetWeight("conv", (1, 2, 0, 1), 0.25), (1, 2, 0, 1)),
        (SetWeight("fc", (2, 23), -1.0), (2, 23)),
        (SetWeight("bn", (3,), 2.0), (3,)),
        (SetWeight("bn", (3,), 7.0, "running_mean"), (3,)),
        (SetWeight("conv", (0,), 7.0, "bias"), (0,)),
    ],
)
def test_one_number_is_set(edit: SetWeight, at: tuple[int, ...]) -> None:
    before = network()
    old, new = (array(m, edit.layer, edit.which) for m in (before, apply(before, [edit])))
    assert new[at] == edit.value
    assert (new != old).sum() == 1


def test_one_number_of_a_transposed_convolution_is_counted_as_in_others() -> None:
    before = network()
    after = apply(before, [SetWeight("up", (4, 1, 0, 1), 9.0)])  # second group: maps 3..5, inputs 2 and 3
    assert (array(after, "up") != array(before, "up")).nonzero().tolist() == [[3, 1, 0, 1]]
    assert array(after, "up")[3, 1, 0, 1] == 9


CHOSEN = [((), ()), ((0, 2), ()), ((), (0,)), ((2,), (1,))]


@pytest.mark.parametrize(("channels", "inputs"), CHOSEN)
@pytest.mark.parametrize("name", ["conv", "bare", "up", "fc"])
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda *c: ScaleWeights(c[0], -2.0, *c[1:]), lambda w: w * -2),
        (lambda *c: ZeroWeights(*c), torch.zeros_like),
    ],
)
def test_only_the_chosen_weights_change(
    make: Callable[..., Edit],
    wanted: Callable[..., torch.Tensor],
    name: str,
    channels: tuple[int, ...],
    inputs: tuple[int, ...],
) -> None:
    before = network()
    after = apply(before, [make(name, channels, inputs)])
    old, new = filters(before, name), filters(after, name)
    out = torch.zeros(len(old), dtype=torch.bool).index_fill(0, torch.tensor(channels or range(len(old))), True)
    into = torch.zeros(old.shape[1], dtype=torch.bool).index_fill(0, torch.tensor(inputs or range(old.shape[1])), True)
    picked = (out[:, None] & into).view(*old.shape[:2], *[1] * (old.ndim - 2))
    assert torch.equal(new, torch.where(picked, wanted(old), old))
    if name != "bare":
        assert torch.equal(array(after, name, "bias"), array(before, name, "bias"))


def test_a_norms_gain_is_scaled_like_any_weight() -> None:
    assert array(apply(network(), [ScaleWeights("bn", 3.0, (1,))]), "bn").tolist() == [1, 3, 1, 1]


def test_noise_has_the_size_asked_for_and_comes_from_its_seed() -> None:
    before = Model(
        trace(nn.Sequential(OrderedDict(flat=nn.Flatten(), fc=nn.Linear(192, 100)))), InputContract((8, 8)), ()
    )
    old = array(before, "fc")
    new = array(apply(before, [AddNoise("fc", 0.1)]), "fc")
    # 19,200 draws: their deviation is known to 0.5 %
    assert (new - old).std().item() == pytest.approx(0.1 * old.std().item(), rel=0.03)
    assert abs((new - old).mean().item()) < 0.1 * old.std().item() / 40
    assert torch.equal(new, array(apply(before, [AddNoise("fc", 0.1, 0)]), "fc"))
    assert not torch.equal(new, array(apply(before, [AddNoise("fc", 0.1, 1)]), "fc"))
    part = array(apply(before, [AddNoise("fc", 0.1, 5, (2, 3), (7,))]), "fc")
    assert (part != old).nonzero().tolist() == [[2, 7], [3, 7]]


def test_random_weights_are_the_layers_own_and_it_must_learn_again() -> None:
    before = network()
    after = apply(before, [RandomiseWeights("conv", 4, (0, 1))])
    old, new = array(before, "conv"), array(after, "conv")
    assert torch.equal(new[2:], old[2:])
    assert not torch.equal(new[:2], old[:2])
    assert set(new.flatten().tolist()) <= set(old.flatten().tolist())
    assert torch.equal(new, array(apply(before, [RandomiseWeights("conv", 4, (0, 1))]), "conv"))
    assert after.card["untrained"] == '{"conv": "its weights were drawn at random"}'
    again = apply(after, [RandomiseWeights("fc")])
    assert again.card["untrained"].count("drawn at random") == 2


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(2, 16))
def test_rounding_gives_few_levels_close_by(numbers: list[float], bits: int) -> None:
    exact = torch.tensor(numbers, dtype=torch.float64)
    found = rounded(exact, bits)
    top = exact.abs().max()
    step = top / (2 ** (bits - 1) - 1)
    assert (found - exact).abs().max() <= step / 2 + 1e-9 * top
    assert found.abs().max() <= top * (1 + 1e-12)
    if step > 0:
        torch.testing.assert_close(found / step, torch.round(found / step), atol=1e-6, rtol=0)
    torch.testing.assert_close(rounded(found, bits), found)
    assert torch.equal(rounded(-exact, bits), -found)


def test_rounding_a_layer() -> None:
    new = array(apply(network(), [RoundWeights("fc", 2)]), "fc")
    assert len(new.unique()) == 3
    assert len(array(apply(network(), [RoundWeights("fc", 4)]), "fc").unique()) <= 15
    part = array(apply(network(), [RoundWeights("fc", 2, (1,))]), "fc")
    assert len(part[1].unique()) == 3
    assert torch.equal(part[[0, 2]], array(network(), "fc")[[0, 2]])


def test_swapped_statistics_go_with_the_gain() -> None:
    before = network()
    after = apply(before, [ScaleWeights("bn", 5.0, (0,)), SwapChannels("bn", 0, 2)])
    assert array(after, "bn").tolist() == [1, 1, 5, 1]
    assert array(after, "bn", "running_mean").tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize("name", ["conv", "up", "fc", "bare"])
def test_swapped_channels_give_swapped_maps(name: str) -> None:
    before = network()
    after = apply(before, [SwapChannels(name, 0, 2)])
    old, new = (m.graph.get_submodule(name) for m in (before, after))
    assert isinstance(old, nn.Module)
    shape = {"fc": (1, 24), "conv": (1, 3, 5, 5)}.get(name, (1, 4, 5, 5))
    x = torch.randn(shape)
    if name == "bare":  # in groups a filter reads other inputs: only the weights move
        assert torch.equal(new.weight[[2, 1, 0, 3]], old.weight)
        return
    if name == "up":
        assert torch.equal(new.bias[[2, 1, 0, 3, 4, 5]], old.bias)
    maps = old(x)
    order = [2, 1, 0, *range(3, maps.shape[1])]
    torch.testing.assert_close(new(x), maps[:, order])


def test_biases() -> None:
    before = network()
    assert array(apply(before, [SetBias("conv", 2.0, (1,))]), "conv", "bias")[1] == 2
    assert not array(apply(before, [SetBias("fc", 0.0)]), "fc", "bias").any()
    scaled = array(apply(before, [ScaleBias("fc", -3.0, (0, 2))]), "fc", "bias")
    assert torch.equal(scaled, array(before, "fc", "bias") * torch.tensor([-3.0, 1, -3]))
    given = apply(before, [SetBias("bare", 1.5, (3,))])
    assert array(given, "bare", "bias").tolist() == [0, 0, 0, 1.5]
    assert given.card["adapted"] == "bare had no bias and has one now."
    assert before.graph.get_submodule("bare").bias is None


REFUSED = [
    (SetWeight("conv", (4, 0, 0, 0), 1.0), r"conv.weight has 4 x 3 x 3 x 3 numbers, the last of them \[3, 2, 2, 2\]"),
    (SetWeight("fc", (0,), 1.0), r"fc.weight has 3 x 24 numbers, the last of them \[2, 23\]. Got \[0\]"),
    (SetWeight("bare", (0,), 1.0, "bias"), "bare is a Conv2d, which keeps no bias; it keeps weight"),
    (
        SetWeight("bn", (), 1.0, "num_batches_tracked"),
        "keeps no num_batches_tracked; it keeps weight, bias, running_mean",
    ),
    (
        SetWeight("relu", (0,), 1.0),
        "relu is a ReLU, which keeps no weight; layers with weights are conv, bn, bare, up, fc",
    ),
    (ScaleWeights("fc", 2.0, (3,)), "fc has 3 output channels, 0 to 2. Got 3"),
    (ScaleWeights("fc", 2.0, (), (-1,)), "fc has 24 inputs per filter, 0 to 23. Got -1"),
    (ZeroWeights("bn", (), (0,)), "bn keeps one number per channel; it has no inputs to choose from"),
    (AddNoise("fc", -0.5), "the amount of noise must be 0 or more standard deviations. Got -0.5"),
    (AddNoise("fc", 0.5, -1), r"a seed is a whole number from 0 to 2\^63 - 1. Got -1"),
    (RoundWeights("fc", 1), "weights can be rounded to 2 to 16 bits. Got 1"),
    (SwapChannels("fc", 0, 3), "swap fc's channels 0 and 3: fc has 3 output channels, 0 to 2. Got 3"),
    (SetBias("fc", 1.0, (9,)), "fc has 3 output channels, 0 to 2. Got 9"),
    (SetBias("fc", 1e39), r"fc keeps float32 numbers, at most 3.403e\+38. Got 1e\+39"),
    (SetWeight("fc", (0, 0), -1e39), r"fc keeps float32 numbers, at most 3.403e\+38. Got -1e\+39"),
    (ScaleBias("bare", 1.0), "bare is a Conv2d, which keeps no bias"),
    (ScaleWeights("input_1", 2.0), "input_1 is the input, not a layer with settings"),
]


@pytest.mark.parametrize(("edit", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else v.kind)
def test_what_does_not_fit_is_said(edit: typing.Any, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        operated(network(), [edit])


def test_a_layer_without_a_place_for_a_bias() -> None:
    model = Model(trace(nn.Sequential(OrderedDict(act=nn.PReLU(3), flat=nn.Flatten()))), InputContract((2, 2)), ())
    with pytest.raises(BadInput, match="act is a PReLU, which has no place for a bias"):
        operated(model, [SetBias("act", 1.0)])


def test_a_network_without_weights() -> None:
    model = Model(trace(nn.Sequential(OrderedDict(act=nn.ReLU()))), InputContract((2, 2)), ())
    with pytest.raises(BadInput, match="keeps no weight; the network has no layers with weights"):
        operated(model, [ZeroWeights("act")])


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (SetWeight("conv", (1, 2, 0, 1), 0.25), "set conv.weight[1,2,0,1] to 0.25"),
        (ScaleWeights("conv", 2.0, (1,), (0,)), "multiply conv's weights[1, input 0] by 2"),
        (ZeroWeights("conv", (), (0,)), "set conv's weights[input 0] to zero"),
        (AddNoise("conv", 0.1, 3), "add noise of 0.1 standard deviations to conv's weights (seed 3)"),
        (RandomiseWeights("conv"), "randomise conv's weights (seed 0)"),
        (RoundWeights("conv", 4, (1, 2)), "round conv's weights[1,2] to 4 bits"),
        (SwapChannels("conv", 0, 2), "swap conv's channels 0 and 2"),
        (SetBias("conv", 1.0), "set conv's bias to 1"),
        (ScaleBias("conv", 0.5, (1,)), "multiply conv's bias[1] by 0.5"),
    ],
)
def test_sentences(edit: typing.Any, text: str) -> None:
    assert edit.sentence == text
