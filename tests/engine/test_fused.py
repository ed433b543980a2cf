"""Convolutions fused with the ReLU behind them: the same numbers as one by one, whatever their settings."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import fx, nn

from cutaway.engine import fused as fused_file
from cutaway.engine.fast import fast_twin
from cutaway.engine.fused import FusedConv, fused

pytestmark = pytest.mark.skipif(not fused_file.there(), reason="this build of torch has no oneDNN")


def graph_of(*layers: nn.Module) -> fx.GraphModule:
    return fx.symbolic_trace(nn.Sequential(*layers).eval())


def kinds(graph: fx.GraphModule) -> list[str]:
    return [type(graph.get_submodule(str(n.target))).__name__ for n in graph.graph.nodes if n.op == "call_module"]


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([1, 3, (1, 5), (12, 12)]),
    stride=st.sampled_from([1, 2]),
    padding=st.sampled_from([0, 1, (2, 0)]),
    dilation=st.sampled_from([1, 2]),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    after=st.sampled_from([None, nn.ReLU, nn.ReLU6]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
    layout=st.sampled_from(["plain", "channels last", "every second row"]),
    pictures=st.sampled_from([0, 1, 3]),
)
def test_equal_to_one_by_one(kernel, stride, padding, dilation, groups, bias, after, dtype, layout, pictures) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    assume(dilation == 1 or kernel != (12, 12))  # no larger than the map
    conv = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups, bias).to(dtype)
    x = 4 * torch.randn(pictures, 4, 24, 12, dtype=dtype)
    x = {"plain": x, "channels last": x.contiguous(memory_format=torch.channels_last)}.get(layout, x[:, :, ::2])
    with torch.inference_mode():
        found, wanted = FusedConv(conv, after)(x), conv(x) if after is None else after()(conv(x))
    torch.testing.assert_close(found, wanted, rtol=2e-2 if dtype is torch.bfloat16 else 1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([1, 3, (1, 5), (4, 3)]),
    stride=st.sampled_from([1, 2, (1, 3)]),
    padding=st.sampled_from([0, 1, (2, 0)]),
    dilation=st.sampled_from([1, 2]),
    groups=st.sampled_from([1, 2, 4]),
    after=st.sampled_from([None, nn.ReLU, nn.ReLU6]),
    layout=st.sampled_from(["plain", "channels last"]),
    height=st.integers(8, 12),
)
def test_goes_back_to_its_map_as_one_by_one(kernel, stride, padding, dilation, groups, after, layout, height) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups)
    x = 4 * torch.randn(2, 4, height, 13)
    x = (x if layout == "plain" else x.contiguous(memory_format=torch.channels_last)).requires_grad_()
    found, wanted = FusedConv(conv, after)(x), conv(x) if after is None else after()(conv(x))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    back = torch.randn_like(wanted)
    (mine,), (theirs,) = (torch.autograd.grad(value, x, back) for value in (found, wanted))
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_the_pair_is_one_step_and_values_asked_for_stay_under_their_names() -> None:
    graph = graph_of(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU6(), nn.Conv2d(4, 2, 1))
    x = torch.randn(2, 3, 6, 6)
    with torch.inference_mode():
        made = fused(fast_twin(graph))
        assert kinds(made) == ["FusedConv"] * 3
        torch.testing.assert_close(made(x), graph(x))
        made = fused(fast_twin(graph, ["_0", "_3"]), ["_0", "_3"])
        assert kinds(made) == ["FusedConv", "ReLU", "FusedConv", "FusedConv"]
        assert {"_0", "_3"} <= {node.name for node in made.graph.nodes}
        torch.testing.assert_close(made(x), graph(x))


def test_a_relu_for_two_and_a_convolution_for_two() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = self.relu(self.one(x))
            b = self.relu(self.one(a))
            c = self.two(b)
            return self.relu(self.two(c)) + c  # type: ignore[no-any-return]

    graph = fx.symbolic_trace(Twice().eval())
    made = fused(fast_twin(graph))
    x = torch.randn(2, 3, 5, 5)
    with torch.inference_mode():
        torch.testing.assert_close(made(x), graph(x))
    assert kinds(made) == ["FusedConv", "ReLU", "FusedConv", "ReLU", "FusedConv", "FusedConv", "ReLU"]


def test_others_stay_as_they_are() -> None:
    odd = (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.Conv2d(4, 4, 3, padding="same"))
    graph = graph_of(*odd, nn.Conv2d(4, 1, 1), nn.Conv2d(1, 2, 1).double())
    assert kinds(fused(fast_twin(graph))) == ["Conv2d"] * 4


def test_gradients_and_a_torch_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(nn.Conv2d(3, 4, 3), nn.ReLU6())
    x = torch.randn(1, 3, 5, 5, requires_grad=True)
    fused(fast_twin(graph))(x).sum().backward()
    assert x.grad is not None
    wanted = torch.autograd.grad(F.relu6(graph.get_submodule("0")(x)).sum(), x)[0]
    torch.testing.assert_close(x.grad, wanted)
    monkeypatch.setattr(fused_file, "there", lambda: False)
    assert kinds(fused(fast_twin(graph))) == ["Conv2d", "ReLU6"]


def test_inside_takes_the_zeros_as_part_of_the_map() -> None:
    conv = nn.Conv2d(3, 4, 3, padding=1)
    x = torch.randn(2, 3, 9, 6)
    with torch.inference_mode():
        found = FusedConv(conv, nn.ReLU).inside(F.pad(x, (1, 1, 1, 1)))
        torch.testing.assert_close(found, F.relu(conv(x)))
