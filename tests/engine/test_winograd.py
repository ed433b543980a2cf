"""Winograd's convolutions beside torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from cutaway.engine import winograd
from cutaway.engine.fast import fast_twin
from cutaway.engine.winograd import WIDE, Winograd, with_winograd


@pytest.mark.parametrize(
    ("count", "height", "width", "padding", "bias"),
    [(2, 14, 13, 1, True), (1, 7, 7, (0, 2), False), (1, 3, 3, 0, True), (1, 1, 1, 1, True), (9, 5, 8, 1, False)],
)
def test_equals_torchs_convolution(
    monkeypatch: pytest.MonkeyPatch, count: int, height: int, width: int, padding: int | tuple[int, int], bias: bool
) -> None:
    monkeypatch.setattr(winograd, "_AT_ONCE", 4 * 4 * 5)  # several parts where there are many tiles
    conv = nn.Conv2d(5, 6, 3, padding=padding, bias=bias).double()
    x = torch.randn(count, 5, height, width, dtype=torch.float64)
    with torch.inference_mode():
        for given in (x, x.contiguous(memory_format=torch.channels_last)):
            torch.testing.assert_close(Winograd(conv)(given), conv(given), rtol=0, atol=1e-12)


def test_inside_takes_the_zeros_as_part_of_the_map() -> None:
    conv = nn.Conv2d(3, 4, 3, padding=1).double()
    x = torch.randn(2, 3, 9, 6, dtype=torch.float64)
    with torch.inference_mode():
        found = Winograd(conv).inside(nn.functional.pad(x, (1, 1, 1, 1)))
        torch.testing.assert_close(found, conv(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width", "padding"), [(8, 8, 1), (14, 13, 0), (5, 3, (2, 1)), (1, 2, 1), (7, 7, 2)])
def test_goes_back_to_its_map_as_torchs_convolution_does(
    height: int, width: int, padding: int | tuple[int, int]
) -> None:
    conv = nn.Conv2d(5, 6, 3, padding=padding).double()
    x = torch.randn(3, 5, height, width, dtype=torch.float64, requires_grad=True)
    found, wanted = Winograd(conv)(x), conv(x)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    back = torch.randn_like(wanted)
    (mine,), (theirs,) = (torch.autograd.grad(value, x, back) for value in (found, wanted))
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_a_step_in_place_may_follow() -> None:
    conv, x = nn.Conv2d(3, 4, 3, padding=1).double(), torch.randn(1, 3, 7, 7, dtype=torch.float64, requires_grad=True)
    (mine,) = torch.autograd.grad(Winograd(conv)(x).relu_().sum(), x)
    (theirs,) = torch.autograd.grad(conv(x).relu().sum(), x)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_float32_differs_by_rounding_only() -> None:
    conv, x = nn.Conv2d(WIDE, WIDE, 3, padding=1), torch.randn(2, WIDE, 14, 14).relu()
    with torch.inference_mode():
        exact = conv.double()(x.double())
        error = (Winograd(conv.float())(x) - exact).abs().max() / exact.abs().max()
    assert 0 < error < 2e-5


@pytest.mark.parametrize(
    ("options", "replaced"),
    [
        ({"padding": 1}, True),
        ({"padding": 1, "stride": 2}, False),
        ({"padding": 2, "dilation": 2}, False),
        ({"padding": 1, "groups": 2}, False),
        ({"padding": 1, "padding_mode": "reflect"}, False),
        ({"padding": "same"}, False),
        ({"padding": 3}, False),
    ],
)
def test_only_plain_wide_convolutions_are_replaced(options: dict[str, object], replaced: bool) -> None:
    narrow, wide = nn.Conv2d(3, WIDE, 3), nn.Conv2d(WIDE, WIDE, 3, **options)  # type: ignore[arg-type]
    graph = fx.symbolic_trace(nn.Sequential(narrow, wide, nn.ReLU()).eval())
    twin = with_winograd(fast_twin(graph))
    assert [type(layer) is Winograd for layer in twin.children()] == [False, replaced, False]
    assert type(graph.get_submodule("1")) is nn.Conv2d
    x = torch.randn(1, 3, 12, 12)
    with torch.inference_mode():
        torch.testing.assert_close(twin(x), graph(x), rtol=1e-4, atol=1e-5)


def test_which_widths_are_replaced_can_be_said() -> None:
    graph = fx.symbolic_trace(nn.Sequential(nn.Conv2d(8, 8, 3), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 3)).eval())
    kinds = [type(layer) is Winograd for layer in with_winograd(fast_twin(graph), 8, 8).children()]
    assert kinds == [True, False, False]
