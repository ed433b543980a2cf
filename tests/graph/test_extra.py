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
from cutaway.graph.extra import KINDS, ChannelsLastFlatten, ClippedReLU, Rescale, SamePad2d, SamePool2d

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


LAYERS = [
    SamePad2d((3, 2), (2, 1), (1, 2), -math.inf),
    SamePool2d((3, 2), (2, 1)),
    ChannelsLastFlatten(),
    ClippedReLU(2.5, 0.1, 0.3),
    Rescale((1 / 3, 0.1, 7.0), (-1.0,)),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_each_is_saved_and_rebuilt_exactly(layer: nn.Module) -> None:
    builder = GraphBuilder()
    graph = builder.finish(builder.layer("own", layer, builder.input())).eval()
    again = from_document(json.loads(json.dumps(to_document(graph))), tensors_of(graph))
    x = torch.randn(2, 3, 6, 5)
    assert torch.equal(graph(x), again(x))
    assert repr(again.own) == repr(layer)


def test_every_own_kind_is_tested() -> None:
    assert {type(layer).__name__ for layer in LAYERS} == set(KINDS)
