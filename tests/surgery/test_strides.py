"""Strides, paddings, dilations: against torch's own layers, on every kind of convolution and pool."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import SetDilation, SetPadding, SetStride

X = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def model(*layers: nn.Module) -> Model:
    """Layers a, b, c, ...; whatever they give, its mean is the one answer."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.input()
    for letter, layer in zip("abcd", layers):
        x = b.layer(letter, layer, x)
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    return Model(b.finish(ends).eval(), InputContract((12, 12)), tuple(map(str, range(layers_out(x, layers)))))


def layers_out(node: object, layers: tuple[nn.Module, ...]) -> int:
    del node
    made = [getattr(layer, "out_channels", 0) for layer in layers]
    return next((count for count in reversed(made) if count), 3)


def of(model: Model, edit: Edit, layer: str = "a") -> torch.Tensor:
    """What the layer gives for X after the edit."""
    graph = apply(model, [edit]).graph
    with torch.inference_mode():
        x = X
        for name, part in graph.named_children():
            x = part(x)
            if name == layer:
                return x
    raise AssertionError(layer)


@pytest.mark.parametrize("stride", [1, 2, 3, (2, 1)])
def test_the_stride_of_a_convolution(stride: int | tuple[int, int]) -> None:
    before = model(conv := nn.Conv2d(3, 4, 3, 2, padding=1))
    wanted = F.conv2d(X, conv.weight, conv.bias, stride, 1)
    assert torch.equal(of(before, SetStride("a", stride)), wanted)
    assert conv.stride == (2, 2)


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (nn.MaxPool2d(2), lambda x: F.max_pool2d(x, 2, 1)),
        (nn.AvgPool2d(2), lambda x: F.avg_pool2d(x, 2, 1)),
        (extra.SamePool2d((3, 3), (2, 2)), lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)),
        (nn.Conv2d(3, 2, 3, padding="same"), None),
    ],
)
def test_the_stride_of_other_windows(layer: nn.Module, wanted: Any) -> None:
    given = of(model(layer), SetStride("a", 1))
    assert torch.allclose(given, wanted(X) if wanted else layer(X), atol=1e-6)


def test_padding_same_of_torch_becomes_a_number() -> None:
    before = model(conv := nn.Conv2d(3, 2, 3, padding="same"))
    assert torch.allclose(of(before, SetStride("a", 2)), F.conv2d(X, conv.weight, conv.bias, 2, 1), atol=1e-6)
    with pytest.raises(BadInput, match="a pads 'same' around an even window, which goes with a stride of 1 only"):
        apply(model(nn.Conv2d(3, 2, 4, padding="same")), [SetStride("a", 2)])


def test_a_stride_takes_its_padding_layer_along() -> None:
    """Keras' 'same': ceil(12 / 2) = 6 places, as tf.nn.conv2d(padding="SAME") pads at the bottom and right only."""
    before = model(extra.SamePad2d((3, 3), (1, 1)), conv := nn.Conv2d(3, 2, 3))
    wanted = F.conv2d(F.pad(X, (0, 1, 0, 1)), conv.weight, conv.bias, 2)
    assert torch.equal(of(before, SetStride("b", 2), "b"), wanted)


def test_a_one_sided_padding_is_told_of() -> None:
    after = apply(model(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 2, 3, 2)), [SetStride("b", 1)])
    assert after.card["adapted"] == (
        "a pads b's maps on one side, as the old stride wanted it; with padding 'same' no row is lost."
    )


def test_timms_own_padding() -> None:
    pytest.importorskip("timm")
    from timm.layers.conv2d_same import Conv2dSame

    before = model(conv := Conv2dSame(3, 2, 3, stride=2))
    wanted = F.conv2d(F.pad(X, (1, 1, 1, 1)), conv.weight, conv.bias)
    assert torch.allclose(of(before, SetStride("a", 1)), wanted, atol=1e-6)
    assert torch.equal(of(before, SetPadding("a", "same")), conv(X))
    assert torch.allclose(of(before, SetPadding("a", 0)), F.conv2d(X, conv.weight, conv.bias, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "padding", "wanted"),
    [
        (nn.Conv2d(3, 2, 3, padding=1), "valid", lambda m, x: F.conv2d(x, m.weight, m.bias)),
        (nn.Conv2d(3, 2, 3), "same", lambda m, x: F.conv2d(x, m.weight, m.bias, padding=1)),
        (nn.Conv2d(3, 2, 3, dilation=2), "same", lambda m, x: F.conv2d(x, m.weight, m.bias, 1, 2, 2)),
        (nn.Conv2d(3, 2, 3), (2, 0), lambda m, x: F.conv2d(x, m.weight, m.bias, padding=(2, 0))),
        (nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), 2,
         lambda m, x: F.conv2d(F.pad(x, (2, 2, 2, 2), "reflect"), m.weight, m.bias)),
        (nn.ConvTranspose2d(3, 2, 4, 2), 1, lambda m, x: F.conv_transpose2d(x, m.weight, m.bias, 2, 1)),
        (nn.MaxPool2d(3, 2), 1, lambda _, x: F.max_pool2d(x, 3, 2, 1)),
        (nn.AvgPool2d(3, 2), 1, lambda _, x: F.avg_pool2d(x, 3, 2, 1)),
        (nn.AvgPool2d(3, 1), "same", lambda _, x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)),
        (extra.SamePool2d((3, 3), (2, 2)), 0, lambda _, x: F.avg_pool2d(x, 3, 2)),
    ],
)  # fmt: skip
def test_paddings(layer: nn.Module, padding: Any, wanted: Any) -> None:
    given = of(model(layer), SetPadding("a", padding))
    assert torch.allclose(given, wanted(layer, X), atol=1e-6)


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 2, 3, 2), nn.MaxPool2d(3, 2), nn.Conv2d(3, 2, 2)])
def test_same_where_a_number_cannot_say_it_is_a_layer_before(layer: Any) -> None:
    """The size that TensorFlow's 'same' gives: ceil(n / stride)."""
    before = model(layer)
    graph = apply(before, [SetPadding("a", "same")]).graph
    assert isinstance(graph.get_submodule("a_pad"), extra.SamePad2d)
    stride = layer.stride if isinstance(layer.stride, int) else layer.stride[0]
    x = graph.get_submodule("a")(graph.get_submodule("a_pad")(X))
    assert x.shape[-1] == -(-12 // stride)


def test_a_number_in_place_of_a_padding_layer() -> None:
    before = model(nn.ZeroPad2d((0, 1, 0, 1)), conv := nn.Conv2d(3, 2, 3, 2))
    assert torch.equal(of(before, SetPadding("b", 1), "b"), F.conv2d(X, conv.weight, conv.bias, 2, 1))
    assert "a, which padded for b, passes on what it gets." in apply(before, [SetPadding("b", 1)]).card["adapted"]


@pytest.mark.parametrize("dilation", [1, 2, (3, 1)])
def test_a_dilation_keeps_the_size_of_the_map(dilation: int | tuple[int, int]) -> None:
    before = model(conv := nn.Conv2d(3, 2, 3, padding=1))
    numbers = (dilation,) * 2 if isinstance(dilation, int) else dilation
    wanted = F.conv2d(X, conv.weight, conv.bias, 1, numbers, dilation)
    assert torch.equal(of(before, SetDilation("a", dilation)), wanted)
    assert wanted.shape[-2:] == (12, 12)


def test_a_dilation_of_an_even_window_is_padded_by_a_layer() -> None:
    before = model(nn.Conv2d(3, 2, 2))
    after = apply(before, [SetDilation("a", 2)])
    assert after.graph.get_submodule("a_pad").padding == (0, 1, 0, 1)
    assert (
        after.card["adapted"] == "a_pad pads for a (top 0, bottom 1, left 0, right 1), so that its map keeps its size."
    )


def test_a_dilation_takes_its_padding_layers_along() -> None:
    before = model(extra.SamePad2d((3, 3), (1, 1)), nn.Conv2d(3, 2, 3))
    assert of(before, SetDilation("b", 3), "b").shape[-2:] == (12, 12)
    before = model(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 2, 2))
    assert of(before, SetDilation("b", 4), "b").shape[-2:] == (12, 12)


def test_the_dilation_of_a_max_pool() -> None:
    assert torch.equal(of(model(nn.MaxPool2d(2, 1)), SetDilation("a", 3)), F.max_pool2d(X, 2, 1, 0, 3))


@pytest.mark.parametrize(
    ("layer", "edit", "says"),
    [
        (nn.Conv2d(3, 2, 3), SetStride("a", 0), "a stride is 1 to 1024. Got 0 x 0"),
        (nn.Conv2d(3, 2, 3), SetStride("a", -2), "a stride is 1 to 1024. Got -2 x -2"),
        (nn.Conv2d(3, 2, 3), SetStride("a", (1, 2, 3)), r"a slides along 2 axes; .* Got \[1, 2, 3\]"),
        (nn.Conv2d(3, 2, 3), SetPadding("a", -1), "a padding is 0 to 1024. Got -1 x -1"),
        (nn.Conv2d(3, 2, 3), SetDilation("a", 0), "a dilation is 1 to 1024"),
        (nn.Conv2d(3, 2, 3), SetDilation("a", 6), "a gets maps of 12 x 12; a window of 13 x 13 is larger"),
        (nn.MaxPool2d(3), SetPadding("a", 2), "a pool's padding is at most half of its window of 3 x 3. Got 2"),
        (nn.MaxPool2d(3), SetDilation("a", 9), "a window of 19 x 19 is larger"),
        (nn.AvgPool2d(3), SetDilation("a", 2), "a is a AvgPool2d, which has no dilation; convolutions and max"),
        (nn.ReLU(), SetStride("a", 2), "a is a ReLU, which has no stride. The network has none"),
        (nn.ConvTranspose2d(3, 2, 2), SetPadding("a", "same"), "a is a transposed convolution, which enlarges"),
        (nn.Conv2d(3, 2, 2, padding_mode="circular"), SetDilation("a", 2), "a's padding cannot follow that window"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(layer: nn.Module, edit: Edit, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        apply(model(layer), [edit])
    assert str(caught.value).startswith(edit.sentence)
    assert str(caught.value).count("\n") == 0


def test_rows_have_one_axis() -> None:
    b = GraphBuilder()
    x = b.layer("flat", nn.Flatten(2), b.input())
    x = b.layer("row", nn.Conv1d(3, 2, 3), x)
    ends = b.layer("end", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool1d(1), x))
    before = Model(b.finish(ends).eval(), InputContract((4, 4)), ("a", "b"))
    x4 = X[..., :4, :4]
    after = apply(before, [SetStride("row", 2), SetPadding("row", "valid"), SetPadding("row", 2)])
    row = after.graph.get_submodule("row")
    assert row(x4.flatten(2)).shape == (1, 2, 9)
    with pytest.raises(BadInput, match="row slides along 1 axes with an even window or a stride; set its padding to a"):
        apply(after, [SetPadding("row", "same")])
    with pytest.raises(BadInput, match="row slides along 1 axes; give one stride or 1 of them"):
        apply(before, [SetStride("row", (1, 2))])
