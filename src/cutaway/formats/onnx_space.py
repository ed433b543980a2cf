"""ONNX padding, resizing, reductions and quantised values -> torch layers and functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from cutaway.formats.onnx_errors import BATCH, Refused
from cutaway.formats.onnx_node import Op, on_meta
from cutaway.formats.onnx_values import Value

_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def pad(op: Op) -> Value:
    x = op.value(0)
    rank = len(x.shape)
    if op.opset < 11:
        sides, value = op.ints_of("pads", (), 2 * rank), op.real("value", 0.0)
        axes = list(range(rank))
    else:
        value = op.number_at(2, "value", 0.0)
        axes = op.axes(op.ints(3, "list of axes"), rank) if op.has(3) else list(range(rank))
        sides = op.ints(1, "padding")
    if len(sides) != 2 * len(axes):
        raise Refused(f"has {len(sides)} paddings for {len(axes)} axes.")
    begin, end = [0] * rank, [0] * rank
    for at, axis in enumerate(axes):
        begin[axis], end[axis] = sides[at], sides[at + len(axes)]
    word = op.word("mode", "constant")
    if word not in _MODES:
        raise Refused(f"pads by {word!r}, which does not exist.")
    if not any(begin) and not any(end):
        return x
    return _padded(op, x, begin, end, _MODES[word], value)


def _padded(op: Op, x: Value, begin: list[int], end: list[int], mode: str, value: float) -> Value:
    rank = len(x.shape)
    if begin[0] or end[0]:
        raise Refused("adds pictures.")
    only_space = rank == 4 and not any(begin[:2] + end[:2])
    if only_space and not x.known and min(begin + end) >= 0:
        border = (begin[3], end[3], begin[2], end[2])
        layers: dict[str, Any] = {"reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d}
        if mode in layers:
            return op.layer(layers[mode](border), x)
        if mode == "constant":
            return op.layer(nn.ConstantPad2d(border, value) if value else nn.ZeroPad2d(border), x)
    first = next(i for i in range(rank) if begin[i] or end[i])
    flat = [n for i in reversed(range(first, rank)) for n in (begin[i], end[i])]
    if mode != "constant":
        flat = [n for i in reversed(range(2, rank)) for n in (begin[i], end[i])]
        if first < 2:
            raise Refused(f"pads channels by {mode!r}, which is not on Cutaway's list.")
        return op.call(nn.functional.pad, x, flat, mode)
    return op.call(nn.functional.pad, x, flat, mode, value)


def resize(op: Op) -> Value:
    x = op.value(0)
    rank = op.rank(x, 3, 4)
    scales, sizes = _scales_and_sizes(op, x)
    if [round(n) for n in sizes[:2]] != list(x.shape[:2]):
        raise Refused("resizes pictures or channels, not height and width.")
    target = tuple(sizes[2:])
    if target == x.shape[2:]:
        return x
    how = "asymmetric" if op.kind == "Upsample" or op.opset < 11 else "half_pixel"
    how = op.word("coordinate_transformation_mode", how)
    mode = op.word("mode", "nearest")
    if op.whole("antialias", 0) or op.whole("exclude_outside", 0) or how == "tf_crop_and_resize":
        raise Refused("resizes with antialias, exclude_outside or a crop, which is not on Cutaway's list.")
    whole = all(t % n == 0 for t, n in zip(target, x.shape[2:]))
    if mode == "nearest":
        floor = op.kind == "Upsample" or op.opset < 11 or op.word("nearest_mode", "round_prefer_floor") == "floor"
        rounds = op.word("nearest_mode", "round_prefer_floor").startswith("round")
        if not (how == "asymmetric" and floor) and not (whole and "half_pixel" in how and rounds):
            raise Refused(f"resizes to the nearest pixel by {how!r}, which is not on Cutaway's list.")
        return _upsampled(op, x, scales, target, "nearest", None)
    kind = {"linear": "linear" if rank == 3 else "bilinear", "cubic": "bicubic"}.get(mode)
    if kind is None or (kind == "bicubic" and (rank != 4 or abs(op.real("cubic_coeff_a", -0.75) + 0.75) > 1e-6)):
        raise Refused(f"resizes by {mode!r}, which is not on Cutaway's list.")
    half = how == "half_pixel" or (how == "pytorch_half_pixel" and min(target) > 1)
    if not half and how != "align_corners":
        raise Refused(f"resizes by {mode!r} with {how!r}, which is not on Cutaway's list.")
    return _upsampled(op, x, scales, target, kind, how == "align_corners")


def _upsampled(
    op: Op, x: Value, scales: list[float], target: tuple[int, ...], mode: str, corners: bool | None
) -> Value:
    whole = bool(scales) and all(float(s).is_integer() for s in scales[2:])
    if whole:
        return op.layer(nn.Upsample(None, tuple(scales[2:]), mode, corners), x)
    if scales and not all(abs(n * s - t) < 1e-3 for n, s, t in zip(x.shape[2:], scales[2:], target)):
        return op.layer(nn.Upsample(None, tuple(scales[2:]), mode, corners, True), x)
    return op.layer(nn.Upsample(target, None, mode, corners), x)


def _scales_and_sizes(op: Op, x: Value) -> tuple[list[float], list[int]]:
    rank = len(x.shape)
    if op.kind == "Upsample" and op.opset < 9:
        scales = op.floats_of("scales")
    elif op.kind == "Resize" and op.opset >= 11 and op.has(3) and op.known(3, "size").tensor.numel():
        if op.word("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise Refused("keeps the aspect ratio while resizing, which is not on Cutaway's list.")
        sizes = op.ints(3, "size")
        axes = op.axes(op.ints_of("axes", range(rank)), rank)
        if len(sizes) != len(axes) or min(sizes, default=0) < 1:
            raise Refused(f"resizes a value with {rank} axes to {sizes[:16]}.")
        full = list(x.shape)
        for axis, n in zip(axes, sizes):
            full[axis] = n if full[axis] % BATCH or n != op.batch else full[axis]
        return [], full
    else:
        at = 2 if op.kind == "Resize" and op.opset >= 11 else 1
        found = op.known(at, "scale").tensor
        scales = [float(v) for v in found.reshape(-1)[:16].tolist()]
    axes = op.axes(op.ints_of("axes", range(rank)), rank)
    if len(scales) != len(axes) or not all(0 < s < 1e6 for s in scales):
        raise Refused(f"resizes a value with {rank} axes by {scales[:16]}.")
    full_scales = [1.0] * rank
    for axis, s in zip(axes, scales):
        full_scales[axis] = s
    return full_scales, [n if s == 1 else math.floor(n * s + 1e-6) for n, s in zip(x.shape, full_scales)]


def reduced(function: Callable[..., Any], axes_as_input: int) -> Callable[[Op], Value]:
    """A reduction whose axes are an input from opset `axes_as_input` on, a setting before."""

    def build(op: Op) -> Value:
        x = op.value(0)
        rank = len(x.shape)
        given = op.ints(1, "list of axes") if op.opset >= axes_as_input and op.has(1) else op.ints_of("axes")
        if not given and op.whole("noop_with_empty_axes", 0):
            return x
        axes = sorted(op.axes(given, rank)) if given else list(range(rank))
        if not x.known and 0 in axes and x.shape[0] == BATCH:
            raise Refused("sums up over the pictures.")
        kept = bool(op.whole("keepdims", 1))
        if function is torch.mean and kept and rank == 4 and axes == [2, 3] and not x.known:
            return op.layer(nn.AdaptiveAvgPool2d(1), x)
        if function is torch.prod:
            return _multiplied(x, axes, kept)
        return op.call(function, x, tuple(axes), keepdim=kept)

    return build


def _multiplied(x: Value, axes: Sequence[int], kept: bool) -> Value:
    if not x.known:
        raise Refused("multiplies the picture's values with one another, which is not on Cutaway's list.")
    found = x.tensor
    for axis in reversed(axes):
        found = torch.prod(found, axis, keepdim=kept)
    return Value(found, of_batch=x.of_batch)


def reduced_l2(op: Op) -> Value:
    x = op.value(0)
    given = op.ints(1, "list of axes") if op.opset >= 18 and op.has(1) else op.ints_of("axes")
    axes = op.axes(given, len(x.shape))
    if not axes or 0 in axes:
        raise Refused("sums up over the pictures.")
    squares = op.call(torch.pow, x, 2.0, suffix="square")
    total = op.call(torch.sum, squares, tuple(axes), keepdim=bool(op.whole("keepdims", 1)), suffix="sum")
    return total if op.kind == "ReduceSumSquare" else op.call(torch.sqrt, total)


def dequantize(op: Op) -> Value:
    """(x - zero) * scale of the file's numbers; on the picture's values, what QuantizeLinear left is kept as it is."""
    x = op.value(0)
    if not x.known:
        return x
    scale, zero = op.known(1, "scale"), op.known(2, "zero point") if op.has(2) else None
    axis = op.axis(op.whole("axis", 1), len(x.shape)) if len(x.shape) > 0 and scale.tensor.numel() > 1 else 0
    if op.whole("block_size", 0) or len(scale.shape) > 1:
        raise Refused("keeps a scale for every block of numbers, which is not on Cutaway's list.")
    if scale.tensor.numel() > 1 and scale.tensor.numel() != x.shape[axis]:
        raise Refused(f"has {scale.tensor.numel()} scales for {x.shape[axis]} channels.")
    op.tape.must_fit(x.tensor.numel(), 8)
    form = [1] * len(x.shape)
    if scale.tensor.numel() > 1:
        form[axis] = -1
    numbers = x.tensor.float()
    if zero is not None:
        numbers = numbers - zero.tensor.float().reshape(form if zero.tensor.numel() > 1 else [])
    made = numbers * scale.tensor.float().reshape(form if scale.tensor.numel() > 1 else [])
    return Value(made, origin=x.origin.removesuffix("_quantized"))


def quantize(op: Op) -> Value:
    """The picture's values are cut to the range that the whole numbers can say; they are not rounded."""
    x, scale = op.value(0), op.known(1, "scale")
    zero = op.known(2, "zero point") if op.has(2) else Value(torch.zeros((), dtype=torch.uint8))
    step, middle = scale.number, zero.number
    if x.known or step is None or middle is None or not step > 0 or zero.tensor.dtype not in (torch.uint8, torch.int8):
        raise Refused("turns values into whole numbers in a way that is not on Cutaway's list.")
    low, high = (0, 255) if zero.tensor.dtype == torch.uint8 else (-128, 127)
    return op.layer(on_meta(nn.Hardtanh, (low - middle) * step, (high - middle) * step), x)


OPERATORS: dict[str, Callable[[Op], Value]] = {
    "Pad": pad,
    "Resize": resize,
    "Upsample": resize,
    "ReduceMean": reduced(torch.mean, 18),
    "ReduceSum": reduced(torch.sum, 13),
    "ReduceMax": reduced(torch.amax, 18),
    "ReduceMin": reduced(torch.amin, 18),
    "ReduceProd": reduced(torch.prod, 18),
    "ReduceL2": reduced_l2,
    "ReduceSumSquare": reduced_l2,
    "DequantizeLinear": dequantize,
    "QuantizeLinear": quantize,
}
