"""Every picture with a part covered, computed from the cells that the part can reach: equal to running it whole."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Occlusion
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torchvision import models

from cutaway.engine.fast import fast_twin
from cutaway.engine.run import run
from cutaway.engine.winograd import with_winograd
from cutaway.explanation.covering import plan as plan_module
from cutaway.explanation.covering.covering import Covering
from cutaway.explanation.covering.plan import Line, Network, crossed, plan_of
from cutaway.explanation.covering.windows import places
from cutaway.explanation.occlusion import averaged
from cutaway.graph import extra
from cutaway.graph.trace import trace

# network: side, window, stride. Odd sizes, windows that end beyond the border, strides of every kind.
NETWORKS = {
    "resnet18": (97, 19, 13),
    "mobilenet_v2": (101, 16, 16),
    "mobilenet_v3_small": (75, 11, 11),
    "squeezenet1_1": (87, 15, 12),
    "densenet121": (65, 17, 12),
    "googlenet": (77, 16, 15),
    "efficientnet_b0": (65, 13, 13),
    "shufflenet_v2_x0_5": (71, 16, 11),
    "mnasnet0_5": (83, 14, 14),
    "regnet_x_400mf": (70, 15, 14),
    "convnext_tiny": (73, 20, 15),
}
_OPTIONS: dict[str, dict[str, Any]] = {"googlenet": {"aux_logits": False, "init_weights": False}}


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_captum_on_real_networks(name: str) -> None:
    side, window, stride = NETWORKS[name]
    network = calibrated(getattr(models, name)(weights=None, **_OPTIONS.get(name, {})), side)
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    cover = torch.tensor([0.3, -0.5, 1.0]).view(1, 3, 1, 1)
    logits = network(x)
    target = int(logits.argmax())
    theirs = Occlusion(network).attribute(
        x, (3, window, window), (3, stride, stride), cover.expand_as(x), target, perturbations_per_eval=16
    )
    graph = trace(network)
    ours = occluded(graph, x, cover, window, stride, target)
    difference = np.abs(theirs[0, 0].numpy() - ours).max()
    assert difference < 1e-4 * float(logits.max() - logits.min())


@pytest.mark.parametrize(
    ("name", "parts"),
    [("resnet18", 0.4), ("mobilenet_v2", 0.4), ("densenet121", 0.2), ("googlenet", 0.4), ("convnext_tiny", 0.1)],
)
def test_only_what_a_window_reaches_is_computed(name: str, parts: float) -> None:
    """At 224 px and a window of 16, that share of the steps at least works on crops."""
    graph = fast_twin(trace(getattr(models, name)(weights=None, **_OPTIONS.get(name, {})).eval()))
    network = Network.of(graph, torch.zeros(1, 3, 224, 224))
    plan = plan_of(network, (np.array([96]), np.array([111])), (np.array([96]), np.array([111])))
    assert len(plan.steps) > parts * len(network.rules)
    assert all(step.rows.size < step.rows.cells for step in plan.steps)


def test_behind_a_gate_over_all_places_whole_maps_are_run() -> None:
    graph = fx.symbolic_trace(Gated(3).eval())
    network = Network.of(graph, torch.zeros(1, 3, 20, 20))
    plan = plan_of(network, (np.array([4]), np.array([7])), (np.array([4]), np.array([7])))
    assert [step.node.name for step in plan.steps] == ["conv"]
    assert [crop.source.name for crop in plan.ends] == ["conv"]


def test_the_picture_a_network_was_made_with_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = fast_twin(trace(nn.Sequential(nn.Conv2d(3, 4, 3), Head(4)).eval()))
    x, other, cover = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), torch.zeros(1, 3, 1, 1)
    network, ran = Network.of(graph, x), []
    monkeypatch.setattr(plan_module, "run", lambda *given: ran.append(1) or run(*given))
    mine, others = Covering(network, x, cover), Covering(network, other, cover)
    torch.testing.assert_close(mine.logits(), graph(x).detach())
    assert not ran
    torch.testing.assert_close(others.logits(), graph(other).detach())
    assert len(ran) == 1
    first = mine.logits_of_boxes([(0, 0, 4, 4)])
    assert (len(ran), network.known) == (1, [])
    torch.testing.assert_close(Covering(network, x, cover).logits_of_boxes([(0, 0, 4, 4)]), first)
    assert len(ran) == 2


def test_lines_serve_any_number_of_plans() -> None:
    graph = fast_twin(trace(nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), Head(4)).eval()))
    network = Network.of(graph, torch.rand(1, 3, 24, 24))
    ends = (np.array([0, 8]), np.array([3, 11])), (np.array([5]), np.array([9]))
    rows, columns = ([Line.of(network, axis, *end) for end in ends] for axis in (0, 1))
    for i, j in itertools.product((0, 1), (0, 1)):
        found, anew = crossed(rows[i], columns[j]), plan_of(network, ends[i], ends[j])
        assert [step.node for step in found.steps] == [step.node for step in anew.steps]
        for one, other in zip(found.steps, anew.steps, strict=True):
            assert one.rows.start.tolist() == other.rows.start.tolist()
            assert [crop.columns.runs for crop in one.crops] == [crop.columns.runs for crop in other.crops]


LAYERS: dict[str, nn.Module] = {
    "kernel 1": nn.Conv2d(4, 4, 1),
    "stride without padding": nn.Conv2d(4, 4, 3, 2),
    "dilated": nn.Conv2d(4, 4, 3, padding=2, dilation=2),
    "grouped": nn.Conv2d(4, 4, 3, padding=1, groups=2),
    "padding in words": nn.Conv2d(4, 4, (4, 3), padding="same"),
    "uneven": nn.Conv2d(4, 4, (5, 2), (2, 3), (2, 1)),
    "a stride that skips cells": nn.Conv2d(4, 4, 1, 3),
    "mirrored padding": nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    "transposed": nn.ConvTranspose2d(4, 4, 2, 2),
    "max pool": nn.MaxPool2d(3, 2, 1),
    "max pool up to the border": nn.MaxPool2d(3, 2, ceil_mode=True),
    "dilated max pool": nn.MaxPool2d(2, 1, dilation=2),
    "average that counts the padding": nn.AvgPool2d(3, 1, 1),
    "average that does not": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "average up to the border": nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "average by another number": nn.AvgPool2d(2, divisor_override=3),
    "same pad": extra.SamePad2d((3, 4), (2, 2)),
    "same pool": extra.SamePool2d((3, 3), (2, 2)),
    "constant pad": nn.ConstantPad2d((1, 0, 2, 3), -1.0),
    "cut off": nn.ZeroPad2d((-2, 1, -1, 0)),
    "mirrored pad": nn.ReflectionPad2d(2),
    "neighbouring channels": nn.LocalResponseNorm(2),
    "a slope for each channel": nn.PReLU(4, 0.3),
    "silenced channels": extra.ScaleChannels((1.0, 0.0, 2.0, 1.0)),
    "rescaled": extra.Rescale((2.0, 1.0, 1.0, 1.0), (0.0, 1.0, 0.0, 0.0)),
    "shuffled": nn.ChannelShuffle(2),
    "group norm": nn.GroupNorm(2, 4),
    "upsampling": nn.Upsample(scale_factor=2),
}


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel lengths")
@pytest.mark.parametrize("name", LAYERS)
def test_each_layer(name: str) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(2, 4, 3, 1, 1), nn.ReLU(), LAYERS[name], nn.Conv2d(4, 3, 3), nn.Tanh())
    check(nn.Sequential(body, Head(3)), 19, 17, 4, 3)


def test_calls() -> None:
    """Functions and methods instead of layers: convolution, pools, padding, slices of channels, both layouts."""
    check(Calls(), 21, 18, 5, 3)


def test_a_window_as_large_as_the_picture() -> None:
    check(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), Head(3)), 9, 9, 9, 9)


def test_a_network_without_places() -> None:
    check(nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 7, 4)), 6, 7, 3, 2)


@st.composite
def networks(draw: st.DrawFn) -> fx.GraphModule:
    """A random graph: each step reads one or two of the values before it."""
    torch.manual_seed(draw(st.integers(0, 10**6)))
    graph, root = fx.Graph(), nn.Module()
    values = [(graph.placeholder("x"), 2, 16)]  # node, channels, side
    for number in range(draw(st.integers(2, 9))):
        node, channels, side = values[draw(st.integers(max(len(values) - 3, 0), len(values) - 1))]
        kind = draw(st.sampled_from(["conv", "depthwise", "pool", "average", "relu", "add", "cat", "gate"]))
        others = [v for v in values if v[2] == side and (kind == "cat" or v[1] == channels) and v[0] is not node]
        if kind in ("add", "cat"):
            if not others or channels > 12:
                continue
            other = draw(st.sampled_from(others))
            if kind == "add":
                values.append((graph.call_function(torch.add, (node, other[0])), channels, side))
            else:
                made = graph.call_function(torch.cat, ((node, other[0]), 1))
                values.append((made, channels + other[1], side))
            continue
        stride = draw(st.sampled_from([1, 2])) if side > 4 else 1
        layer: nn.Module
        if kind == "conv":
            kernel, dilation = draw(st.sampled_from([(1, 1), (3, 1), (3, 2), (5, 1)]))
            before = draw(st.integers(0, dilation * (kernel - 1) // 2)) if side > 8 else dilation * (kernel - 1) // 2
            layer, channels = nn.Conv2d(channels, 3, kernel, stride, before, dilation), 3
        elif kind == "depthwise":
            layer = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels)
        elif kind == "pool":
            layer = nn.MaxPool2d(3, stride, 1)
        elif kind == "average":
            layer = nn.AvgPool2d(3, stride, 1, count_include_pad=draw(st.booleans()))
        elif kind == "relu":
            layer = nn.ReLU()
        else:
            layer = Gate(channels)
        root.add_module(f"m{number}", layer)
        with torch.no_grad():
            side = layer(torch.zeros(1, values_channels(layer, channels), side, side)).shape[-1]
        values.append((graph.call_module(f"m{number}", (node,)), channels, side))
    root.add_module("head", Head(values[-1][1]))
    graph.output(graph.call_module("head", (values[-1][0],)))
    network = fx.GraphModule(root, graph)
    network.graph.eliminate_dead_code()
    return trace(network.eval())


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(1, 9), st.integers(1, 5))
def test_random_graphs(graph: fx.GraphModule, window: int, stride: int) -> None:
    check(graph, 16, 16, window, min(stride, window))


def check(network: nn.Module, height: int, width: int, window: int, stride: int) -> None:
    """Incremental == one covered picture after the other, in float64, for a window at every place."""
    graph = network if isinstance(network, fx.GraphModule) else trace(network.eval())
    graph = fast_twin(graph.double())
    x = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cover = torch.tensor([0.5, -2.0], dtype=torch.float64).view(1, 2, 1, 1)
    rows, columns = places(height, window, stride), places(width, window, stride)
    made = Network.of(graph, x)
    plan = plan_of(made, (rows.first, rows.last), (columns.first, columns.last))
    found = Covering(made, x, cover).logits_of_grid(plan)
    pictures = []
    for i, j in itertools.product(range(len(rows)), range(len(columns))):
        one = x.clone()
        one[:, :, rows.first[i] : rows.last[i] + 1, columns.first[j] : columns.last[j] + 1] = cover
        pictures.append(one)
    with torch.inference_mode():
        wanted = graph(torch.cat(pictures))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def occluded(
    graph: fx.GraphModule, x: torch.Tensor, cover: torch.Tensor, window: int, stride: int, target: int
) -> np.ndarray[Any, Any]:
    """The map of one class by the incremental engine, in the groups that the method uses."""
    rows, columns = (places(side, window, stride) for side in x.shape[2:])
    network = Network.of(with_winograd(fast_twin(graph)), x)
    covering = Covering(network, x, cover)
    values = np.full((len(rows), len(columns)), np.nan)
    for a, b in itertools.product(rows.groups, columns.groups):
        plan = plan_of(network, (rows.first[a], rows.last[a]), (columns.first[b], columns.last[b]))
        found = covering.logits_of_grid(plan)[:, target].numpy()
        values[np.ix_(a, b)] = found.reshape(len(a), len(b))
    return averaged(float(covering.logits()[0, target]) - values, rows, columns)


def calibrated(network: nn.Module, side: int) -> nn.Module:
    """Random weights -> with the batch norms' statistics of a few pictures: else the answer vanishes in rounding."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    for dropout in (m for m in network.modules() if isinstance(m, nn.Dropout)):
        dropout.p = 0.0
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        network.train()(torch.randn(4, 3, side, side, generator=generator))
        network.eval()
        spread = network(torch.randn(4, 3, side, side, generator=generator)).std()
        last = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
        last.weight.mul_(4 / spread)
    return network.requires_grad_(False)


def values_channels(layer: nn.Module, channels: int) -> int:
    return int(getattr(layer, "in_channels", channels))


class Head(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))  # type: ignore[no-any-return]


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.fc(x.mean((2, 3), keepdim=True)))


class Gated(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = Gate(channels)
        self.head = Head(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gate(self.conv(x)))  # type: ignore[no-any-return]


class Calls(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(4, 2, 3, 3) * 0.3)
        self.mean = nn.Buffer(torch.randn(4))
        self.var = nn.Buffer(torch.rand(4) + 0.5)
        self.offset = nn.Parameter(torch.randn(4, 1, 1))
        self.place = nn.Parameter(torch.randn(1, 1, 11, 9))
        self.dense = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.head = Head(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, (1, 1, 1, 1))
        x = F.conv2d(x, self.weight, None, 2, 0)
        x = F.batch_norm(x, self.mean, self.var)
        x = F.relu(x + self.offset) * 2.0
        x = x.permute(0, 2, 3, 1)
        x = self.dense(self.norm(x)) + x
        x = x.permute(0, 3, 1, 2)
        both = torch.cat([F.max_pool2d(x, 3, 1, 1), F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)], 1)
        both = torch.cat([both[:, :2], torch.sigmoid(both[:, 2:])], 1)
        return self.head(1.0 - both * self.place)  # type: ignore[no-any-return]
