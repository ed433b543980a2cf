"""Unfold against torch: for random shapes and settings of every kind of layer the terms add up to its number."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from cutaway.engine.trace import Trace, trace_steps
from cutaway.engine.unfold import needed_steps, picture_box, strongest, unfold, unfold_on
from cutaway.engine.unfold.table import CALLS, LAYERS
from cutaway.errors import BadInput, BadModel
from cutaway.graph import kinds
from cutaway.graph.build import GraphBuilder
from cutaway.graph.extra import (
    AlwaysDropout,
    ChannelsLastFlatten,
    ClippedReLU,
    FrozenBatchNorm2d,
    Rescale,
    SamePad2d,
    SamePool2d,
    ScaleChannels,
)
from cutaway.graph.functions import FUNCTIONS, METHODS
from cutaway.graph.trace import trace

TOLERANCE = 1e-5  # of max(1, |value|): float32 rounding of the layer itself
QUICK = settings(max_examples=40, deadline=None, derandomize=True)
SMALL = st.integers(1, 3)
SEED = st.integers(0, 2**31)


def lone(module: nn.Module) -> fx.GraphModule:
    """One layer as a network."""
    builder = GraphBuilder()
    return_ = builder.layer("layer", module.eval(), builder.input())
    return builder.finish(return_).eval()


def called(function: Any, *args: Any, **kwargs: Any) -> fx.GraphModule:
    """One call on the input as a network; in `args` "x" stands for the input, tensors become stored numbers."""
    root, graph = nn.Module(), fx.Graph()
    x = graph.placeholder("input")

    def node(argument: Any, n: int) -> Any:
        if isinstance(argument, torch.Tensor):
            root.register_buffer(f"stored{n}", argument)
            return graph.get_attr(f"stored{n}")
        return x if isinstance(argument, str) and argument == "x" else argument

    graph.output(graph.create_node("call_function", function, tuple(node(a, n) for n, a in enumerate(args)), kwargs,
                                   name="call"))  # fmt: skip
    return fx.GraphModule(root, graph)


def agree(graph: fx.GraphModule, x: torch.Tensor, name: str = "layer", cells: int = 3) -> list[Any]:
    """Some cells, the corners among them: total and value within TOLERANCE, value the network's own."""
    with torch.inference_mode():
        output = graph(x)
    kept = trace_steps(graph, x, needed_steps(graph, name))
    shape = output.shape[1:]
    numbers = np.random.default_rng(0)
    wanted = [tuple(0 for _ in shape), tuple(n - 1 for n in shape)]
    wanted += [tuple(int(numbers.integers(n)) for n in shape) for _ in range(cells)]
    found = []
    for index in wanted:
        told = unfold(graph, kept, name, index, picture=len(x) - 1)
        assert told.value == output[(len(x) - 1, *index)].item()
        assert told.difference <= TOLERANCE * max(1.0, abs(told.value)), (index, told)
        assert told.unfolded
        found.append(told)
    return found


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def filled(module: nn.Module, seed: int) -> nn.Module:
    """Every parameter and statistic random; variances above zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(0, 0.5, generator=generator)
                if name.endswith("var"):
                    tensor.abs_().add_(0.1)
    return module.eval()


@QUICK
@given(data=st.data(), axes=st.integers(1, 3), seed=SEED)
def test_convolutions(data: st.DataObject, axes: int, seed: int) -> None:
    groups, per_in, per_out = data.draw(st.tuples(SMALL, SMALL, SMALL))
    kernel, stride, dilation = (data.draw(st.tuples(*[SMALL] * axes)) for _ in range(3))
    sizes = data.draw(st.tuples(*[st.integers(7, 9 if axes < 3 else 7)] * axes))
    mode = data.draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    same = data.draw(st.booleans()) and set(stride) == {1}
    padding: Any = "same" if same else data.draw(st.tuples(*[st.integers(0, 2)] * axes))
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    layer = kind(groups * per_in, groups * per_out, kernel, stride, padding, dilation, groups,
                 data.draw(st.booleans()), mode)  # fmt: skip
    for told in agree(lone(filled(layer, seed)), draw(seed, 2, groups * per_in, *sizes)):
        assert len(told.windows) == per_in
        assert sum(w.sum for w in told.windows) + dict(told.parameters).get("bias", 0.0) == pytest.approx(told.total)


@QUICK
@given(data=st.data(), axes=st.integers(1, 2), seed=SEED)
def test_transposed_convolutions(data: st.DataObject, axes: int, seed: int) -> None:
    groups, per_in, per_out = data.draw(st.tuples(SMALL, SMALL, SMALL))
    kernel, stride, dilation = (data.draw(st.tuples(*[SMALL] * axes)) for _ in range(3))
    extra = tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation))
    padding = tuple(data.draw(st.integers(0, min(2, d * (k - 1)))) for k, d in zip(kernel, dilation))
    kind = nn.ConvTranspose1d if axes == 1 else nn.ConvTranspose2d
    layer = kind(groups * per_in, groups * per_out, kernel, stride, padding, extra, groups,
                 data.draw(st.booleans()), dilation)  # fmt: skip
    agree(lone(filled(layer, seed)), draw(seed, 1, groups * per_in, *[4] * axes))


@pytest.mark.parametrize("kind", ["Conv2dSame", "ScaledStdConv2d", "ScaledStdConv2dSame", "StdConv2d", "StdConv2dSame"])
@pytest.mark.parametrize(("size", "kernel", "stride"), [((7, 8), (3, 3), (2, 2)), ((9, 6), (5, 2), (1, 3))])
def test_timms_convolutions(kind: str, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]) -> None:
    cls: Any = kinds.kind_class(kind)
    layer = filled(cls(4, 6, kernel, stride=stride, groups=2, bias=True), 3)
    (told, *_) = agree(lone(layer), draw(1, 1, 4, *size))
    assert ("standardised" in told.note) == ("Std" in kind)


@QUICK
@given(data=st.data(), axes=st.integers(1, 2), seed=SEED)
def test_pooling(data: st.DataObject, axes: int, seed: int) -> None:
    kernel = data.draw(st.tuples(*[st.integers(1, 4)] * axes))
    stride = data.draw(st.tuples(*[SMALL] * axes))
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    sizes = data.draw(st.tuples(*[st.integers(8, 11)] * axes))
    ceil, counted = data.draw(st.tuples(st.booleans(), st.booleans()))
    x = draw(seed, 2, 3, *sizes)
    dilation = data.draw(st.tuples(*[st.integers(1, 2)] * axes))
    largest = (nn.MaxPool1d if axes == 1 else nn.MaxPool2d)(kernel, stride, padding, dilation, ceil_mode=ceil)
    agree(lone(largest), x)
    if axes == 1:
        agree(lone(nn.AvgPool1d(kernel, stride, padding, ceil, counted)), x)
    else:
        divisor = data.draw(st.sampled_from([None, 5]))
        agree(lone(nn.AvgPool2d(kernel, stride, padding, ceil, counted, divisor)), x)
        agree(called(F.max_pool2d, "x", kernel, stride, padding, dilation, ceil), x, "call")
        agree(called(F.avg_pool2d, "x", kernel, stride, padding, ceil, counted, divisor), x, "call")


@QUICK
@given(size=st.tuples(*[st.integers(1, 9)] * 2), out=st.tuples(*[st.integers(1, 9)] * 2), seed=SEED)
def test_adaptive_and_same_pooling(size: tuple[int, int], out: tuple[int, int], seed: int) -> None:
    x = draw(seed, 1, 2, *size)
    agree(lone(nn.AdaptiveAvgPool2d(out)), x)
    agree(lone(nn.AdaptiveMaxPool2d(out)), x)
    agree(lone(nn.AdaptiveAvgPool1d(out[0])), x[..., 0])
    agree(lone(nn.AdaptiveMaxPool1d(out[0])), x[..., 0])
    agree(called(F.adaptive_avg_pool2d, "x", out), x, "call")
    agree(called(F.adaptive_max_pool2d, "x", out), x, "call")
    kernel, stride = (min(out[0], 3), min(out[1], 4)), (min(out[1], 3), 2)
    agree(lone(SamePool2d(kernel, stride)), x)
    pooled: Any = kinds.kind_class("AvgPool2dSame")
    agree(lone(pooled(kernel, stride)), x)


@QUICK
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(2, 5), st.integers(1, 5)), seed=SEED,
       plain=st.booleans())  # fmt: skip
def test_normalisation(shape: tuple[int, int, int, int], seed: int, plain: bool) -> None:
    x, channels = draw(seed, *shape) * 3 + 1, shape[1]
    agree(lone(filled(nn.BatchNorm2d(channels, affine=not plain), seed)), x)
    agree(lone(filled(nn.BatchNorm2d(channels, track_running_stats=False), seed)), x)
    agree(lone(filled(nn.BatchNorm1d(channels, affine=not plain), seed)), x[:, :, :, 0])
    agree(lone(filled(nn.BatchNorm1d(channels), seed)), x[:, :, 0, 0])
    agree(lone(filled(nn.InstanceNorm2d(channels, affine=plain, eps=0.01), seed)), x)
    agree(lone(filled(nn.InstanceNorm2d(channels, track_running_stats=True), seed)), x)
    for groups in {1, channels}:
        agree(lone(filled(nn.GroupNorm(groups, channels, affine=not plain, eps=0.01), seed)), x)
    agree(lone(filled(nn.LayerNorm(shape[3], elementwise_affine=not plain, eps=0.01), seed)), x)
    agree(lone(filled(nn.LayerNorm(shape[1:], eps=0.01), seed)), x)
    agree(lone(filled(nn.RMSNorm(shape[3], elementwise_affine=not plain), seed)), x)
    agree(lone(nn.LocalResponseNorm(1 + seed % 5, 0.1, 0.75, 2.0)), x)


def test_normalisation_called() -> None:
    x, weight, bias = draw(1, 2, 4, 3, 3), draw(2, 4), draw(3, 4)
    agree(called(F.layer_norm, "x", (3,), draw(4, 3), draw(5, 3), 0.01), x, "call")
    agree(called(F.layer_norm, "x", (3, 3)), x, "call")
    agree(called(F.group_norm, "x", 2, weight, bias, 0.01), x, "call")
    agree(called(F.batch_norm, "x", weight, weight.abs() + 0.1, weight, bias), x, "call")
    agree(called(F.batch_norm, "x", None, None, weight, bias, True), x, "call")


POINTWISE = [
    nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(3), nn.ELU(0.7), nn.SELU(), nn.CELU(1.3), nn.GELU(),
    nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(2.0, 3.0), nn.Softsign(),
    nn.Hardtanh(-0.5, 2), nn.Hardswish(), nn.Hardsigmoid(), nn.LogSigmoid(), nn.Dropout(),
    nn.Dropout2d(), nn.AlphaDropout(), nn.Identity(), ClippedReLU(1.5, 0.1, 0.3), ClippedReLU(),
    Rescale((2.0,), (-1.0,)), ScaleChannels((0.0, 2.0, -1.0)), ScaleChannels((0.0, 2.0, 1.0, 1.0, -1.0), -1),
    AlwaysDropout(0.5, 1), AlwaysDropout(0.5, 2, whole_maps=True), AlwaysDropout(1.0), FrozenBatchNorm2d(3),
    Rescale((2.0, 3.0, -1.0), (0.5, 0.0, 1.0)), nn.Softmax(1), nn.Softmax(-1), nn.LogSoftmax(2), nn.Softmax(),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize("layer", POINTWISE, ids=str)
def test_activations(layer: nn.Module) -> None:
    for scale in (1.0, 8.0, 60.0):
        for told in agree(lone(layer), draw(7, 2, 3, 4, 5) * scale, cells=12):
            assert told.formula


@pytest.mark.parametrize(
    "layer",
    [nn.Flatten(), nn.Flatten(2), nn.Unflatten(1, (2, 2)), ChannelsLastFlatten(), nn.PixelShuffle(2),
     nn.ChannelShuffle(2), nn.Unfold(2, padding=1), nn.ZeroPad2d((1, 0, 2, 1)), nn.ZeroPad2d((-1, 0, 0, 1)),
     nn.ConstantPad2d(1, 3.0), nn.ReflectionPad2d(2), nn.ReplicationPad2d((0, 2, 1, 0)),
     SamePad2d((3, 3), (2, 2)), SamePad2d((3, 3), (2, 2), value=-torch.inf)],
    ids=str,
)  # fmt: skip
def test_layers_that_only_move_numbers(layer: nn.Module) -> None:
    x = draw(2, 2, 4, 4, 5)
    for told in agree(lone(layer), x, cells=8):
        if told.leads_to:
            (source,) = told.leads_to
            cell = tuple(axis[0] for axis in source.axes)
            assert x[(1, *cell)].item() == told.value
        else:
            assert "pads" in told.formula


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("how", [{"scale_factor": 2.0}, {"size": (5, 9)}, {"size": (2, 3)}])
def test_upsampling(mode: str, how: dict[str, Any]) -> None:
    corners = {"align_corners": True} if mode.startswith("bi") else {}
    x = draw(3, 2, 3, 4, 6)
    agree(lone(nn.Upsample(mode=mode, **how, **corners)), x)
    agree(called(F.interpolate, "x", mode=mode, **how), x, "call")
    if mode == "bilinear":
        agree(called(F.interpolate, "x", mode=mode, antialias=True, **how), x, "call")


@QUICK
@given(inputs=st.integers(1, 20), outputs=st.integers(1, 5), seed=SEED, bias=st.booleans())
def test_dense_layers(inputs: int, outputs: int, seed: int, bias: bool) -> None:
    agree(lone(filled(nn.Linear(inputs, outputs, bias=bias), seed)), draw(seed, 2, inputs))
    agree(lone(filled(nn.Linear(inputs, outputs, bias=bias), seed)), draw(seed, 2, 3, inputs))
    agree(called(F.linear, "x", draw(seed, outputs, inputs), draw(1, outputs) if bias else None), draw(seed, 2, inputs),
          "call")  # fmt: skip
    agree(called(torch.matmul, "x", "x"), draw(seed, 2, 3, inputs, inputs), "call")


class Calls(nn.Module):
    """Functions and methods, one after the other, sizes worked out on the way."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (N, 4, 6, 6)
        n, _, h, w = x.shape
        first, second = x.chunk(2, 1)
        a = torch.cat([first * 2, second - 1, x], 1) + x.mean((2, 3), keepdim=True)[:, :1]
        b = torch.stack([a, a.flip(2)], 1).view(n, 16, h, w).transpose(2, 3)
        b = torch.maximum(b, a.repeat(1, 2, 1, 1) / 3) + b.amax((2, 3), keepdim=True)
        b = F.pad(b, (1, 2, 0, 1), value=0.25).roll(1, 3)
        d = b.permute(0, 2, 3, 1).reshape(n, -1, 16).unflatten(1, (7, 9)).contiguous()
        d = torch.addcmul(d, d, d.sigmoid(), value=0.5) - d.norm(2, (1, 2), keepdim=True) * 0.1
        d = d.clamp(-2, 2).pow(2) + (-d).exp().clamp(max=5.0) + d.abs().sqrt().sin() + d.square().cos()
        d = (
            F.softplus(d)
            + (d.abs() + 1).log().tanh()
            + (d.abs() + 1).rsqrt()
            + torch.minimum(d, d.sum(1, keepdim=True))
        )
        d = d.unsqueeze(1).expand(n, 2, 7, 9, 16)[:, 1:].squeeze(1)
        return torch.softmax(d.flatten(1), 1) + d.max()


def test_functions_and_methods_of_a_graph() -> None:
    graph = trace(Calls())
    x = draw(5, 2, 4, 6, 6)
    kept = trace_steps(graph, x)
    numbers = np.random.default_rng(1)
    asked = set()
    for name in kept:
        value = kept[name]
        if not value.ndim or not value.is_floating_point():
            continue
        for _ in range(4):
            index = tuple(int(numbers.integers(n)) for n in value.shape[1:])
            told = unfold(graph, kept, name, index, picture=1)
            assert told.unfolded, name
            assert told.difference <= TOLERANCE * max(1.0, abs(told.value)), (name, told)
            asked.add(told.kind)
    assert len(asked) > 25


def test_functions_alone() -> None:
    x = draw(9, 2, 3, 4, 4)
    agree(called(torch.sum, "x", 2, True), x, "call")
    agree(called(torch.softmax, "x", 2), x, "call")
    agree(called(F.softmax, "x", 3), x, "call")
    agree(called(torch.div, "x", 3.0), x, "call")
    agree(
        called(F.conv2d, "x", draw(1, 4, 1, 3, 2), draw(2, 4)[:3].repeat(2)[:4], (2, 1), (1, 0), 1, 1), x[:, :1], "call"
    )
    agree(called(F.conv2d, "x", draw(1, 6, 1, 3, 3), None, 1, "same", 2, 3), x, "call")


def test_every_listed_layer_is_unfolded_or_said_not_to_be() -> None:
    listed = {
        *kinds._TORCH,
        *kinds._FOREIGN,
        "SamePad2d",
        "SamePool2d",
        "ChannelsLastFlatten",
        "ClippedReLU",
        "Rescale",
        "ScaleChannels",
        "AlwaysDropout",
        "FrozenBatchNorm1d",
        "FrozenBatchNorm2d",
    }
    assert listed - set(LAYERS) == {"MultiheadAttention"}
    assert set(LAYERS) <= listed
    assert set(CALLS) <= set(FUNCTIONS) | METHODS


def test_a_step_that_is_only_read_says_so() -> None:
    x = draw(1, 1, 3, 4)
    graph = called(torch.einsum, "abc->acb", "x")
    told = unfold(graph, trace_steps(graph, x), "call", (1, 2))
    assert (told.unfolded, told.difference) == (False, 0.0)
    assert told.note == "einsum is not taken apart into terms; this step's number is read, not unfolded."
    assert told.leads_to[0].axes == ((0, 1, 2), (0, 1, 2, 3))
    reversed_ = called(torch.add, "x", "x", alpha=2)
    assert not unfold(reversed_, trace_steps(reversed_, x), "call", (1, 2)).unfolded
    flat = called(torch.matmul, "x", torch.ones(4))
    assert not unfold(flat, trace_steps(flat, x), "call", (1,)).unfolded


def test_the_input_and_stored_numbers_are_read() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.tensor([2.0, 3.0, 4.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.gain

    graph = trace(Scaled())
    x = draw(3, 2, 3)
    kept = trace_steps(graph, x)
    assert unfold(graph, kept, "x", (1,)).total == x[0, 1].item()
    assert unfold(graph, kept, "gain", (2,)).total == 4.0
    told = unfold(graph, kept, "mul", (2,), picture=1)
    assert told.lines[1].label == "b: gain[2]"
    assert told.total == x[1, 2].item() * 4


def test_one_number_by_hand() -> None:
    layer = nn.Conv2d(1, 1, 2, padding=1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
        layer.bias.fill_(0.5)  # type: ignore[union-attr]
    graph = lone(layer)
    x = torch.tensor([[[[5.0, 6.0], [7.0, 8.0]]]])
    told = unfold(graph, trace_steps(graph, x), "layer", (0, 0, 1))
    (window,) = told.windows
    assert window.axes == ((0,), (-1, 0), (0, 1))
    assert window.values.tolist() == [[[0, 0], [5, 6]]]
    assert window.terms is not None
    assert window.terms.tolist() == [[[0, 0], [15, 24]]]
    assert window.is_outside().tolist() == [[[True, True], [False, False]]]
    assert (told.total, told.value, told.difference) == (39.5, 39.5, 0.0)
    assert told.leads_to[0].axes == ((0,), (0,), (0, 1))
    plain = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert plain["windows"][0]["padding"] == [[True, True], [False, False]]
    assert plain["windows"][0]["values"] == [[0, 0], [5, 6]]
    assert plain["parameters"] == {"bias": 0.5}


def test_a_mirrored_border_is_marked_and_leads_to_real_cells() -> None:
    graph = lone(nn.Conv1d(1, 1, 3, padding=2, padding_mode="reflect"))
    told = unfold(graph, trace_steps(graph, draw(1, 1, 1, 5)), "layer", (0, 0))
    (window,) = told.windows
    assert window.axes == ((0,), (2, 1, 0))
    assert window.padded == ((False,), (True, True, False))
    assert told.leads_to[0].axes == ((0,), (0, 1, 2))


def test_infinities_and_no_numbers_are_told_as_they_are() -> None:
    graph = lone(nn.ReLU())
    kept = trace_steps(graph, torch.tensor([[torch.inf, torch.nan]]))
    told = [unfold(graph, kept, "layer", (i,)) for i in range(2)]
    assert [t.difference for t in told] == [0.0, 0.0]
    assert told[1].to_dict()["value"] is None


def test_wrong_places_end_in_one_sentence() -> None:
    graph = lone(nn.Conv2d(1, 2, 3))
    kept = trace_steps(graph, draw(1, 1, 1, 5, 6))
    with pytest.raises(
        BadInput,
        match=r"^layer has cells \[0, 0, 0\] to \[1, 2, 3\] \(its shape is 2 x 3 x 4\)\. Got \[1, 3, 0\]\.$",
    ):
        unfold(graph, kept, "layer", (1, 3, 0))
    with pytest.raises(BadInput, match=r"Got \[7\]\.$"):
        unfold(graph, kept, "layer", (7,))
    with pytest.raises(BadInput, match=r"Got \[-1, 0, 0\]\.$"):
        unfold(graph, kept, "layer", (-1, 0, 0))
    with pytest.raises(BadInput, match=r"The network has no layer 'layr'\. Nearest: layer"):
        unfold(graph, kept, "layr", (0, 0, 0))
    with pytest.raises(BadModel, match="The trace holds no layer 'input_1'"):
        unfold(graph, trace_steps(graph, draw(1, 1, 1, 5, 6), ["layer"]), "layer", (0, 0, 0))
    whole = called(torch.sum, "x")
    for ask in (lambda t: unfold(whole, t, "call", ()), lambda t: strongest(t, "call")):
        with pytest.raises(
            BadInput, match="call holds one number and no cells; name a layer that gives a map or a row"
        ):
            ask(trace_steps(whole, draw(1, 1, 3)))


def test_the_largest_cell() -> None:
    x = torch.tensor([[[[1.0, torch.nan], [-9.0, 3.0]]]])
    assert strongest(Trace({"a": x}, x), "a") == (0, 1, 1)


def test_on_through_normalisation_and_activation() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    graph = trace(net)
    chain = unfold_on(graph, trace_steps(graph, draw(1, 1, 3, 8, 8)), "0", (1, 2, 3))
    assert [told.kind for told in chain] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert chain[1].lines[0].value == chain[0].value
    branch = trace(_Branch())
    assert len(unfold_on(branch, trace_steps(branch, draw(1, 1, 1, 8, 8)), "a", (0, 0, 0))) == 1


class _Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.act = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.a(F.pad(x, (1, 1, 1, 1)))
        return torch.cat([self.act(a), self.b(a)], 1)


@pytest.mark.parametrize(
    ("name", "index", "box"),
    [("a", (0, 0, 0), ((0, 0), (0, 0))), ("b", (0, 5, 5), ((2, 6), (2, 6))), ("cat", (0, 5, 5), ((3, 5), (3, 5))),
     ("cat", (3, 9, 0), ((6, 7), (0, 1))), ("x", (0, 2, 3), ((2, 2), (3, 3)))],
)  # fmt: skip
def test_back_to_the_picture(name: str, index: tuple[int, ...], box: Any) -> None:
    graph = trace(_Branch())
    assert picture_box(graph, trace_steps(graph, draw(1, 1, 1, 8, 8)), name, index) == box


def test_back_to_the_picture_agrees_with_the_derivative() -> None:
    """What a cell sees holds every pixel that it changes with, and its corners change it."""
    net = nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 2, 3, 2), nn.Sigmoid(), nn.AvgPool2d(2, 1, 1),
        nn.Conv2d(2, 2, 3, dilation=2, padding=2), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(18, 5),
    )  # fmt: skip
    graph = trace(net)
    x = draw(4, 1, 1, 20, 18)
    kept = trace_steps(graph, x)
    for name in ("1", "3", "4", "5", "7"):
        index = strongest(kept, name)
        seen = picture_box(graph, kept, name, index)
        y = x.clone().requires_grad_()
        out = nn.Sequential(*list(net.children())[: int(name) + 1])(y)
        (slopes,) = torch.autograd.grad(out[(0, *index)], y)
        rows, columns = slopes[0, 0].nonzero().T
        assert seen == ((rows.min(), rows.max()), (columns.min(), columns.max())), name
