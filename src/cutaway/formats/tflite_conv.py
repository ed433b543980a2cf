"""TFLite convolutions, dense layers and pools -> torch layers with their weights turned to torch's layout.

'SAME' puts the odd pixel at the bottom and right and depends on the input's size; it becomes torch's own padding only
where the two are equal for every size (stride 1, odd window), else a SamePad2d layer before the convolution.
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from cutaway.formats.keras_emit import filled
from cutaway.formats.tflite_activation import fused
from cutaway.formats.tflite_emit import Array, Emit, Table, Value
from cutaway.formats.tflite_shape import flattened
from cutaway.graph.extra import SamePad2d, SamePool2d

Pair = tuple[int, int]
_LONGEST = 4096


def _conv(e: Emit) -> Value:
    x, w = _map(e), _weights(e, 4)  # w: (O, kh, kw, I / groups)
    made, per_group = w.shape[0], w.shape[3]
    if x.shape[3] % per_group or made % (x.shape[3] // per_group):
        raise e.bad(f"its weights of shape {w.shape} do not fit an input of {x.shape[3]} channels.")
    groups = x.shape[3] // per_group
    return _convolved(e, x, w.transpose(0, 3, 1, 2), groups, "Conv2DOptions")


def _depthwise(e: Emit) -> Value:
    x, w = _map(e), _weights(e, 4)  # w: (1, kh, kw, C * multiplier)
    if w.shape[0] != 1 or w.shape[3] % x.shape[3]:
        raise e.bad(f"its weights of shape {w.shape} do not fit an input of {x.shape[3]} channels.")
    return _convolved(e, x, w.transpose(3, 0, 1, 2), x.shape[3], "DepthwiseConv2DOptions")


def _convolved(e: Emit, x: Value, weight: Array, groups: int, cls: str) -> Value:
    made, kernel = weight.shape[0], (weight.shape[2], weight.shape[3])
    dilation = _pair(e, cls, "DilationHFactor", "DilationWFactor")
    bias = _bias(e, 2, made)
    x, stride, padding, size = _windowed(e, x, kernel, dilation, cls)
    module = nn.Conv2d(
        x.shape[3], made, kernel, stride, padding, dilation, groups, bias=bias is not None, device="meta"
    )
    filled(module, weight=weight, bias=bias)
    return fused(e, e.layer(module, x, (x.shape[0], *size, made)), cls)


def _transposed(e: Emit) -> Value:
    """Operands: size of the output, weights (O, kh, kw, I), input, bias. What is too much is cut off."""
    target, w, x = e.wholes(0, "output sizes"), _weights(e, 4, 1), _map(e, 2)
    stride = _pair(e, "TransposeConvOptions", "StrideH", "StrideW")
    kernel, made = (w.shape[1], w.shape[2]), w.shape[0]
    if w.shape[3] != x.shape[3]:
        raise e.bad(f"its weights of shape {w.shape} do not fit an input of {x.shape[3]} channels.")
    full = [(n - 1) * s + k for n, s, k in zip(x.shape[1:3], stride, kernel, strict=True)]
    if len(target) != 4 or target[3] != made or any(f < n for f, n in zip(full, target[1:3], strict=True)):
        raise e.stop(f"it makes {tuple(target)} of a window's {(*full, made)}, which is not on Cutaway's list.")
    cut = [f - n for f, n in zip(full, target[1:3], strict=True)]
    half = (cut[0] // 2, cut[1] // 2)
    if any(c > k for c, k in zip(cut, kernel, strict=True)):
        raise e.bad(f"it would cut {tuple(cut)} pixels off, more than its window {kernel}.")
    bias = _bias(e, 3, made)
    module = nn.ConvTranspose2d(x.shape[3], made, kernel, stride, half, bias=bias is not None, device="meta")
    filled(module, weight=w.transpose(3, 0, 1, 2), bias=bias)
    y = e.layer(module, x, (x.shape[0], full[0] - 2 * half[0], full[1] - 2 * half[1], made))
    if cut[0] % 2 or cut[1] % 2:
        y = e.layer(nn.ZeroPad2d((0, -(cut[1] % 2), 0, -(cut[0] % 2))), y, (x.shape[0], *target[1:3], made), "crop")
    return fused(e, y, "TransposeConvOptions")


def _dense(e: Emit) -> Value:
    """Works along the last axis, or on everything at once; on maps it becomes a convolution with a window of 1."""
    cls, x, w = "FullyConnectedOptions", e.value(0, merged=True), _weights(e, 2)  # w: (O, I)
    if e.number(cls, "WeightsFormat"):
        raise e.stop("its weights are shuffled for one kind of processor, which is not on Cutaway's list.")
    made, taken = w.shape
    keeps = bool(e.number(cls, "KeepNumDims")) or x.merged > 0
    if not keeps and x.rank > 2 and math.prod(x.shape[1:]) == taken:
        x = flattened(e, x, "flatten")
    if x.rank < 2 or x.shape[-1] != taken:
        raise e.bad(f"its weights of shape {w.shape} do not fit an input of shape {x.shape}.")
    if x.rank > 2 and not keeps and not x.merged:
        x = Value(x.node, x.shape, x.order, x.made_by, merged=x.rank - 1)
    bias, shape = _bias(e, 2, made), (*x.shape[:-1], made)
    kind: Any = nn.Linear
    if x.rank in (3, 4) and not x.is_plain:
        x, kind = e.first(x), (nn.Conv1d, nn.Conv2d)[x.rank - 3]
    elif x.rank > 2:
        x = e.plain(x)
    window = () if kind is nn.Linear else (1,)
    module = kind(taken, made, *window, bias=bias is not None, device="meta")
    filled(module, weight=w.reshape(made, taken, *[1] * (0 if kind is nn.Linear else x.rank - 2)), bias=bias)
    return fused(e, e.layer(module, x, shape), cls)


def _max_pool(e: Emit) -> Value:
    cls, x = "Pool2DOptions", _map(e)
    kernel = _pair(e, cls, "FilterHeight", "FilterWidth")
    x, stride, padding, size = _windowed(e, x, kernel, (1, 1), cls, -math.inf)
    return fused(e, e.layer(nn.MaxPool2d(kernel, stride, padding), x, (x.shape[0], *size, x.shape[3])), cls)


def _average_pool(e: Emit) -> Value:
    """'SAME' counts only the pixels inside the picture."""
    cls, x = "Pool2DOptions", _map(e)
    kernel = _pair(e, cls, "FilterHeight", "FilterWidth")
    stride, totals, size = _window(e, x, kernel, (1, 1), cls)
    shape = (x.shape[0], *size, x.shape[3])
    if totals is None:
        module: nn.Module = nn.AvgPool2d(kernel, stride)
    elif _symmetric(kernel, stride, (1, 1)):
        module = nn.AvgPool2d(kernel, stride, (kernel[0] // 2, kernel[1] // 2), count_include_pad=False)
    else:
        module = SamePool2d(kernel, stride)
    return fused(e, e.layer(module, x, shape), cls)


def _map(e: Emit, at: int = 0) -> Value:
    x = e.value(at)
    if x.rank != 4:
        raise e.bad(f"it gets a value of shape {x.shape}; it takes maps of four axes.")
    return e.first(x)


def _weights(e: Emit, rank: int, at: int = 1) -> Array:
    w = e.constant(at, "weights")
    if w.ndim != rank or not w.size or w.dtype.kind != "f":
        raise e.bad(f"its weights are {w.dtype} of shape {w.shape}; it takes numbers along {rank} axes.")
    return w


def _bias(e: Emit, at: int, made: int) -> Array | None:
    if not e.has(at):
        return None
    bias = e.constant(at, "biases")
    if bias.size != made or bias.dtype.kind != "f":
        raise e.bad(f"its biases are {bias.size} {bias.dtype} values; it takes {made} numbers.")
    return bias.reshape(-1)


def _pair(e: Emit, cls: str, high: str, wide: str) -> Pair:
    pair = (int(e.number(cls, high, 1)), int(e.number(cls, wide, 1)))
    if not all(1 <= n <= _LONGEST for n in pair):
        raise e.bad(f"its {high} and {wide} are {pair}; whole numbers from 1 to {_LONGEST} are accepted.")
    return pair


def _window(e: Emit, x: Value, kernel: Pair, dilation: Pair, cls: str) -> tuple[Pair, Pair | None, Pair]:
    """-> (stride, pixels that 'SAME' adds to height and width or None where nothing ever is, size after the window)."""
    stride = _pair(e, cls, "StrideH", "StrideW")
    same = e.number(cls, "Padding") == 0
    totals, sizes = [], []
    for n, k, s, d in zip(x.shape[1:3], kernel, stride, dilation, strict=True):
        span = d * (k - 1) + 1
        sizes.append(-(-n // s) if same else (n - span) // s + 1)
        totals.append(max((sizes[-1] - 1) * s + span - n, 0) if same else 0)
    e.checked((x.shape[0], x.shape[1] + totals[0], x.shape[2] + totals[1], x.shape[3]))
    return stride, (totals[0], totals[1]) if same and kernel != (1, 1) else None, (sizes[0], sizes[1])


def _windowed(
    e: Emit, x: Value, kernel: Pair, dilation: Pair, cls: str, border: float = 0.0
) -> tuple[Value, Pair, Pair, Pair]:
    """-> (value, stride, torch padding, size after the window), with a SamePad2d `<name>_pad` where torch cannot."""
    stride, totals, size = _window(e, x, kernel, dilation, cls)
    if totals is None:
        return x, stride, (0, 0), size
    if _symmetric(kernel, stride, dilation):
        padding = (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2)
        return x, stride, padding, size
    grown = (x.shape[0], x.shape[1] + totals[0], x.shape[2] + totals[1], x.shape[3])
    return e.layer(SamePad2d(kernel, stride, dilation, border), x, grown, "pad"), stride, (0, 0), size


def _symmetric(kernel: Pair, stride: Pair, dilation: Pair) -> bool:
    return stride == (1, 1) and all(d * (k - 1) % 2 == 0 for k, d in zip(kernel, dilation, strict=True))


TABLE: Table = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _max_pool,
    "AVERAGE_POOL_2D": _average_pool,
}
