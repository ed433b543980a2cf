"""Windows grown and cropped: kernels with zeros around give the same answers; what is cropped is torch's own slice."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edits import SetKernelSize

X = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def model(*layers: nn.Module) -> Model:
    """Layers a, b; the graph gives the last one's maps beside their mean, which is the answer."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.input()
    for letter, layer in zip("ab", layers):
        x = b.layer(letter, layer, x)
    ends = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(1), x))
    count = next((c for layer in layers if (c := getattr(layer, "out_channels", 0))), 3)
    return Model(b.finish(ends).eval(), InputContract((12, 12)), tuple(map(str, range(count))))


def maps(model: Model) -> torch.Tensor:
    x = X
    with torch.inference_mode():
        for name in ("a_pad", "a", "b_pad", "b"):
            if hasattr(model.graph, name):
                x = model.graph.get_submodule(name)(x)
    return x


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=60, deadline=None)
@given(pairs, pairs, pairs, st.integers(1, 2), st.integers(0, 2))
def test_a_grown_kernel_gives_the_same_maps(
    size: tuple[int, int], more: tuple[int, int], stride: tuple[int, int], dilation: int, padding: int
) -> None:
    grown = tuple(n + m - 1 for n, m in zip(size, more))
    if any(dilation * (n - 1) + 1 > 12 for n in grown):
        return
    before = model(nn.Conv2d(3, 2, size, stride, padding, dilation))
    after = apply(before, [SetKernelSize("a", grown)])
    assert after.graph.get_submodule("a").weight.shape[-2:] == grown
    assert torch.allclose(maps(after), maps(before), atol=1e-5)
    assert "untrained" not in after.card


@pytest.mark.parametrize("size", [1, 2, 3, (5, 3)])
def test_a_cropped_kernel_is_its_middle(size: int | tuple[int, int]) -> None:
    before = model(conv := nn.Conv2d(3, 2, 5, padding=2))
    after = apply(before, [SetKernelSize("a", size)])
    rows, columns = (size, size) if isinstance(size, int) else size
    top, left = -(-(5 - rows) // 2) - (5 - rows) % 2, -(-(5 - columns) // 2) - (5 - columns) % 2
    middle = conv.weight[:, :, top : top + rows, left : left + columns]
    assert torch.equal(after.graph.get_submodule("a").weight, middle)
    zeroed = torch.zeros_like(conv.weight)
    zeroed[:, :, top : top + rows, left : left + columns] = middle
    assert torch.allclose(maps(after), F.conv2d(X, zeroed, conv.bias, padding=2), atol=1e-5)
    assert "its kernels were cropped; " in after.card["untrained"]


def test_what_had_to_follow_is_said() -> None:
    before = model(nn.Conv2d(3, 2, 3, padding=1))
    assert apply(before, [SetKernelSize("a", 5)]).card["adapted"] == (
        "a's padding is 2 x 2 now, so that its map keeps its size."
    )
    assert apply(before, [SetKernelSize("a", 4)]).card["adapted"] == (
        "a_pad pads for a (top 1, bottom 2, left 1, right 2), so that its map keeps its size."
    )


def test_padding_layers_follow() -> None:
    before = model(extra.SamePad2d((3, 3), (2, 2)), nn.Conv2d(3, 2, 3, 2))
    after = apply(before, [SetKernelSize("b", 5)])
    assert torch.allclose(maps(after), maps(before), atol=1e-5)
    assert after.card["adapted"] == "a pads for the new window of b, so its map keeps its size."
    before = model(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 2, 3, 2))
    after = apply(before, [SetKernelSize("b", 4)])
    assert torch.allclose(maps(after), maps(before), atol=1e-5)
    assert after.graph.get_submodule("a").padding == (0, 2, 0, 2)


@pytest.mark.parametrize("layer", [nn.ConvTranspose2d(3, 2, 2, 2), nn.ConvTranspose2d(3, 2, 3, 2, 1, 1)])
def test_a_transposed_convolution(layer: nn.ConvTranspose2d) -> None:
    before = model(layer)
    size = layer.kernel_size[0] + 2
    assert torch.allclose(maps(apply(before, [SetKernelSize("a", size)])), maps(before), atol=1e-5)
    with pytest.raises(BadInput, match="change the window by an even number of cells"):
        apply(before, [SetKernelSize("a", size + 1)])


def test_torchs_own_same_and_mirrored_borders() -> None:
    for conv in (nn.Conv2d(3, 2, 3, padding="same"), nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect")):
        before = model(conv)
        assert torch.allclose(maps(apply(before, [SetKernelSize("a", 5)])), maps(before), atol=1e-5)


def test_timms_standardised_filters_grow() -> None:
    pytest.importorskip("timm")
    from timm.layers.std_conv import ScaledStdConv2d

    after = apply(model(ScaledStdConv2d(3, 2, 3, padding=1)), [SetKernelSize("a", 5)])
    assert maps(after).shape == (1, 2, 12, 12)


def test_a_pools_window_is_what_it_says() -> None:
    before = model(nn.MaxPool2d(3, 2, 1))
    assert torch.equal(maps(apply(before, [SetKernelSize("a", 5)])), F.max_pool2d(X, 5, 2, 1))
    after = apply(before, [SetKernelSize("a", 1)])
    assert torch.equal(maps(after), F.max_pool2d(X, 1, 2))
    assert after.card["adapted"] == "a's padding is 0 x 0 now, half of its window."
    same = model(extra.SamePool2d((2, 2), (1, 1)))
    assert torch.allclose(maps(apply(same, [SetKernelSize("a", 3)])), F.avg_pool2d(X, 3, 1, 1, count_include_pad=False))
    padded = model(extra.SamePad2d((2, 2), (2, 2), value=-torch.inf), nn.MaxPool2d(2))
    wanted = F.max_pool2d(F.pad(X, (0, 1, 0, 1), value=-torch.inf), 3, 2)
    assert torch.equal(maps(apply(padded, [SetKernelSize("b", 3)])), wanted)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (SetKernelSize("a", 0), "set a's window to 0: a window is 1 to 1024. Got 0 x 0"),
        (SetKernelSize("a", (3, -1)), "set a's window to 3 x -1: a window is 1 to 1024. Got 3 x -1"),
        (SetKernelSize("a", 13), "a gets maps of 12 x 12; a window of 13 x 13 is larger than they are"),
        (
            SetKernelSize("mean", 2),
            r"mean is a AdaptiveAvgPool2d, which has no window\. Convolutions and pools are a\.",
        ),
    ],
)
def test_what_cannot_be(edit: SetKernelSize, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(model(nn.Conv2d(3, 2, 3)), [edit])
