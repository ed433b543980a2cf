"""Shapes without arithmetic are the shapes of a real run; where torch refuses, so does the dry run, at that step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torchvision import models

from cutaway.errors import BadModel
from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.graph.names import names_of
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.surgery.dry import dry_run, shape_text


def one(*layers: nn.Module) -> fx.GraphModule:
    b = GraphBuilder()
    x = b.input()
    for letter, layer in zip("abcde", layers):
        x = b.layer(letter, layer, x)
    return b.finish(x).eval()


def real(graph: fx.GraphModule, size: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    found = shapes_of(graph, size)
    return {name: tuple(found[node.name]) for name, node in names_of(graph).items() if node.name in found}


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "regnet_y_400mf"])
def test_as_a_real_run(name: str) -> None:
    graph = trace(getattr(models, name)(weights=None, num_classes=2).eval())
    dry = dry_run(graph, (3, 64, 96))
    assert dry.broken is None
    assert dict(dry.shapes) == real(graph, (3, 64, 96))


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "nf_regnet_b0", "mobilenetv4_conv_small"])
def test_as_a_real_run_of_timm(name: str) -> None:
    timm = pytest.importorskip("timm")
    graph = trace(timm.create_model(name, num_classes=2).eval(), torch.zeros(1, 3, 64, 64))
    dry = dry_run(graph, (3, 64, 64))
    assert dry.broken is None
    assert dict(dry.shapes) == real(graph, (3, 64, 64))


small = st.integers(1, 4)
pairs = st.tuples(small, small)


@st.composite
def window(draw: st.DrawFn) -> nn.Module:
    kind = draw(st.sampled_from(["conv", "transposed", "max", "avg", "same_pad", "same_pool", "zero_pad"]))
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    pad: Any = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    if kind == "conv":
        pad = draw(st.sampled_from([pad, (3, 0), "valid", "same" if stride == (1, 1) else 0]))
        return nn.Conv2d(3, 2, kernel, stride, pad, dilation)
    if kind == "transposed":
        out = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation))
        return nn.ConvTranspose2d(3, 2, kernel, stride, pad, out, dilation=dilation)
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, pad, dilation, ceil_mode=draw(st.booleans()))
    if kind == "avg":
        return nn.AvgPool2d(kernel, stride, pad, ceil_mode=draw(st.booleans()))
    if kind == "same_pad":
        return extra.SamePad2d(kernel, stride, dilation)
    return extra.SamePool2d(kernel, stride) if kind == "same_pool" else nn.ZeroPad2d((1, -1, 0, 2))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=150, deadline=None)
@given(window(), st.integers(1, 9), st.integers(1, 9))
def test_any_window_on_any_map(layer: nn.Module, height: int, width: int) -> None:
    graph = one(layer)
    dry = dry_run(graph, (3, height, width))
    try:
        wanted = real(graph, (3, height, width))
    except BadModel:
        assert dry.broken is not None
        assert dry.broken.step == "a"
    else:
        empty = 0 in wanted["a"]  # torch gives maps without places where a crop takes everything
        assert dry.broken is not None if empty else dict(dry.shapes) == wanted


def broken(graph: fx.GraphModule, size: tuple[int, int, int] = (3, 8, 8)) -> tuple[str, str, str]:
    found = dry_run(graph, size).broken
    assert found is not None
    if "spread" not in found.kind:
        with pytest.raises(BadModel):
            real(graph, size)
    return found.step, found.kind, found.why


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ([nn.Conv2d(4, 2, 3)], ("a", "channels", "its filters take 4 channels")),
        ([nn.Conv2d(3, 2, 9)], ("a", "small", "there is no place for its window of 9 x 9")),
        ([nn.Conv2d(3, 2, 3, dilation=4)], ("a", "small", "there is no place for its window of 9 x 9")),
        ([nn.ConvTranspose2d(4, 2, 3)], ("a", "channels", "its filters take 4 channels")),
        ([nn.ConvTranspose2d(3, 2, 1, padding=4)], ("a", "small", "nothing would be left of it")),
        ([nn.BatchNorm2d(4)], ("a", "channels", "it keeps numbers for 4 channels")),
        ([nn.PReLU(4)], ("a", "channels", "it keeps numbers for 4 channels")),
        ([nn.LayerNorm(5)], ("a", "channels", "it keeps numbers for 5")),
        ([nn.GroupNorm(2, 4)], ("a", "channels", "it keeps numbers for 4 channels")),
        ([nn.Flatten(), nn.Linear(5, 2)], ("b", "numbers", "it has weights for 5 numbers")),
        ([nn.Flatten(), nn.Conv2d(3, 2, 1)], ("b", "other", "it takes maps (channels x height x width)")),
        ([nn.Conv1d(8, 2, 1), nn.Flatten()], ("a", "other", "it takes rows of channels (channels x length)")),
        ([nn.MaxPool2d(9)], ("a", "small", "there is no place for its window of 9 x 9")),
        ([nn.BatchNorm1d(3)], ("a", "other", "it takes rows of numbers")),
        ([extra.ScaleChannels((1.0, 2.0))], ("a", "channels", "it has factors for 2 channels")),
        ([extra.Rescale((1.0, 2.0), (0.0, 0.0))], ("a", "channels", "it has factors for 2 channels")),
    ],
)
def test_what_does_not_fit(layers: list[nn.Module], wanted: tuple[str, str, str]) -> None:
    assert broken(one(*layers)) == wanted


def test_functions_that_do_not_fit() -> None:
    b = GraphBuilder()
    x = b.input()
    y = b.layer("pool", nn.MaxPool2d(2), x)
    graph = b.finish(b.call("total", torch.cat, [x, y], 1))
    assert broken(graph)[:2] == ("total", "joined")
    b = GraphBuilder()
    graph = b.finish(b.call("rows", torch.reshape, b.input(), (1, 100)))
    assert broken(graph)[:2] == ("rows", "numbers")
    b = GraphBuilder()
    graph = b.finish(b.call("product", torch.matmul, b.input(), b.constant("table", torch.zeros(5, 5))))
    step, kind, why = broken(graph)
    assert (step, kind) == ("product", "other")
    assert why.startswith("it cannot work on that (")
    b = GraphBuilder()
    assert broken(b.finish(b.layer("pad", nn.ReflectionPad2d(9), b.input())))[1] in ("small", "other")


def test_where_it_comes_from_is_told() -> None:
    b = GraphBuilder()
    x = b.layer("conv", nn.Conv2d(3, 4, 3, padding=1), b.input())
    y = b.layer("pool", nn.MaxPool2d(2), x)
    found = dry_run(b.finish(b.call("total", torch.cat, [x, y], 1)), (3, 8, 8)).broken
    assert found is not None
    assert found.given == (("conv", (4, 8, 8)), ("pool", (4, 4, 4)))
    assert [shape_text(shape) for _, shape in found.given] == ["4 x 8 x 8", "4 x 4 x 4"]
    assert shape_text(()) == "one number"


def test_nothing_is_computed() -> None:
    """A picture of 1e10 numbers costs nothing."""
    graph = one(nn.Conv2d(3, 64, 3), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert dry_run(graph, (3, 60_000, 60_000)).shapes["d"] == (1, 64)
    assert math.prod(dry_run(graph, (3, 60_000, 60_000)).shapes["a"]) > 1e11
