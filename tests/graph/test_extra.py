"""Layers of our own: padding and pooling against their definition, flattening and clipping against numpy."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.graph.build import GraphBuilder
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.extra import (
    KINDS,
    AlwaysDropout,
    ChannelsLastFlatten,
    ClippedReLU,
    FrozenBatchNorm1d,
    FrozenBatchNorm2d,
    Rescale,
    SamePad2d,
    SamePool2d,
    ScaleChannels,
    evenly_spread,
)

SIDE = st.integers(1, 12)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(SIDE, SIDE), kernel=st.tuples(*[st.integers(1, 5)] * 2), stride=st.tuples(*[st.integers(1, 4)] * 2)
)
def test_same_padding_lets_exactly_ceil_windows_fit(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    x = torch.rand(1, 2, *size) + 1
    padded = SamePad2d(kernel, stride)(x)
    for n, grown, k, s in zip(size, padded.shape[2:], kernel, stride):
        assert (grown - k) // s + 1 == math.ceil(n / s)
        assert grown == max((math.ceil(n / s) - 1) * s + k, n)
    above, left = (grown - n for n, grown in zip(size, padded.shape[2:]))
    above, left = above // 2, left // 2  # the odd pixel lies at the bottom and right
    assert torch.equal(padded[:, :, above : above + size[0], left : left + size[1]], x)
    assert padded.sum().item() == pytest.approx(x.sum().item(), rel=1e-5)


def test_same_padding_counts_dilation_and_fills_with_its_value() -> None:
    padded = SamePad2d((3, 3), (1, 1), (2, 2), value=-math.inf)(torch.zeros(1, 1, 4, 4))
    assert padded.shape == (1, 1, 8, 8)
    assert torch.isneginf(padded).sum() == 64 - 16
    x = torch.rand(1, 1, 4, 4)
    assert SamePad2d((1, 1), (2, 2))(x) is x


@pytest.mark.parametrize(("size", "kernel", "stride"), [((5, 4), (2, 3), (2, 2)), ((6, 7), (3, 2), (1, 3))])
def test_same_pool_counts_only_pixels_inside(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    found = SamePool2d(kernel, stride)(x)
    places = [math.ceil(n / s) for n, s in zip(size, stride)]
    before = [max((p - 1) * s + k - n, 0) // 2 for p, s, k, n in zip(places, stride, kernel, size)]
    for i, j in itertools.product(range(places[0]), range(places[1])):
        top, left = i * stride[0] - before[0], j * stride[1] - before[1]
        seen = x[:, :, max(top, 0) : top + kernel[0], max(left, 0) : left + kernel[1]]
        torch.testing.assert_close(found[:, :, i, j], seen.mean((2, 3)))


def test_flatten_writes_channels_last() -> None:
    maps = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # (N, H, W, C)
    found = ChannelsLastFlatten()(torch.from_numpy(maps).permute(0, 3, 1, 2))
    assert np.array_equal(found.numpy(), maps.reshape(2, -1))
    rows = maps[..., 0]  # (N, L, C)
    assert np.array_equal(ChannelsLastFlatten()(torch.from_numpy(rows).permute(0, 2, 1)).numpy(), rows.reshape(2, -1))
    flat = torch.rand(2, 7)
    assert torch.equal(ChannelsLastFlatten()(flat), flat)


def test_clipped_relu_has_three_parts() -> None:
    x = torch.tensor([-1.0, 0.4, 0.5, 1.0, 2.0, 9.0])
    found = ClippedReLU(top=2.0, negative_slope=0.1, threshold=0.5)(x)
    torch.testing.assert_close(found, torch.tensor([-0.15, -0.01, 0.5, 1.0, 2.0, 2.0]))
    torch.testing.assert_close(ClippedReLU(threshold=0.5)(x), torch.tensor([0.0, 0.0, 0.5, 1.0, 2.0, 9.0]))


def test_rescale_is_for_all_channels_or_for_each() -> None:
    x = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(Rescale((2.0,), (-1.0,))(x), x * 2 - 1)
    wanted = x * torch.tensor([1.0, 2, 3]).view(3, 1, 1) + torch.tensor([4.0, 5, 6]).view(3, 1, 1)
    torch.testing.assert_close(Rescale((1, 2, 3), (4, 5, 6))(x), wanted)
    torch.testing.assert_close(Rescale((1, 2, 3), (0,))(x[:, :, 0, 0]), x[:, :, 0, 0] * torch.tensor([1.0, 2, 3]))


def test_channels_are_scaled_along_their_axis_and_a_zero_is_a_zero() -> None:
    x = torch.randn(2, 3, 4, 5)
    x[0, 1, 2, 3], x[1, 1, 0, 0] = math.nan, math.inf
    found = ScaleChannels((2.0, 0.0, -1.0))(x)
    assert torch.equal(found, torch.stack([x[:, 0] * 2, torch.zeros(2, 4, 5), -x[:, 2]], 1))
    rows = torch.randn(2, 4, 3)
    assert torch.equal(ScaleChannels((2.0, 1.0, 3.0), -1)(rows), rows * torch.tensor([2.0, 1.0, 3.0]))


def test_random_numbers_are_the_published_ones() -> None:
    """The first outputs of SplitMix64 from state 0, as its authors' C code prints them, shifted to 53 bits."""
    published = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    assert evenly_spread(0, 3).tolist() == [n // 2**11 / 2**53 for n in published]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**63 - 1), p=st.floats(0, 1), whole=st.booleans())
def test_dropout_at_prediction_keeps_the_same_values_of_every_picture(seed: int, p: float, whole: bool) -> None:
    layer = AlwaysDropout(p, seed, whole).eval()
    x = torch.rand(3, 40, 5, 5) + 1
    found = layer(x)
    torch.testing.assert_close(torch.cat([layer(x[2:]), layer(x[:2])]), found[[2, 0, 1]], rtol=0, atol=0)
    kept = found != 0
    assert torch.equal(kept[0], kept[1])
    if p < 1:
        torch.testing.assert_close(found[kept], (x / (1 - p))[kept])
    cells = kept[0, :, 0, 0] if whole else kept[0]
    share, spread = 1 - cells.float().mean().item(), math.sqrt(p * (1 - p) / cells.numel())
    assert abs(share - p) <= 5 * spread + 2 / cells.numel()
    if whole:
        assert torch.equal(kept.all((2, 3)), kept.any((2, 3)))


@pytest.mark.parametrize(
    ("whole", "shape"), [(False, (4, 8)), (True, (4, 8, 5)), (True, (4, 8, 3, 3)), (False, (4, 8, 3, 3))]
)
def test_dropout_at_prediction_is_ordinary_in_training(whole: bool, shape: tuple[int, ...]) -> None:
    ordinary = {2: nn.Dropout, 3: nn.Dropout1d, 4: nn.Dropout2d}[len(shape)] if whole else nn.Dropout
    x = torch.rand(shape)
    torch.manual_seed(1)
    wanted = ordinary(0.5)(x)
    torch.manual_seed(1)
    assert torch.equal(AlwaysDropout(0.5, 0, whole).train()(x), wanted)


def test_dropout_needs_a_share() -> None:
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\], got 1.5"):
        AlwaysDropout(1.5)


@pytest.mark.parametrize(
    ("frozen", "usual"), [(FrozenBatchNorm1d, nn.BatchNorm1d), (FrozenBatchNorm2d, nn.BatchNorm2d)]
)
def test_frozen_statistics_stay_in_training_and_gains_learn(frozen: type[nn.Module], usual: type[nn.Module]) -> None:
    x = torch.randn(4, 3, 5, 5) if frozen is FrozenBatchNorm2d else torch.randn(4, 3, 5)
    norm, reference = frozen(3), usual(3).eval()
    for layer in (norm, reference):
        layer.running_mean = torch.tensor([1.0, 2.0, 3.0])
        layer.running_var = torch.tensor([0.5, 2.0, 4.0])
    found = norm.train()(x)
    assert torch.equal(found, reference(x))
    found.sum().backward()
    assert norm.weight.grad is not None
    assert torch.equal(norm.running_mean, torch.tensor([1.0, 2.0, 3.0]))
    assert norm.num_batches_tracked == 0


LAYERS = [
    SamePad2d((3, 2), (2, 1), (1, 2), -math.inf),
    SamePool2d((3, 2), (2, 1)),
    ChannelsLastFlatten(),
    ClippedReLU(2.5, 0.1, 0.3),
    Rescale((1 / 3, 0.1, 7.0), (-1.0,)),
    ScaleChannels((0.0, 1 / 3, -2.0)),
    AlwaysDropout(0.4, 7),
    FrozenBatchNorm1d(3),
    FrozenBatchNorm2d(3, eps=1e-3),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_each_is_saved_and_rebuilt_exactly(layer: nn.Module) -> None:
    builder = GraphBuilder()
    graph = builder.finish(builder.layer("own", layer, builder.input())).eval()
    again = from_document(json.loads(json.dumps(to_document(graph))), tensors_of(graph))
    x = torch.randn(2, 3, 6, 5) if not isinstance(layer, nn.BatchNorm1d) else torch.randn(2, 3, 6)
    assert torch.equal(graph(x), again(x))
    assert repr(again.own) == repr(layer)


def test_every_own_kind_is_tested() -> None:
    assert {type(layer).__name__ for layer in LAYERS} == set(KINDS)
