"""Keras layers that pool, pad, reshape, merge or preprocess -> torch layers and listed functions."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import torch
from torch import nn

from cutaway.formats.keras_activation import channels_first
from cutaway.formats.keras_conv import channels_last, same_total
from cutaway.formats.keras_emit import Emit, Value
from cutaway.graph.extra import ChannelsLastFlatten, Rescale, SamePad2d, SamePool2d


def identity(e: Emit, x: Value) -> Value:
    """Layers that only act while training (noise, random flips) pass their input on."""
    return e.layer(nn.Identity(), x, x.shape)


def dropout(e: Emit, x: Value) -> Value:
    kind = {"SpatialDropout2D": nn.Dropout2d, "AlphaDropout": nn.AlphaDropout}.get(e.kind, nn.Dropout)
    rate = e.settings.number("rate")
    if not 0 <= rate <= 1:
        raise e.settings.bad("rate", "from 0 to 1", rate)
    return e.layer(kind(rate), x, x.shape)


def max_pooling(e: Emit, x: Value) -> Value:
    e.rank(x, 3)
    pool, stride, same = _pool(e)
    if not same:
        size = _valid(x, pool, stride)
        return e.layer(nn.MaxPool2d(pool, stride), x, (*size, x.channels))
    size = _same(x, stride)
    if _symmetric(pool, stride):
        return e.layer(nn.MaxPool2d(pool, stride, (pool[0] // 2, pool[1] // 2)), x, (*size, x.channels))
    totals = [same_total(n, k, s, 1) for n, k, s in zip(x.shape, pool, stride)]
    grown = (x.shape[0] + totals[0], x.shape[1] + totals[1], x.channels)
    x = e.layer(SamePad2d(pool, stride, value=-math.inf), x, grown, "pad")
    return e.layer(nn.MaxPool2d(pool, stride), x, (*size, x.channels))


def average_pooling(e: Emit, x: Value) -> Value:
    """'same' counts only the pixels inside the picture."""
    e.rank(x, 3)
    pool, stride, same = _pool(e)
    if not same:
        size = _valid(x, pool, stride)
        return e.layer(nn.AvgPool2d(pool, stride), x, (*size, x.channels))
    shape = (*_same(x, stride), x.channels)
    if _symmetric(pool, stride):
        half = (pool[0] // 2, pool[1] // 2)
        return e.layer(nn.AvgPool2d(pool, stride, half, count_include_pad=False), x, shape)
    return e.layer(SamePool2d(pool, stride), x, shape)


def _pool(e: Emit) -> tuple[tuple[int, int], tuple[int, int], bool]:
    channels_last(e)
    pool = e.settings.pair("pool_size", 2)
    same = e.settings.word("padding", "valid", ("valid", "same")) == "same"
    return pool, e.settings.pair("strides", pool), same


def _symmetric(pool: tuple[int, int], stride: tuple[int, int]) -> bool:
    return stride == (1, 1) and pool[0] % 2 == pool[1] % 2 == 1


def _same(x: Value, stride: tuple[int, int]) -> tuple[int, int]:
    return -(-x.shape[0] // stride[0]), -(-x.shape[1] // stride[1])


def _valid(x: Value, pool: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int]:
    return (x.shape[0] - pool[0]) // stride[0] + 1, (x.shape[1] - pool[1]) // stride[1] + 1


def global_pooling(e: Emit, x: Value) -> Value:
    """Two layers: the pooling under the layer's name, then `<name>_flatten` unless keepdims."""
    e.rank(x, 3)
    channels_last(e)
    module = nn.AdaptiveAvgPool2d(1) if "Average" in e.kind else nn.AdaptiveMaxPool2d(1)
    y = e.layer(module, x, (1, 1, x.channels))
    return y if e.settings.flag("keepdims", False) else e.layer(nn.Flatten(), y, (x.channels,), "flatten")


def zero_padding(e: Emit, x: Value) -> Value:
    return _framed(e, x, e.settings.sides("padding"))


def cropping(e: Emit, x: Value) -> Value:
    top, bottom, left, right = e.settings.sides("cropping")
    return _framed(e, x, (-top, -bottom, -left, -right))


def _framed(e: Emit, x: Value, sides: tuple[int, int, int, int]) -> Value:
    e.rank(x, 3)
    channels_last(e)
    top, bottom, left, right = sides
    shape = (x.shape[0] + top + bottom, x.shape[1] + left + right, x.channels)
    return e.layer(nn.ZeroPad2d((left, right, top, bottom)), x, shape)


def up_sampling(e: Emit, x: Value) -> Value:
    e.rank(x, 3)
    channels_last(e)
    high, wide = e.settings.pair("size", 2)
    mode = e.settings.word("interpolation", "nearest", ("nearest", "bilinear"))
    align = False if mode == "bilinear" else None
    module = nn.Upsample(scale_factor=(float(high), float(wide)), mode=mode, align_corners=align)
    return e.layer(module, x, (x.shape[0] * high, x.shape[1] * wide, x.channels))


def resizing(e: Emit, x: Value) -> Value:
    e.rank(x, 3)
    channels_last(e)
    size = (e.settings.whole("height"), e.settings.whole("width"))
    mode = e.settings.word("interpolation", "bilinear", ("nearest", "bilinear"))
    for key in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        if e.settings.flag(key, False):
            raise e.refuse(f"it sets {key}, which is not on Cutaway's list.")
    mode = "nearest-exact" if mode == "nearest" else mode
    module = nn.Upsample(size, mode=mode, align_corners=False if mode == "bilinear" else None)
    return e.layer(module, x, (*size, x.channels))


def flatten(e: Emit, x: Value) -> Value:
    if len(x.shape) == 1:
        return identity(e, x)
    return e.layer(ChannelsLastFlatten(), x, (math.prod(x.shape),))


def reshape(e: Emit, x: Value) -> Value:
    """Numbers keep Keras' order (channels last), so the value is turned there and back."""
    target = e.settings.raw("target_shape")
    if not isinstance(target, list | tuple) or not 1 <= len(target) <= 4 or not all(type(n) is int for n in target):
        raise e.settings.bad("target_shape", "1 to 4 whole numbers", target)
    count, known = math.prod(x.shape), math.prod(n for n in target if n != -1)
    if -1 in target and known > 0:
        target = [count // known if n == -1 else n for n in target]
    if min(target) < 1 or math.prod(target) != count:
        raise e.refuse(f"it cannot turn a value of shape {x.shape} into {tuple(target)}.")
    y = x
    if len(x.shape) > 1:
        y = e.call(torch.permute, y, (0, *range(2, len(x.shape) + 1), 1), shape=x.shape, suffix="channels_last")
    y = e.call(torch.reshape, y, (-1, *target), shape=target)
    if len(target) > 1:
        rank = len(target)
        y = e.call(torch.permute, y, (0, rank, *range(1, rank)), shape=target, suffix="channels_first")
    return y


def permute(e: Emit, x: Value) -> Value:
    dims, rank = e.settings.raw("dims"), len(x.shape)
    if not isinstance(dims, list | tuple) or sorted(d for d in dims if type(d) is int) != list(range(1, rank + 1)):
        raise e.settings.bad("dims", f"the axes 1 to {rank} in some order", dims)
    to_first = [0, rank, *range(1, rank)]
    order = [channels_first(d, rank + 1) if d else 0 for d in ([0, *dims][axis] for axis in to_first)]
    return e.call(torch.permute, x, tuple(order), shape=[x.shape[d - 1] for d in dims])


def rescaling(e: Emit, x: Value) -> Value:
    return _rescaled(e, x, e.settings.numbers("scale"), e.settings.numbers("offset", 0.0))


def normalization(e: Emit, x: Value) -> Value:
    """(x - mean) / max(sqrt(variance), 1e-7), as one multiply and one add."""
    if e.settings.flag("invert", False) or e.settings.axes("axis", -1, len(x.shape) + 1) != (len(x.shape),):
        raise e.refuse(
            "it is inverted or keeps numbers for another axis than the channels, which is not on Cutaway's list."
        )
    if "mean" in e.settings:
        mean, variance = e.settings.numbers("mean"), e.settings.numbers("variance")
    else:
        w = e.weights(mean=(x.channels,), variance=(x.channels,))
        mean, variance = w["mean"].tolist(), w["variance"].tolist()
    if not all(math.isfinite(v) for v in (*mean, *variance)) or min(variance) < 0 or len(mean) != len(variance):
        raise e.refuse("its mean and variance are not finite, or the variance is negative.")
    deviation = [max(math.sqrt(v), 1e-7) for v in variance]
    return _rescaled(e, x, [1 / d for d in deviation], [-m / d for m, d in zip(mean, deviation)])


def _rescaled(e: Emit, x: Value, scale: Sequence[float], offset: Sequence[float]) -> Value:
    for numbers in (scale, offset):
        if len(numbers) not in (1, x.channels):
            raise e.refuse(f"it has {len(numbers)} numbers for {x.channels} channels.")
    return e.layer(Rescale(tuple(scale), tuple(offset)), x, x.shape)


_MERGE = {
    "Add": operator.add,
    "Average": operator.add,
    "Multiply": operator.mul,
    "Subtract": operator.sub,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
}


def merge(e: Emit, *values: Value) -> Value:
    """Element by element; sides of 1 stretch (squeeze-and-excite multiplies a map by one number a channel)."""
    if e.kind == "Subtract" and len(values) != 2:
        raise e.refuse(f"it subtracts one value from another; it gets {len(values)}.")
    y = values[0]
    for n, x in enumerate(values[1:], 2):
        fits = len(x.shape) == len(y.shape) and all(a == b or 1 in (a, b) for a, b in zip(x.shape, y.shape))
        if not fits:
            raise e.refuse(f"it cannot join values of shapes {y.shape} and {x.shape}.")
        shape = [max(a, b) for a, b in zip(x.shape, y.shape)]
        last = n == len(values) and e.kind != "Average"
        y = e.call(_MERGE[e.kind], y, x, shape=shape, suffix="" if last else f"sum{n}")
    return e.call(operator.truediv, y, float(len(values)), shape=y.shape) if e.kind == "Average" else y


def concatenate(e: Emit, *values: Value) -> Value:
    rank = len(values[0].shape) + 1
    (axis, *more) = e.settings.axes("axis", -1, rank)
    others = {(*v.shape[: axis - 1], *v.shape[axis:]) for v in values}
    if more or len(others) > 1 or any(len(v.shape) + 1 != rank for v in values):
        raise e.refuse(f"it cannot join values of shapes {', '.join(str(v.shape) for v in values)}.")
    shape = list(values[0].shape)
    shape[axis - 1] = sum(v.shape[axis - 1] for v in values)
    return e.call(torch.cat, list(values), channels_first(axis, rank), shape=shape)
