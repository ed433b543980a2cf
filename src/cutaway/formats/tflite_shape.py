"""TFLite operators that move or gather numbers (reshape, slice, pad, join, mean) -> torch layers and calls."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from cutaway.formats.tflite_activation import fused
from cutaway.formats.tflite_emit import Emit, Table, Value, channels_first
from cutaway.formats.tflite_slices import picked_shape, strided
from cutaway.graph.extra import ChannelsLastFlatten


def flattened(e: Emit, x: Value, suffix: str = "") -> Value:
    """(N, ...) -> (N, F), numbers in TFLite's order (channels last)."""
    shape = (x.shape[0], math.prod(x.shape[1:]))
    if x.in_row:
        return e.layer(nn.Flatten(), x, shape, suffix, (0, 1))
    if x.order == channels_first(x.rank):
        return e.layer(ChannelsLastFlatten(), x, shape, suffix, (0, 1))
    return e.layer(nn.Flatten(), e.plain(x), shape, suffix, (0, 1))


def reshaped(e: Emit, x: Value, target: Sequence[int], suffix: str = "") -> Value:
    """Value -> the same numbers, in TFLite's order, under another shape; the first axis stays the pictures'."""
    target = tuple(target)
    if target == x.shape:
        return replace(x, merged=0)
    if math.prod(target) != math.prod(x.shape) or not target:
        raise e.bad(f"it cannot turn a value of shape {x.shape} into {target}.")
    if target[0] != x.shape[0]:
        for count in range(2, x.rank):
            if target == (math.prod(x.shape[:count]), *x.shape[count:]):
                return replace(x, merged=count)
        raise e.stop(f"it turns {x.shape} into {target}, which mixes pictures, and is not on Cutaway's list.")
    x = replace(x, merged=0)
    if len(target) == 2:
        return flattened(e, x, suffix)
    x = x if x.in_row else e.plain(x)
    first = channels_first(len(target))
    row = [axis for axis in first if target[axis] != 1 or axis == 0]
    order = first if row == sorted(row) else tuple(range(len(target)))
    sizes = (-1, *(target[axis] for axis in order[1:]))
    return e.call(torch.reshape, x, sizes, shape=target, suffix=suffix, order=order)


def _reshape(e: Emit) -> Value:
    x = e.value(0, merged=True)
    target = e.wholes(1, "sizes") if e.has(1) else []
    if not target:
        raise e.stop("it keeps its sizes in the way of very old files, which is not on Cutaway's list.")
    known = math.prod(n for n in target if n != -1)
    if target.count(-1) == 1 and known > 0:
        target[target.index(-1)] = math.prod(x.shape) // known
    return reshaped(e, x, target)


def _squeeze(e: Emit) -> Value:
    x = e.value(0)
    named = [int(a) for a in _squeezed_axes(e)]
    axes = [e.axis(a, x.rank) for a in named] or [a for a in range(1, x.rank) if x.shape[a] == 1]
    if any(x.shape[a] != 1 for a in axes):
        raise e.bad(f"it removes the axes {axes} of a value of shape {x.shape}.")
    return reshaped(e, x, [n for a, n in enumerate(x.shape) if a not in axes])


def _squeezed_axes(e: Emit) -> Sequence[int]:
    found = e.number("SqueezeOptions", "SqueezeDimsAsNumpy", 0)
    return () if isinstance(found, int) else [int(a) for a in found[:16]]


def _expand_dims(e: Emit) -> Value:
    x, (axis, *_) = e.value(0), e.wholes(1, "axis") or [0]
    at = e.axis(axis, x.rank + 1)
    return reshaped(e, x, (*x.shape[:at], 1, *x.shape[at:]))


def _transpose(e: Emit) -> Value:
    """Nothing moves: the axes are only named anew."""
    x, steps = e.value(0), e.wholes(1, "axes")
    if sorted(steps) != list(range(x.rank)):
        raise e.bad(f"it takes the axes of a value of shape {x.shape} in the order {steps}.")
    return transposed(e, x, steps)


def transposed(e: Emit, x: Value, steps: Sequence[int]) -> Value:
    if steps[0] != 0:
        raise e.stop("it moves the first axis, the pictures', which is not on Cutaway's list.")
    return replace(x, shape=tuple(x.shape[s] for s in steps), order=tuple(steps.index(a) for a in x.order))


def _concatenate(e: Emit) -> Value:
    parts = [e.value(at) for at in range(len(e.operands))]
    first = parts[0]
    axis = e.axis(e.number("ConcatenationOptions", "Axis"), first.rank)
    if len({(p.rank, *p.shape[:axis], *p.shape[axis + 1 :]) for p in parts}) > 1:
        raise e.bad(f"it cannot join values of shapes {', '.join(str(p.shape) for p in parts[:8])}.")
    shape = (*first.shape[:axis], sum(p.shape[axis] for p in parts), *first.shape[axis + 1 :])
    nodes = [e.turned(p, first.order).node for p in parts]
    joined = e.join(torch.cat, nodes, first.axis(axis), shape, first.order)
    return fused(e, joined, "ConcatenationOptions")


def _pack(e: Emit) -> Value:
    parts = [e.plain(e.value(at)) for at in range(len(e.operands))]
    if len({p.shape for p in parts}) > 1:
        raise e.bad(f"it cannot stack values of shapes {', '.join(str(p.shape) for p in parts[:8])}.")
    first = parts[0]
    axis = e.axis(e.number("PackOptions", "Axis"), first.rank + 1)
    shape = (*first.shape[:axis], len(parts), *first.shape[axis:])
    return e.join(torch.stack, [p.node for p in parts], axis, shape, range(first.rank + 1))


def _unpack(e: Emit) -> list[Value]:
    x = e.value(0)
    axis = e.axis(e.number("UnpackOptions", "Axis"), x.rank)
    e.must_make(x.shape[axis])
    picks: list[list[slice | int]] = []
    for at in range(x.shape[axis]):
        picks.append([at if a == axis else slice(None) for a in range(x.rank)])
    return [sliced(e, x, pick, f"part{at}") for at, pick in enumerate(picks)]


def _split(e: Emit) -> list[Value]:
    x, (axis, *_) = e.value(1), e.wholes(0, "axis") or [0]
    at, count = e.axis(axis, x.rank), int(e.number("SplitOptions", "NumSplits", 1))
    if count < 1 or x.shape[at] % count:
        raise e.bad(f"it cannot split a value of shape {x.shape} into {count} along axis {at}.")
    e.must_make(count)
    return _pieces(e, x, at, [x.shape[at] // count] * count)


def _split_v(e: Emit) -> list[Value]:
    x, sizes, (axis, *_) = e.value(0), e.wholes(1, "sizes"), e.wholes(2, "axis") or [0]
    at = e.axis(axis, x.rank)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[at] - sum(n for n in sizes if n != -1)
    if any(n < 1 for n in sizes) or sum(sizes) != x.shape[at]:
        raise e.bad(f"it cannot split a value of shape {x.shape} into {sizes} along axis {at}.")
    return _pieces(e, x, at, sizes)


def _pieces(e: Emit, x: Value, axis: int, sizes: list[int]) -> list[Value]:
    e.must_make(len(sizes))
    ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    made = []
    for n, (start, stop) in enumerate(pairwise(ends)):
        pick: list[slice | int] = [slice(start, stop) if a == axis else slice(None) for a in range(x.rank)]
        made.append(sliced(e, x, pick, f"part{n}"))
    return made


def _strided_slice(e: Emit) -> Value:
    x = e.value(0)
    return sliced(e, x, strided(e, x.shape))


def _slice(e: Emit) -> Value:
    x, starts, sizes = e.value(0), e.wholes(1, "starts"), e.wholes(2, "sizes")
    if len(starts) != x.rank or len(sizes) != x.rank:
        raise e.bad(f"it cuts {len(starts)} axes of a value of shape {x.shape}.")
    ends = [n if size == -1 else start + size for n, start, size in zip(x.shape, starts, sizes, strict=True)]
    if any(not 0 <= start < stop <= n for n, start, stop in zip(x.shape, starts, ends, strict=True)):
        raise e.bad(f"it cuts {starts} to {ends} out of a value of shape {x.shape}.")
    return sliced(e, x, [slice(start, stop) for start, stop in zip(starts, ends, strict=True)])


def sliced(e: Emit, x: Value, picks: Sequence[slice | int], suffix: str = "") -> Value:
    """Value, one slice (or place) for each of TFLite's axes -> the part; a place drops its axis."""
    whole = [isinstance(p, slice) and range(n)[p] == range(n) for p, n in zip(picks, x.shape, strict=True)]
    if all(whole):
        return x
    if not whole[0]:
        raise e.stop("it cuts along the first axis, across pictures, which is not on Cutaway's list.")
    index = tuple(slice(None) if whole[axis] else picks[axis] for axis in x.order)
    order = _dropped(x.order, [a for a, p in enumerate(picks) if isinstance(p, int)])
    return e.call(operator.getitem, x, index, shape=picked_shape(picks, x.shape), suffix=suffix, order=order)


def _dropped(order: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(a - sum(d < a for d in axes) for a in order if a not in axes)


def _pad(e: Emit) -> Value:
    x, before, after = _padding(e)
    value = 0.0
    if e.kind == "PADV2":
        filler = e.constant(2, "filler")
        if filler.size != 1:
            raise e.bad(f"it fills its border with {filler.size} numbers; it takes one.")
        value = float(filler.reshape(-1)[0])
    shape = [n + b + a for n, b, a in zip(x.shape, before, after, strict=True)]
    if x.rank == 4 and not before[3] and not after[3]:
        sides = (before[2], after[2], before[1], after[1])
        module = nn.ConstantPad2d(sides, value) if value else nn.ZeroPad2d(sides)
        return e.layer(module, e.first(x), shape)
    everywhere = tuple(n for axis in x.order[::-1] for n in (before[axis], after[axis]))
    return e.call(F.pad, x, everywhere, shape=shape, value=value)


def _mirror_pad(e: Emit) -> Value:
    x, before, after = _padding(e)
    if e.number("MirrorPadOptions", "Mode"):
        raise e.stop("it mirrors the border pixel too (SYMMETRIC), which is not on Cutaway's list.")
    if x.rank != 4 or before[3] or after[3] or any(max(b, a) >= n for n, b, a in zip(x.shape, before, after) if b or a):
        raise e.bad(f"it mirrors {before} and {after} of a value of shape {x.shape}.")
    shape = [n + b + a for n, b, a in zip(x.shape, before, after, strict=True)]
    return e.layer(nn.ReflectionPad2d((before[2], after[2], before[1], after[1])), e.first(x), shape)


def _padding(e: Emit) -> tuple[Value, list[int], list[int]]:
    x, numbers = e.value(0), e.wholes(1, "border sizes")
    if len(numbers) != 2 * x.rank or min(numbers) < 0:
        raise e.bad(f"it adds a border of {numbers} to a value of shape {x.shape}.")
    if numbers[0] or numbers[1]:
        raise e.stop("it adds pictures, which is not on Cutaway's list.")
    return x, numbers[::2], numbers[1::2]


_REDUCERS: dict[str, Callable[..., Any]] = {"MEAN": torch.mean, "SUM": torch.sum, "REDUCE_MAX": torch.amax}


def _reduced(e: Emit) -> Value:
    """Mean and maximum of a map become torch's global pools (and a flatten); other axes a plain call."""
    x = e.value(0)
    axes = sorted({e.axis(a, x.rank) for a in e.wholes(1, "axes")})
    keeps = bool(e.number("ReducerOptions", "KeepDims"))
    if not axes:
        return x
    kept = [1 if a in axes else n for a, n in enumerate(x.shape)]
    shape = [n for a, n in enumerate(kept) if keeps or a not in axes]
    if x.rank == 4 and axes == [1, 2] and e.kind in ("MEAN", "REDUCE_MAX"):
        pool = nn.AdaptiveAvgPool2d(1) if e.kind == "MEAN" else nn.AdaptiveMaxPool2d(1)
        y = e.layer(pool, e.first(x), kept)
        return y if keeps else flattened(e, y, "flatten")
    order = x.order if keeps else _dropped(x.order, axes)
    where = tuple(x.axis(a) for a in axes)
    if e.kind == "REDUCE_MIN":
        lowest = e.call(operator.neg, x, shape=x.shape, suffix="turned")
        lowest = e.call(torch.amax, lowest, where, keeps, shape=shape, suffix="most", order=order)
        return e.call(operator.neg, lowest, shape=shape)
    return e.call(_REDUCERS[e.kind], x, where, keeps, shape=shape, order=order)


def _resized(e: Emit) -> Value:
    """Half-pixel centres are torch's own; corners aligned too. The oldest rule (neither) only for nearest pixels."""
    bilinear = e.kind == "RESIZE_BILINEAR"
    cls = "ResizeBilinearOptions" if bilinear else "ResizeNearestNeighborOptions"
    x, sizes = e.value(0), e.wholes(1, "size")
    if x.rank != 4 or len(sizes) != 2:
        raise e.bad(f"it resizes a value of shape {x.shape} to {sizes}.")
    corners, centres = bool(e.number(cls, "AlignCorners")), bool(e.number(cls, "HalfPixelCenters"))
    shape = (x.shape[0], sizes[0], sizes[1], x.shape[3])
    if shape == x.shape:
        return x
    if bilinear and (corners or centres):
        module = nn.Upsample((sizes[0], sizes[1]), mode="bilinear", align_corners=corners)
    elif not bilinear and not corners:
        module = nn.Upsample((sizes[0], sizes[1]), mode="nearest-exact" if centres else "nearest")
    else:
        raise e.stop("it places pixels by a rule of TensorFlow 1 that torch lacks, which is not on Cutaway's list.")
    return e.layer(module, e.first(x), shape)


def _depth_to_space(e: Emit) -> Value:
    x, block = _blocks(e, "DepthToSpaceOptions")
    n, h, w, c = x.shape
    if c % (block * block):
        raise e.bad(f"it cannot lay {c} channels out in blocks of {block}.")
    y = reshaped(e, x, (n, h, w, block, block, c // block**2), "blocks")
    return reshaped(e, transposed(e, y, (0, 1, 3, 2, 4, 5)), (n, h * block, w * block, c // block**2))


def _space_to_depth(e: Emit) -> Value:
    x, block = _blocks(e, "SpaceToDepthOptions")
    n, h, w, c = x.shape
    if h % block or w % block:
        raise e.bad(f"it cannot cut a map of {h} x {w} into blocks of {block}.")
    y = reshaped(e, x, (n, h // block, block, w // block, block, c), "blocks")
    return reshaped(e, transposed(e, y, (0, 1, 3, 2, 4, 5)), (n, h // block, w // block, c * block**2))


def _blocks(e: Emit, cls: str) -> tuple[Value, int]:
    x, block = e.value(0), int(e.number(cls, "BlockSize"))
    if x.rank != 4 or block < 1:
        raise e.bad(f"it takes blocks of {block} of a value of shape {x.shape}.")
    return x, block


TABLE: Table = {
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concatenate,
    "PACK": _pack,
    "UNPACK": _unpack,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _mirror_pad,
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), _reduced),
    "RESIZE_BILINEAR": _resized,
    "RESIZE_NEAREST_NEIGHBOR": _resized,
    "DEPTH_TO_SPACE": _depth_to_space,
    "SPACE_TO_DEPTH": _space_to_depth,
}
