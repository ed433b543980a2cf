"""Slide: the patches times the kernel give the layer's own output map, whatever the settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.engine.trace import trace_steps
from cutaway.engine.unfold import slide_of, slide_steps
from cutaway.errors import BadInput
from cutaway.graph.trace import trace

SMALL = st.integers(1, 3)


def computed(slide: Any) -> np.ndarray:
    out = np.empty(slide.output.shape)
    for row, column in np.ndindex(*slide.output.shape):
        patch = slide.patch(row, column)
        if slide.does == "sum":
            out[row, column] = (patch * slide.kernel).sum() + (slide.bias or 0)
        else:
            out[row, column] = patch.max() if slide.does == "max" else patch.mean()
    return out


def slide(net: nn.Module, x: torch.Tensor, name: str, channel: int) -> Any:
    graph = trace(net)
    return slide_of(graph, trace_steps(graph, x, slide_steps(graph, name)), name, channel)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data(), groups=SMALL, axes=st.integers(1, 2))
def test_convolutions_slide(data: st.DataObject, groups: int, axes: int) -> None:
    kernel, stride, dilation = (data.draw(st.tuples(*[SMALL] * axes)) for _ in range(3))
    padding: Any = data.draw(st.tuples(*[st.integers(0, 3)] * axes))
    mode = data.draw(st.sampled_from(["zeros", "reflect"]))
    kind = nn.Conv1d if axes == 1 else nn.Conv2d
    layer = kind(2 * groups, 2 * groups, kernel, stride, padding, dilation, groups, padding_mode=mode)
    x = torch.randn(1, 2 * groups, *[8] * axes, generator=torch.Generator().manual_seed(1))
    found = slide(nn.Sequential(layer), x, "0", 2 * groups - 1)
    np.testing.assert_allclose(computed(found), found.output, atol=1e-5)
    assert found.of_input
    assert len(found.channels) == 2
    for (first, last), read in zip(found.row_spans, found.rows):
        inside = [r for r in read if r >= 0]
        assert last - first == (dilation[0] if axes == 2 else 1) * (len(read) - 1) + 1 or mode == "reflect"
        assert mode == "reflect" or not inside or first <= min(inside) <= max(inside) < last


@pytest.mark.parametrize(
    "layer",
    [nn.MaxPool2d(3, 2, 1), nn.AvgPool2d((2, 3)), nn.AdaptiveAvgPool2d((3, 2)), nn.AdaptiveMaxPool2d(3)],
    ids=str,
)
def test_pooling_slides(layer: nn.Module) -> None:
    x = torch.randn(1, 3, 7, 8, generator=torch.Generator().manual_seed(2)) + 9  # above zero: padding never wins
    found = slide(nn.Sequential(layer), x, "0", 2)
    np.testing.assert_allclose(computed(found), found.output, atol=1e-5)
    assert (found.kernel, found.channels) == (None, (2,))


def test_padding_of_its_own_layer_becomes_the_windows_border() -> None:
    """Keras files pad in a layer of its own: the picture is still what is shown, its border outside."""
    net = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, 2))
    x = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(3))
    found = slide(net, x, "1", 1)
    assert found.inputs.shape == (3, 6, 6)
    assert found.of_input
    assert found.rows[-1] == (4, 5, -1)
    assert found.row_spans[-1] == (4, 7)
    assert found.outside(2, 0).tolist() == [[False] * 3, [False] * 3, [True] * 3]
    np.testing.assert_allclose(computed(found), found.output, atol=1e-5)
    cut = slide(nn.Sequential(nn.ZeroPad2d((-1, 0, 0, 1)), nn.Conv2d(3, 4, 3)), x, "1", 1)
    assert cut.inputs.shape == (3, 7, 5)


def test_what_does_not_slide() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten())
    x = torch.zeros(1, 1, 5, 5)
    with pytest.raises(
        BadInput, match=r"1 is of kind ReLU, which has no window that slides over a map; layers that slide: 0\."
    ):
        slide(net, x, "1", 0)
    with pytest.raises(BadInput, match=r"this network has no layer that slides\."):
        slide(nn.Sequential(nn.Flatten()), x, "0", 0)
    with pytest.raises(BadInput, match=r"0 has channels 0 to 1\. Got 2\."):
        slide(net, x, "0", 2)
