"""Named kernels against textbooks and pictures; turning and mirroring against scipy and torch."""

from __future__ import annotations

import math
import typing
from collections import OrderedDict

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.kinds import kind_class
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edits import FlipKernels, RotateKernels, SetKernel
from cutaway.surgery.kernels import KernelName, named_kernel, turned

NAMES = typing.get_args(KernelName)


def one_layer(layer: nn.Module, width: int = 8) -> Model:
    channels = int(getattr(layer, "in_channels", 3))
    body = OrderedDict(first=nn.Conv2d(3, channels, 1), conv=layer, pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten())
    if isinstance(layer, nn.Conv1d):
        body = OrderedDict(first=nn.Flatten(2), conv=layer, pool=nn.AdaptiveAvgPool1d(1), flat=nn.Flatten())
    if isinstance(layer, nn.Linear):
        body = OrderedDict(flat=nn.Flatten(), conv=layer)
    return Model(trace(nn.Sequential(body)), InputContract((width, width)), ("a", "b"))


def weight(model: Model) -> torch.Tensor:
    found = model.graph.get_submodule("conv").weight
    assert isinstance(found, torch.Tensor)
    return found.detach()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("identity", [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("vertical_edge", [[-1, 0, 1]] * 3),  # Prewitt 1970
        ("horizontal_edge", [[-1] * 3, [0] * 3, [1] * 3]),
        ("diagonal_edge", [[-1, -1, 0], [-1, 0, 1], [0, 1, 1]]),
        ("sobel_x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("sobel_y", [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        ("laplacian", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("blur", [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]]),
        ("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    ],
)
def test_three_by_three_is_the_textbooks(name: KernelName, rows: list[list[float]]) -> None:
    assert named_kernel(name, 3, 3).tolist() == rows


def test_other_sizes_follow_the_same_rule() -> None:
    assert named_kernel("sobel_x", 5, 5)[0].tolist() == [-1, -2, 0, 2, 1]  # OpenCV: getDerivKernels(1, 0, 5)
    assert named_kernel("sobel_x", 5, 5)[:, 4].tolist() == [1, 4, 6, 4, 1]
    assert named_kernel("vertical_edge", 2, 4).tolist() == [[-1, -1, 1, 1]] * 2
    assert named_kernel("diagonal_edge", 2, 2).tolist() == [[-1, 0], [0, 1]]  # Roberts 1963
    assert named_kernel("identity", 4, 4).nonzero().tolist() == [[1, 1]]
    assert named_kernel("laplacian", 2, 2).tolist() == [[-2, 1], [1, 0]]
    assert named_kernel("laplacian", 1, 3).tolist() == [[1, -2, 1]]
    assert named_kernel("identity", 1, 1).tolist() == [[1]]


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 9), st.integers(2, 9))
def test_edges_see_no_flat_picture_and_the_others_keep_its_level(height: int, width: int) -> None:
    for name in NAMES:
        kernel = named_kernel(name, height, width)
        assert kernel.shape == (height, width)
        total = 1 if name in ("identity", "blur", "sharpen") else 0
        assert kernel.sum().item() == pytest.approx(total, abs=1e-9), name
        assert kernel.any()
    for name, other in (("vertical_edge", "horizontal_edge"), ("sobel_x", "sobel_y")):
        assert torch.equal(named_kernel(name, height, width), named_kernel(other, width, height).T)


@pytest.mark.parametrize(
    ("name", "across"),
    [
        ("vertical_edge", (0, 1)), ("sobel_x", (0, 1)), ("horizontal_edge", (1, 0)), ("sobel_y", (1, 0)),
        ("diagonal_edge", (1, 1)),
    ],
)  # fmt: skip
def test_an_edge_kernel_answers_where_dark_turns_bright(name: KernelName, across: tuple[int, int]) -> None:
    y, x = np.mgrid[:9, :9]
    lit = (across[0] * y + across[1] * x) >= 4 * sum(across)
    bright = torch.from_numpy(lit.astype(np.float64))[None, None]
    answer = nn.functional.conv2d(bright, named_kernel(name, 3, 3)[None, None], padding=1)[0, 0, 1:-1, 1:-1]
    assert answer.max() > 2
    row, column = divmod(int(answer.argmax()), 7)  # of the answer, whose cell (0, 0) lies on the picture's (1, 1)
    assert lit[row + 1 + across[0], column + 1 + across[1]]
    assert not lit[row + 1 - across[0], column + 1 - across[1]]
    assert nn.functional.conv2d(1 - bright, named_kernel(name, 3, 3)[None, None])[0, 0].min() < -2


@pytest.mark.parametrize(
    ("name", "size", "text"),
    [
        ("sobel_y", (1, 3), "sobel_y needs a kernel of at least 2 x 1 cells; this one is 1 x 3"),
        ("vertical_edge", (3, 1), "vertical_edge needs a kernel of at least 1 x 2 cells; this one is 3 x 1"),
        ("blur", (1, 1), "blur needs a kernel of at least 2 cells; this one is 1 x 1"),
    ],
)
def test_a_kernel_without_room_is_refused(name: KernelName, size: tuple[int, int], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        named_kernel(name, *size)


def test_one_filter_gets_the_kernel_for_every_input_and_keeps_its_energy() -> None:
    before = one_layer(nn.Conv2d(3, 4, 3))
    after = apply(before, [SetKernel("conv", 2, "sobel_x")])
    old, new = weight(before), weight(after)
    assert torch.equal(new[[0, 1, 3]], old[[0, 1, 3]])
    torch.testing.assert_close(new[2].norm(), old[2].norm())
    for kernel in new[2]:
        torch.testing.assert_close(kernel / kernel[0, 2], named_kernel("sobel_x", 3, 3).float())


def test_one_input_of_a_filter_and_plain_numbers() -> None:
    before = one_layer(nn.Conv2d(3, 4, (2, 3)))
    new = weight(apply(before, [SetKernel("conv", 2, "blur", input=1, keep_energy=False)]))
    assert torch.equal(new[2, 1], named_kernel("blur", 2, 3).float())
    assert (new != weight(before)).sum() == 6
    rows = ((1, 2, 3), (4.5, 5, 6))
    new = weight(apply(before, [SetKernel("conv", None, rows)]))
    assert torch.equal(new, torch.tensor(rows).expand(4, 3, 2, 3))


def test_a_filter_of_zeros_has_no_energy_to_keep() -> None:
    layer = nn.Conv2d(3, 4, 3)
    nn.init.zeros_(layer.weight)
    assert torch.equal(
        weight(apply(one_layer(layer), [SetKernel("conv", 0, "blur")]))[0, 0], named_kernel("blur", 3, 3)
    )


def test_a_dead_filter_gets_the_size_of_the_others() -> None:
    """A Teachable Machine's Conv1 holds kernels of 1e-18: a Sobel kernel of that size would change nothing."""
    layer = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        layer.weight[2] = 1e-18
    middle = layer.weight[[0, 1, 3]].flatten(1).norm(dim=1).median()
    after = apply(one_layer(layer), [SetKernel("conv", 2, "sobel_x")])
    torch.testing.assert_close(weight(after)[2].norm(), middle)
    assert after.card["adapted"] == (
        "conv's kernel 2 held next to nothing, so sobel_x got the size that conv's other kernels have in the middle."
    )
    every = apply(one_layer(layer), [SetKernel("conv", None, "blur", input=1)])
    assert every.card["adapted"].startswith("One of conv's kernels held next to nothing")
    torch.testing.assert_close(weight(every)[0, 1].norm(), weight(one_layer(layer))[0, 1].norm())
    assert "adapted" not in apply(one_layer(layer), [SetKernel("conv", 1, "blur")]).card


LAYERS = [
    nn.Conv2d(4, 6, 3, groups=2), nn.Conv2d(4, 4, 3, groups=4), nn.Conv1d(3, 4, 3),
    nn.ConvTranspose2d(4, 6, 3, groups=2), nn.ConvTranspose2d(4, 6, (2, 3)), kind_class("Conv2dSame")(4, 6, 3),
    kind_class("ScaledStdConv2d")(4, 6, 3), kind_class("StdConv2d")(4, 6, 3),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{type(layer).__name__}-{getattr(layer, 'groups', 1)}")
def test_output_channel_two_answers_to_the_kernel_in_every_kind_of_convolution(layer: typing.Any) -> None:
    """Only map 2 changes, and where the layer does not standardise it is the kernel's answer, by torch itself."""
    before = one_layer(layer)
    after = apply(before, [SetKernel("conv", 2, "sobel_x", keep_energy=False)])
    x = torch.randn(1, layer.in_channels, 8, 8) if not isinstance(layer, nn.Conv1d) else torch.randn(1, 3, 30)
    old, new = (m.graph.get_submodule("conv")(x) for m in (before, after))
    changed = (old != new).flatten(2).any(2)[0]
    assert changed.nonzero().flatten().tolist() == [2]
    if "Std" in type(layer).__name__:
        assert "standardises every filter" in after.card["adapted"]
        return
    fresh = typing.cast(typing.Any, after.graph.get_submodule("conv"))
    per = layer.in_channels // layer.groups
    group = 2 // (layer.out_channels // layer.groups)
    part = x[:, group * per : (group + 1) * per].sum(1, keepdim=True)
    size = (1, *layer.kernel_size)[-2:]
    kernel = named_kernel("sobel_x", *size).float()[None, None]
    if isinstance(layer, nn.Conv1d):
        wanted = nn.functional.conv1d(part, kernel[0])
    elif isinstance(layer, nn.ConvTranspose2d):
        wanted = nn.functional.conv_transpose2d(part, kernel)
    else:
        wanted = nn.functional.conv2d(part, kernel, padding="same" if "Same" in type(layer).__name__ else 0)
    torch.testing.assert_close(new[:, 2:3], wanted + fresh.bias[2], rtol=1e-4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.floats(-400, 400))
def test_turning_is_scipys(height: int, width: int, degrees: float) -> None:
    kernel = torch.randn(1, 1, height, width, dtype=torch.float64)
    padded = np.pad(kernel[0, 0].numpy(), 1)  # scipy's `constant` stops halfway to the first cell outside
    wanted = scipy.ndimage.rotate(padded, degrees, reshape=False, order=1, mode="constant")
    found = turned(kernel, degrees)[0, 0].numpy()
    # scipy lets go of a neighbour outside the padded border, which none of ours reaches by more than a corner.
    inside = scipy.ndimage.rotate(np.ones_like(padded), degrees, reshape=False, order=1, mode="constant")[1:-1, 1:-1]
    sure = inside > 1 - 1e-6
    np.testing.assert_allclose(found[sure], wanted[1:-1, 1:-1][sure], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(-8, 8))
def test_quarter_turns_are_exact_and_four_are_none(side: int, quarters: int) -> None:
    kernels = torch.randn(2, 3, side, side)
    assert torch.equal(turned(kernels, 90.0 * quarters), torch.rot90(kernels, quarters, (2, 3)))
    around = turned(turned(kernels, 90.0 * quarters), -90.0 * quarters)
    assert torch.equal(around, kernels)
    close = turned(kernels.double(), 90.0 * quarters + 1e-7)
    torch.testing.assert_close(close, torch.rot90(kernels, quarters, (2, 3)).double(), atol=1e-6, rtol=0)


def test_chosen_kernels_are_turned_and_mirrored() -> None:
    before = one_layer(nn.Conv2d(3, 4, 3))
    old = weight(before)
    new = weight(apply(before, [RotateKernels("conv", 90, (1, 3), (2,))]))
    assert torch.equal(new[[1, 3], 2], torch.rot90(old[[1, 3], 2], 1, (1, 2)))
    assert (new != old).sum() <= 18
    assert torch.equal(weight(apply(before, [FlipKernels("conv", "left_right")])), old.flip(3))
    assert torch.equal(weight(apply(before, [FlipKernels("conv", "up_down", (0,))]))[0], old[0].flip(1))
    row = one_layer(nn.Conv1d(3, 4, 3))
    assert torch.equal(weight(apply(row, [FlipKernels("conv", "left_right")])), weight(row).flip(2))


REFUSED = [
    (nn.Conv2d(3, 4, 3), SetKernel("conv", 4, "blur"), "conv has 4 output channels, 0 to 3. Got 4"),
    (nn.Conv2d(3, 4, 3), SetKernel("conv", -1, "blur"), "conv has 4 output channels, 0 to 3. Got -1"),
    (nn.Conv2d(3, 4, 3), SetKernel("conv", 0, "blur", 3), "conv has 3 inputs per filter, 0 to 2. Got 3"),
    (nn.Conv2d(3, 4, 3), SetKernel("conv", 0, ((1, 2), (3, 4))), "conv has kernels of 3 x 3; 2 rows of 2 numbers"),
    (nn.Conv2d(3, 4, 3), SetKernel("conv", 0, ()), "conv has kernels of 3 x 3; 0 rows of 0 numbers were given"),
    (nn.Conv2d(3, 4, 1), SetKernel("conv", 0, "blur"), "set conv's kernel 0 to blur: blur needs a kernel of"),
    (nn.Linear(192, 2), SetKernel("conv", 0, "blur"), "conv is a Linear; only convolutions .* The network has no conv"),
    (nn.Conv1d(3, 4, 3), RotateKernels("conv", 90), "conv has kernels of one axis, which cannot be turned"),
    (nn.Conv1d(3, 4, 3), FlipKernels("conv", "up_down"), "conv has kernels of one row; flip them left_right"),
    (nn.Conv2d(3, 4, 3), SetKernel("pool", 0, "blur"), "pool is a AdaptiveAvgPool2d.* Convolutions are first, conv."),
    (nn.Conv2d(3, 4, 3), SetKernel("conf", 0, "blur"), "The network has no layer 'conf'. Nearest: conv."),
]


@pytest.mark.parametrize(("layer", "edit", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_does_not_fit_is_said(layer: nn.Module, edit: typing.Any, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        operated(one_layer(layer), [edit])


def test_a_name_that_is_none_and_a_number_that_is_none() -> None:
    with pytest.raises(BadInput, match=r"set_kernel.to must be one of identity, vertical_edge.* Got 'sobel'"):
        SetKernel("conv", 0, "sobel")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"rotate_kernels.degrees must be number. Got 'nan'"):
        RotateKernels("conv", math.nan)


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (SetKernel("conv", 3, "blur"), "set conv's kernel 3 to blur"),
        (SetKernel("conv", 3, ((1,),), 1), "set conv's kernel 3, input 1 to the given numbers"),
        (SetKernel("conv", None, "blur"), "set every kernel of conv to blur"),
        (RotateKernels("conv", 30, (1, 2), (0,)), "rotate conv's kernels[1,2, input 0] by 30 degrees"),
        (FlipKernels("conv", "up_down"), "flip conv's kernels up-down"),
    ],
)
def test_sentences(edit: typing.Any, text: str) -> None:
    assert edit.sentence == text
