"""ONNX convolutions and pooling -> torch layers; padding that torch lacks becomes a layer of its own before them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cutaway.formats.onnx_errors import Refused
from cutaway.formats.onnx_node import Op, on_meta
from cutaway.formats.onnx_values import Value
from cutaway.graph.extra import SamePad2d, SamePool2d

_CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
_MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
_AVG_POOLS: dict[int, Any] = {1: nn.AvgPool1d, 2: nn.AvgPool2d}
_GLOBAL = {
    ("GlobalAveragePool", 1): nn.AdaptiveAvgPool1d,
    ("GlobalAveragePool", 2): nn.AdaptiveAvgPool2d,
    ("GlobalMaxPool", 1): nn.AdaptiveMaxPool1d,
    ("GlobalMaxPool", 2): nn.AdaptiveMaxPool2d,
}


@dataclass(frozen=True, slots=True)
class Window:
    """Kernel, stride, dilation per axis; pixels added before (`begin`) and after (`end`) on each axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    same_upper: bool

    @property
    def symmetric(self) -> bool:
        return self.begin == self.end


def window_of(op: Op, x: Value, kernel: Sequence[int] | None) -> Window:
    """The node's window settings on `x` (N, C, ...); `kernel` from the weights, None: from the settings."""
    axes = len(x.shape) - 2
    if axes < 1:
        raise Refused(f"gets a value with {len(x.shape)} axes, which has no height and width.")
    sides = tuple(op.ints_of("kernel_shape", kernel or (), axes))
    if kernel is not None and sides != tuple(kernel):
        raise Refused(f"says its kernel is {sides}; its weights have {tuple(kernel)}.")
    stride = tuple(op.ints_of("strides", (1,) * axes, axes))
    dilation = tuple(op.ints_of("dilations", (1,) * axes, axes))
    if min(*sides, *stride, *dilation) < 1:
        raise Refused("has a kernel, stride or dilation below 1.")
    auto = op.word("auto_pad", "NOTSET") or "NOTSET"
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = [_same_total(*s) for s in zip(x.shape[2:], sides, stride, dilation)]
        small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        begin, end = (small, large) if auto == "SAME_UPPER" else (large, small)
        return Window(sides, stride, dilation, begin, end, auto == "SAME_UPPER")
    pads = op.ints_of("pads", (0,) * (2 * axes), 2 * axes) if auto == "NOTSET" else [0] * (2 * axes)
    if auto not in ("NOTSET", "VALID"):
        raise Refused(f"has auto_pad {auto!r}, which does not exist.")
    if min(pads) < 0:
        raise Refused(f"has a negative padding: {pads}.")
    return Window(sides, stride, dilation, tuple(pads[:axes]), tuple(pads[axes:]), False)


def _same_total(size: int, kernel: int, stride: int, dilation: int) -> int:
    return max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)


def padded(op: Op, x: Value, w: Window, value: float = 0.0) -> Value:
    """`x` with the window's border around it, as a layer "<name>_pad"."""
    if len(w.kernel) == 2:
        if w.same_upper:
            return op.layer(SamePad2d(_two(w.kernel), _two(w.stride), _two(w.dilation), value), x, "pad")
        sides = (w.begin[1], w.end[1], w.begin[0], w.end[0])
        return op.layer(nn.ConstantPad2d(sides, value) if value else nn.ZeroPad2d(sides), x, "pad")
    flat = [n for b, e in zip(reversed(w.begin), reversed(w.end)) for n in (b, e)]
    return op.call(nn.functional.pad, x, flat, "constant", value, suffix="pad")


def _two(sides: Sequence[int]) -> tuple[int, int]:
    return sides[0], sides[1]


def conv(op: Op) -> Value:
    x, weight = op.value(0), op.known(1, "kernel")
    axes = len(weight.shape) - 2
    if axes not in _CONVS or len(x.shape) != axes + 2:
        raise Refused(f"has a kernel of shape {weight.shape} for a value of shape {_one(x.shape)}.")
    w = window_of(op, x, weight.shape[2:])
    groups = op.whole("group", 1)
    filters, per_group = weight.shape[:2]
    if groups < 1 or filters % max(groups, 1):
        raise Refused(f"divides {filters} filters into {groups} groups.")
    bias = op.known(2, "bias") if op.has(2) else None
    _must_be_one_each(bias, filters)
    padding: tuple[int, ...] = w.begin
    if not w.symmetric:
        x, padding = padded(op, x, w), (0,) * axes
    module = on_meta(
        _CONVS[axes], per_group * groups, filters, w.kernel, w.stride, padding, w.dilation, groups, bias is not None
    )
    return op.layer(module, x, weight=weight, bias=bias)


def conv_transpose(op: Op) -> Value:
    x, weight = op.value(0), op.known(1, "kernel")
    axes = len(weight.shape) - 2
    if axes not in _TRANSPOSED or len(x.shape) != axes + 2:
        raise Refused(f"has a kernel of shape {weight.shape} for a value of shape {_one(x.shape)}.")
    groups = op.whole("group", 1)
    channels, per_group = weight.shape[:2]
    bias = op.known(2, "bias") if op.has(2) else None
    _must_be_one_each(bias, per_group * groups)
    if op.word("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER") and not op.given("output_shape"):
        raise Refused("has auto_pad without an output_shape, which is not on Cutaway's list.")
    stride = op.ints_of("strides", (1,) * axes, axes)
    dilation = op.ints_of("dilations", (1,) * axes, axes)
    extra = op.ints_of("output_padding", (0,) * axes, axes)
    begin, end = _cut(op, x, weight.shape[2:], stride, dilation, extra)
    symmetric = begin == end and min(begin) >= 0
    module = on_meta(
        _TRANSPOSED[axes],
        channels,
        per_group * groups,
        tuple(weight.shape[2:]),
        tuple(stride),
        tuple(begin) if symmetric else 0,
        tuple(extra) if symmetric else 0,
        groups,
        bias is not None,
        tuple(dilation),
    )
    y = op.layer(module, x, weight=weight, bias=bias)
    if symmetric:
        return y
    flat = [n for b, e, o in zip(reversed(begin), reversed(end), reversed(extra)) for n in (-b, o - e)]
    if any(extra):
        raise Refused("has an output_padding and different borders, which is not on Cutaway's list.")
    return op.call(nn.functional.pad, y, flat, suffix="crop")


def _cut(
    op: Op, x: Value, kernel: Sequence[int], stride: list[int], dilation: list[int], extra: list[int]
) -> tuple[list[int], list[int]]:
    """Pixels cut off before and after on each axis."""
    axes = len(kernel)
    pads = op.ints_of("pads", (0,) * (2 * axes), 2 * axes)
    if not op.given("output_shape"):
        return pads[:axes], pads[axes:]
    wanted = op.ints_of("output_shape")[-axes:]
    begin, end = [], []
    for n, k, s, d, o, want in zip(x.shape[2:], kernel, stride, dilation, extra, wanted):
        total = s * (n - 1) + o + (k - 1) * d + 1 - want
        if total < 0:
            raise Refused(f"asks for an output_shape {wanted} that is larger than what it makes.")
        upper = op.word("auto_pad", "NOTSET") == "SAME_UPPER"
        begin.append(total // 2 if upper else total - total // 2)
        end.append(total - begin[-1])
    return begin, end


def max_pool(op: Op) -> Value:
    x = op.value(0)
    w = window_of(op, x, None)
    if op.whole("storage_order", 0):
        raise Refused("has storage_order 1, which is not on Cutaway's list.")
    ceil = bool(op.whole("ceil_mode", 0))
    padding: tuple[int, ...] = w.begin
    if not w.symmetric or any(2 * p > k for p, k in zip(w.begin, w.kernel)):
        x, padding = padded(op, x, w, -math.inf), (0,) * len(w.kernel)
    if len(w.kernel) not in _MAX_POOLS:
        raise Refused(f"works on {len(w.kernel)} axes of space; pooling over 1 or 2 can be opened.")
    module = on_meta(_MAX_POOLS[len(w.kernel)], w.kernel, w.stride, padding, w.dilation, ceil_mode=ceil)
    return op.layer(module, x)


def average_pool(op: Op) -> Value:
    x = op.value(0)
    w = window_of(op, x, None)
    if any(d != 1 for d in w.dilation):
        raise Refused("has a dilation, which is not on Cutaway's list for average pooling.")
    if len(w.kernel) not in _AVG_POOLS:
        raise Refused(f"works on {len(w.kernel)} axes of space; pooling over 1 or 2 can be opened.")
    counts, ceil = bool(op.whole("count_include_pad", 0)), bool(op.whole("ceil_mode", 0))
    make = _AVG_POOLS[len(w.kernel)]
    if w.symmetric and all(2 * p <= k for p, k in zip(w.begin, w.kernel)):
        include = counts or not any(w.begin)
        return op.layer(on_meta(make, w.kernel, w.stride, w.begin, ceil, include), x)
    if ceil:
        raise Refused("has ceil_mode and different borders, which is not on Cutaway's list.")
    if w.same_upper and not counts and len(w.kernel) == 2:
        return op.layer(SamePool2d(_two(w.kernel), _two(w.stride)), x)
    pool = on_meta(make, w.kernel, w.stride)
    y = op.layer(pool, padded(op, x, w))
    return y if counts else op.call(operator.truediv, y, _share_inside(op, x, w, make), suffix="share")


def _share_inside(op: Op, x: Value, w: Window, make: Any) -> Value:
    """Share of each window that lies on the picture, not on the border: what the average is divided by."""
    op.tape.must_fit(math.prod(n + b + e for n, b, e in zip(x.shape[2:], w.begin, w.end)), 4)
    flat = [n for b, e in zip(reversed(w.begin), reversed(w.end)) for n in (b, e)]
    ones = nn.functional.pad(torch.ones(1, 1, *x.shape[2:]), flat)
    return Value(make(w.kernel, w.stride)(ones))


def global_pool(op: Op) -> Value:
    x = op.value(0)
    key = (op.kind, len(x.shape) - 2)
    if key not in _GLOBAL:
        raise Refused(f"gets a value with {len(x.shape)} axes; 3 or 4 can be opened.")
    return op.layer(_GLOBAL[key](1), x)


def _must_be_one_each(bias: Value | None, channels: int) -> None:
    if bias is not None and bias.shape != (channels,):
        raise Refused(f"has a bias of shape {bias.shape} for {channels} channels.")


def _one(shape: tuple[int, ...]) -> tuple[Any, ...]:
    return ("N", *shape[1:])


OPERATORS = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
}
