"""Keras convolutions, dense and normalisation layers -> torch layers with their weights turned to torch's layout.

Keras 'same' puts the odd pixel at the bottom and right and depends on the input's size; it becomes torch's own padding
only where the two are equal for every size (stride 1, odd window), else a SamePad2d layer before the convolution.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from cutaway.formats.keras_activation import activated
from cutaway.formats.keras_emit import Emit, Value, filled
from cutaway.graph.extra import Rescale, SamePad2d

Pair = tuple[int, int]


def conv2d(e: Emit, x: Value) -> Value:
    kernel, stride, dilation = window(e)
    filters, groups = e.settings.whole("filters"), e.settings.whole("groups", 1)
    e.rank(x, 3)
    _must_divide(e, x.channels, filters, groups)
    w = e.weights(kernel=(*kernel, x.channels // groups, filters), bias=(filters,))
    x, padding, size = padded(e, x, kernel, stride, dilation)
    module = nn.Conv2d(x.channels, filters, kernel, stride, padding, dilation, groups, bias="bias" in w, device="meta")
    filled(module, weight=w["kernel"].transpose(3, 2, 0, 1), bias=w.get("bias"))
    return activated(e, e.layer(module, x, (*size, filters)))


def depthwise_conv2d(e: Emit, x: Value) -> Value:
    return activated(e, _depthwise(e, x, "", with_bias=True))


def separable_conv2d(e: Emit, x: Value) -> Value:
    """Two layers: `<name>_depthwise`, then the pointwise one under the layer's own name."""
    filters = e.settings.whole("filters")
    deep = _depthwise(e, x, "depthwise", with_bias=False)
    w = e.weights(**_separable_shapes(e, x))
    module = nn.Conv2d(deep.channels, filters, 1, bias="bias" in w, device="meta")
    filled(module, weight=w["pointwise_kernel"].transpose(3, 2, 0, 1), bias=w.get("bias"))
    return activated(e, e.layer(module, deep, (*deep.shape[:2], filters)))


def _depthwise(e: Emit, x: Value, suffix: str, with_bias: bool) -> Value:
    kernel, stride, dilation = window(e)
    multiplier = e.settings.whole("depth_multiplier", 1)
    e.rank(x, 3)
    made = x.channels * multiplier
    shapes = {"depthwise_kernel": (*kernel, x.channels, multiplier), "bias": (made,)}
    w = e.weights(**(shapes if with_bias else _separable_shapes(e, x)))
    x, padding, size = padded(e, x, kernel, stride, dilation)
    bias = w.get("bias") if with_bias else None
    module = nn.Conv2d(
        x.channels, made, kernel, stride, padding, dilation, x.channels, bias=bias is not None, device="meta"
    )
    weight = w["depthwise_kernel"].transpose(2, 3, 0, 1).reshape(made, 1, *kernel)
    return e.layer(filled(module, weight=weight, bias=bias), x, (*size, made), suffix)


def _separable_shapes(e: Emit, x: Value) -> dict[str, tuple[int, ...]]:
    kernel, filters, multiplier = (
        e.settings.pair("kernel_size"),
        e.settings.whole("filters"),
        e.settings.whole("depth_multiplier", 1),
    )
    return {
        "depthwise_kernel": (*kernel, x.channels, multiplier),
        "pointwise_kernel": (1, 1, x.channels * multiplier, filters),
        "bias": (filters,),
    }


def conv1d(e: Emit, x: Value) -> Value:
    e.rank(x, 2)
    channels_last(e)
    (kernel,), (stride,) = e.settings.wholes("kernel_size", 1), e.settings.wholes("strides", 1, 1)
    (dilation,), filters, groups = (
        e.settings.wholes("dilation_rate", 1, 1),
        e.settings.whole("filters"),
        e.settings.whole("groups", 1),
    )
    _must_divide(e, x.channels, filters, groups)
    mode = e.settings.word("padding", "valid", ("valid", "same", "causal"))
    w = e.weights(kernel=(kernel, x.channels // groups, filters), bias=(filters,))
    length, span = x.shape[0], dilation * (kernel - 1) + 1
    total = span - 1 if mode == "causal" else same_total(length, kernel, stride, dilation) if mode == "same" else 0
    if total:
        before = total if mode == "causal" else total // 2
        x = e.call(F.pad, x, (before, total - before), shape=(length + total, x.channels), suffix="pad")
    module = nn.Conv1d(x.channels, filters, kernel, stride, 0, dilation, groups, bias="bias" in w, device="meta")
    filled(module, weight=w["kernel"].transpose(2, 1, 0), bias=w.get("bias"))
    return activated(e, e.layer(module, x, ((x.shape[0] - span) // stride + 1, filters)))


def conv2d_transpose(e: Emit, x: Value) -> Value:
    """'same' makes size * stride: what is too much is cut off, the odd pixel at the bottom and right."""
    kernel, stride, dilation = window(e)
    filters = e.settings.whole("filters")
    e.rank(x, 3)
    if "output_padding" in e.settings:
        raise e.refuse("it sets output_padding, which is not on Cutaway's list.")
    w = e.weights(kernel=(*kernel, filters, x.channels), bias=(filters,))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    extra = [max(s - k, 0) for k, s in zip(spans, stride)]
    full = [(n - 1) * s + k + more for n, s, k, more in zip(x.shape, stride, spans, extra)]
    cut = [max(k - s, 0) if _is_same(e) else 0 for k, s in zip(spans, stride)]
    module = nn.ConvTranspose2d(
        x.channels,
        filters,
        kernel,
        stride,
        _pair(c // 2 for c in cut),
        _pair(extra),
        1,
        "bias" in w,
        dilation,
        device="meta",
    )
    filled(module, weight=w["kernel"].transpose(3, 2, 0, 1), bias=w.get("bias"))
    y = e.layer(module, x, (*(n - c // 2 * 2 for n, c in zip(full, cut)), filters))
    if any(c % 2 for c in cut):
        size = [n - c for n, c in zip(full, cut)]
        y = e.layer(nn.ZeroPad2d((0, -(cut[1] % 2), 0, -(cut[0] % 2))), y, (*size, filters), "crop")
    return activated(e, y)


def dense(e: Emit, x: Value) -> Value:
    """On maps a dense layer works on each pixel: it becomes a convolution with a window of 1."""
    units, rank = e.settings.whole("units"), e.rank(x, 1, 2, 3)
    w = e.weights(kernel=(x.channels, units), bias=(units,))
    kind: Any = (nn.Linear, nn.Conv1d, nn.Conv2d)[rank - 1]
    window = (1,) if rank > 1 else ()
    module = kind(x.channels, units, *window, bias="bias" in w, device="meta")
    weight = w["kernel"].transpose(1, 0).reshape(units, x.channels, *[1] * (rank - 1))
    return activated(e, e.layer(filled(module, weight=weight, bias=w.get("bias")), x, (*x.shape[:-1], units)))


def batch_normalization(e: Emit, x: Value) -> Value:
    """Keras keeps a share `momentum` of the old statistics, torch replaces a share: 0.99 becomes 0.01."""
    rank = e.rank(x, 1, 2, 3)
    if e.settings.axes("axis", -1, rank + 1) != (rank,):
        raise e.refuse(
            "it normalises along another axis than the channels (channels_first); only channels_last can be opened."
        )
    size = (x.channels,)
    w = e.weights(gamma=size, beta=size, moving_mean=size, moving_variance=size)
    kind: Any = nn.BatchNorm2d if rank == 3 else nn.BatchNorm1d
    module = kind(x.channels, e.settings.number("epsilon", 1e-3), 1 - e.settings.number("momentum", 0.99))
    filled(
        module,
        weight=w.get("gamma"),
        bias=w.get("beta"),
        running_mean=w["moving_mean"],
        running_var=w["moving_variance"],
    )
    return e.layer(module, x, x.shape)


def layer_normalization(e: Emit, x: Value) -> Value:
    rank = e.rank(x, 1, 2, 3)
    axes = e.settings.axes("axis", -1, rank + 1)
    if axes != tuple(range(rank + 1 - len(axes), rank + 1)):
        raise e.refuse("it normalises along another axis than the last ones, which is not on Cutaway's list.")
    size = x.shape[rank - len(axes) :]
    w = e.weights(gamma=size, beta=size)
    module = nn.LayerNorm(size, e.settings.number("epsilon", 1e-3))
    filled(module, weight=w.get("gamma"), bias=w.get("beta"))
    if rank == 1:
        return e.layer(module, x, x.shape)
    last = e.call(torch.permute, x, (0, *range(2, rank + 1), 1), shape=x.shape, suffix="channels_last")
    done = e.layer(module, last, x.shape)
    return e.call(torch.permute, done, (0, rank, *range(1, rank)), shape=x.shape, suffix="channels_first")


def layer_scale(e: Emit, x: Value) -> Value:
    """ConvNeXt's one factor a channel, as a convolution with a window of 1 and a group for each channel."""
    e.rank(x, 3)
    w = e.weights(gamma=(x.channels,))
    module = nn.Conv2d(x.channels, x.channels, 1, groups=x.channels, bias=False, device="meta")
    return e.layer(filled(module, weight=w["gamma"].reshape(-1, 1, 1, 1)), x, x.shape)


def multiply_add(e: Emit, x: Value, op: str, number: float | tuple[float, ...], number_first: bool) -> Value:
    """A bare arithmetic call with one number, or one a channel (Keras' preprocess_input leaves such)."""
    if isinstance(number, tuple):
        return _by_channel(e, x, op, number, number_first)
    function = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}[op]
    if op == "div" and number == 0 and not number_first:
        raise e.refuse("it divides by zero.")
    args = (number, x) if number_first else (x, number)
    return e.call(function, *args, shape=x.shape)


def _by_channel(e: Emit, x: Value, op: str, numbers: tuple[float, ...], first: bool) -> Value:
    if len(numbers) != x.channels:
        raise e.refuse(f"it takes numbers of another shape than one for each of the {x.channels} channels.")
    if op == "div" and (first or 0 in numbers):
        raise e.refuse("it divides by zero, or numbers by a value, which is not on Cutaway's list.")
    scale: tuple[float, ...] = (-1.0,) if op == "sub" and first else (1.0,)
    offset: tuple[float, ...] = (0.0,)
    if op in ("add", "sub"):
        offset = tuple(-n for n in numbers) if op == "sub" and not first else numbers
    else:
        scale = numbers if op == "mul" else tuple(1 / n for n in numbers)
    return e.layer(Rescale(scale, offset), x, x.shape)


def window(e: Emit) -> tuple[Pair, Pair, Pair]:
    """Kernel size, strides and dilation of a 2-D layer that must be channels_last."""
    channels_last(e)
    return e.settings.pair("kernel_size"), e.settings.pair("strides", 1), e.settings.pair("dilation_rate", 1)


def channels_last(e: Emit) -> None:
    if e.settings.word("data_format", "channels_last", ("channels_last", "channels_first")) == "channels_first":
        raise e.refuse("it is channels_first; only channels_last can be opened.")


def padded(e: Emit, x: Value, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[Value, Pair, Pair]:
    """Value, window -> (value, torch padding, size after the window); a SamePad2d `<name>_pad` where torch cannot."""
    if not _is_same(e):
        size = _pair((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape, kernel, stride, dilation))
        return x, (0, 0), size
    size = _pair(-(-n // s) for n, s in zip(x.shape, stride))
    if all(k == 1 for k in kernel):
        return x, (0, 0), size
    if stride == (1, 1) and all(d * (k - 1) % 2 == 0 for k, d in zip(kernel, dilation)):
        return x, _pair(d * (k - 1) // 2 for k, d in zip(kernel, dilation)), size
    totals = [same_total(n, k, s, d) for n, k, s, d in zip(x.shape, kernel, stride, dilation)]
    grown = (x.shape[0] + totals[0], x.shape[1] + totals[1], x.channels)
    return e.layer(SamePad2d(kernel, stride, dilation), x, grown, "pad"), (0, 0), size


def same_total(size: int, kernel: int, stride: int, dilation: int) -> int:
    """TensorFlow's 'same': pixels added to a side of `size` so that ceil(size / stride) windows fit."""
    return max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)


def _must_divide(e: Emit, channels: int, filters: int, groups: int) -> None:
    if channels % groups or filters % groups:
        raise e.refuse(f"{channels} channels and {filters} filters cannot be divided into {groups} groups.")


def _is_same(e: Emit) -> bool:
    return e.settings.word("padding", "valid", ("valid", "same")) == "same"


def _pair(values: Any) -> Pair:
    first, second = values
    return first, second
