"""ONNX operators that move numbers around without computing: reshape, transpose, slice, concat, gather and so on.

The file may fix the number of pictures (usually 1) or leave it open; the graph made here takes any number, so sizes
are worked out with BATCH in its place and a reshape keeps it as -1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from cutaway.formats.onnx_errors import BATCH, Refused
from cutaway.formats.onnx_node import Op, made_by
from cutaway.formats.onnx_values import Value
from cutaway.graph.extra import ChannelsLastFlatten


def reshape(op: Op) -> Value:
    x = op.value(0)
    asked = op.ints(1, "shape") if op.has(1) else op.ints_of("shape")
    if x.known:
        return op.call(torch.reshape, x, tuple(_filled_in(asked, x.shape, op)))
    return reshaped(op, x, _for_any_batch(asked, x.shape, op))


def reshaped(op: Op, x: Value, sizes: Sequence[int]) -> Value:
    """`x` in the shape `sizes`, where BATCH stands for the number of pictures."""
    if tuple(sizes) == x.shape:
        return x
    if x.shape[0] == sizes[0] == BATCH and len(sizes) == 2:
        moved = made_by(x, torch.permute)
        if moved and tuple(moved.args[1]) == (0, *range(2, len(x.shape)), 1):
            return op.layer(ChannelsLastFlatten(), moved.args[0])
        return op.layer(nn.Flatten(1), x)
    return op.call(torch.reshape, x, _open(sizes))


def _open(sizes: Sequence[int]) -> tuple[int, ...]:
    """BATCH -> -1."""
    if sum(n % BATCH == 0 for n in sizes) > 1:
        raise Refused("has the number of pictures in its shape twice.")
    return tuple(-1 if n % BATCH == 0 else n for n in sizes)


def _filled_in(asked: Sequence[int], sizes: Sequence[int], op: Op) -> list[int]:
    """0 -> the input's size there; -1 -> what is left over."""
    found = list(asked)
    if len(found) > 16 or min(found, default=0) < -1 or found.count(-1) > 1:
        raise Refused(f"asks for the impossible shape {asked[:16]}.")
    if not op.whole("allowzero", 0):
        for at, n in enumerate(found):
            if n == 0:
                if at >= len(sizes):
                    raise Refused(f"asks for the shape {asked}, which copies an axis that is not there.")
                found[at] = sizes[at]
    if -1 in found:
        rest, total = math.prod(n for n in found if n != -1), math.prod(sizes)
        if rest == 0 or total % rest:
            raise Refused(f"cannot bring {total:,} numbers into the shape {asked}.")
        found[found.index(-1)] = total // rest
    return found


def _for_any_batch(asked: Sequence[int], sizes: tuple[int, ...], op: Op) -> list[int]:
    total = math.prod(sizes)
    if any(n > 0 and n % BATCH == 0 for n in asked):
        found = _filled_in(asked, sizes, op)
    else:
        own = [n // BATCH * op.batch if n % BATCH == 0 else n for n in sizes]
        found = _filled_in(asked, own, op)
        if math.prod(found) != math.prod(own):
            raise Refused(f"cannot bring a value of shape {tuple(own)} into the shape {tuple(asked)}.")
        at = next((i for i, n in enumerate(sizes) if n % BATCH == 0), 0)
        for axis in (at, 0, *range(len(found))):
            if axis < len(found) and found[axis] % op.batch == 0 and found[axis] > 0:
                found[axis] = found[axis] // op.batch * BATCH
                break
    if math.prod(found) != total:
        shown = tuple("N" if n == BATCH else n for n in sizes)
        raise Refused(
            f"cannot bring a value of shape {shown} into the shape {tuple(asked)} for any number of pictures."
        )
    return found


def flatten(op: Op) -> Value:
    x = op.value(0)
    axis = op.whole("axis", 1)
    axis = axis if axis == len(x.shape) else op.axis(axis, len(x.shape))
    sizes = [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])]
    return op.call(torch.reshape, x, tuple(sizes)) if x.known else reshaped(op, x, sizes)


def transpose(op: Op) -> Value:
    x = op.value(0)
    rank = len(x.shape)
    order = op.ints_of("perm", tuple(reversed(range(rank))), rank)
    if sorted(order) != list(range(rank)):
        raise Refused(f"orders the axes as {order}, which is no order of {rank} axes.")
    before = made_by(x, torch.permute)
    if before is not None:  # two in a row are one, or none
        x, order = before.args[0], [before.args[1][n] for n in order]
    return x if order == list(range(rank)) else op.call(torch.permute, x, tuple(order))


def squeeze(op: Op) -> Value:
    x = op.value(0)
    given = op.ints(1, "list of axes") if op.has(1) else op.ints_of("axes")
    axes = op.axes(given, len(x.shape)) if given else [i for i, n in enumerate(x.shape) if n == 1]
    if any(x.shape[a] not in (1, BATCH) for a in axes):
        raise Refused(f"takes the axes {axes} out of a value of shape {x.shape}, where they are not 1.")
    if any(x.shape[a] == BATCH for a in axes):
        raise Refused("takes out the axis of pictures, so that only one picture at a time could be looked at.")
    return _sizes(op, x, [n for i, n in enumerate(x.shape) if i not in axes])


def unsqueeze(op: Op) -> Value:
    x = op.value(0)
    given = op.ints(1, "list of axes") if op.has(1) else op.ints_of("axes")
    rank = len(x.shape) + len(given)
    sizes = list(x.shape)
    for axis in sorted(op.axes(given, rank)):
        sizes.insert(axis, 1)
    if not x.known and len(given) == 1:
        return op.call(torch.unsqueeze, x, op.axis(given[0], rank))
    return _sizes(op, x, sizes)


def _sizes(op: Op, x: Value, sizes: Sequence[int]) -> Value:
    return op.call(torch.reshape, x, tuple(sizes)) if x.known else reshaped(op, x, sizes)


def concat(op: Op) -> Value:
    parts = [op.value(at) for at in range(len(op.inputs))]
    if not parts:
        raise Refused("has nothing to put together.")
    axis = op.axis(op.whole("axis", 1), len(parts[0].shape))
    return parts[0] if len(parts) == 1 else op.call(torch.cat, parts, axis)


def split(op: Op) -> list[Value]:
    x = op.value(0)
    axis = op.axis(op.whole("axis", 0), len(x.shape))
    total, count = x.shape[axis], len(op.proto.output)
    sizes = op.ints(1, "list of sizes") if op.has(1) else op.ints_of("split")
    if not sizes:
        each = -(-total // count)
        sizes = [min(each, total - each * n) for n in range(count)]
    if sum(sizes) != total or min(sizes) < 0 or len(sizes) != count:
        raise Refused(f"splits {total} into {sizes[:20]} for {count} outputs.")
    ends = [sum(sizes[: n + 1]) for n in range(count)]
    return [_range(op, x, axis, end - n, end, 1) for n, end in zip(sizes, ends)]


def _range(op: Op, x: Value, axis: int, start: int, end: int, step: int) -> Value:
    if (start, step) == (0, 1) and end >= x.shape[axis]:
        return x
    return op.call(operator.getitem, x, (*[slice(None)] * axis, slice(start, end, step)))


def cut(op: Op) -> Value:
    x = op.value(0)
    if op.opset < 10:
        starts, ends = op.ints_of("starts"), op.ints_of("ends")
        axes, steps = op.ints_of("axes", range(len(starts))), [1] * len(starts)
    else:
        starts, ends = op.ints(1, "start"), op.ints(2, "end")
        axes = op.ints(3, "list of axes") if op.has(3) else list(range(len(starts)))
        steps = op.ints(4, "step") if op.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise Refused("has starts, ends, axes and steps of different lengths.")
    for axis, start, end, step in zip(op.axes(axes, len(x.shape)), starts, ends, steps):
        x = _slice(op, x, axis, start, end, step)
    return x


def _slice(op: Op, x: Value, axis: int, start: int, end: int, step: int) -> Value:
    if step == 0:
        raise Refused("has a step of 0.")
    low, high, step = slice(start, end, step).indices(x.shape[axis])
    if step > 0:
        return _range(op, x, axis, low, max(high, low), step)
    chosen = list(range(low, high, step))
    if not chosen:
        return _range(op, x, axis, 0, 0, 1)
    x = _range(op, x, axis, chosen[-1], chosen[0] + 1, 1)
    x = op.call(torch.flip, x, (axis,))
    return _range(op, x, axis, 0, x.shape[axis], -step)


def gather(op: Op) -> Value:
    x, index = op.value(0), op.known(1, "index")
    axis = op.axis(op.whole("axis", 0), len(x.shape))
    unfolded = _same_numbers(op, x, index)
    if unfolded is not None:
        return unfolded
    numbers = op.ints(1, "index")
    if any(not -x.shape[axis] <= n < x.shape[axis] for n in numbers):
        raise Refused(f"takes number {max(numbers, key=abs)} of {x.shape[axis]}.")
    numbers = [n % x.shape[axis] for n in numbers]
    if index.shape == ():
        return op.call(operator.getitem, x, (*[slice(None)] * axis, numbers[0]))
    if len(index.shape) == 1 and numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return _range(op, x, axis, numbers[0], numbers[0] + len(numbers), 1)
    chosen = op.call(torch.index_select, x, axis, Value(torch.tensor(numbers)))
    return (
        chosen if len(index.shape) == 1 else _sizes(op, chosen, [*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])
    )


def _same_numbers(op: Op, x: Value, index: Value) -> Value | None:
    """All numbers of a flattened value in their order, as torch.export writes as_strided -> the value before that."""
    flat = made_by(x, torch.reshape)
    count = index.tensor.numel()
    if flat is None or len(x.shape) != 1 or x.shape[0] != count // op.batch * BATCH or not count:
        return None
    if not torch.equal(index.tensor.reshape(-1), torch.arange(count)):
        return None
    source = flat.args[0]
    return reshaped(op, source, _for_any_batch(index.shape, source.shape, op))


def expand(op: Op) -> Value:
    x, asked = op.value(0), op.ints(1, "shape")
    if len(asked) > 16 or min(asked, default=1) < 1:
        raise Refused(f"asks for the impossible shape {asked[:16]}.")
    rank = max(len(asked), len(x.shape))
    sizes = [1] * (rank - len(x.shape)) + list(x.shape)
    wanted = [1] * (rank - len(asked)) + asked
    if not x.known:
        wanted = [n if n % BATCH == 0 and w in (1, op.batch) else w for n, w in zip(sizes, wanted)]
    found = [max(n, w) for n, w in zip(sizes, wanted)]
    if any(n not in (1, f) or w not in (1, f) for n, w, f in zip(sizes, wanted, found)):
        raise Refused(f"cannot widen a value of shape {x.shape} to {asked}.")
    if tuple(found) == x.shape:
        return x
    if x.known:
        op.tape.must_fit(math.prod(found))
        return Value(x.tensor.expand(found).clone())
    return op.call(torch.broadcast_to, x, _open(found))


def tile(op: Op) -> Value:
    x, repeats = op.value(0), op.ints(1, "number of repeats")
    if len(repeats) != len(x.shape) or min(repeats, default=1) < 1:
        raise Refused(f"repeats a value with {len(x.shape)} axes {repeats[:16]} times.")
    return x if set(repeats) <= {1} else op.call(torch.tile, x, tuple(repeats))


def depth_to_space(op: Op) -> Value:
    x = op.value(0)
    op.rank(x, 4)
    block = op.whole("blocksize", 0)
    count, channels, height, width = x.shape
    if block < 1 or channels % (block * block):
        raise Refused(f"spreads {channels} channels over blocks of {block} x {block}.")
    if op.word("mode", "DCR") == "CRD":
        return op.layer(nn.PixelShuffle(block), x)
    parts = reshaped(op, x, (count, block, block, channels // block**2, height, width))
    moved = op.call(torch.permute, parts, (0, 3, 4, 1, 5, 2))
    return reshaped(op, moved, (count, channels // block**2, height * block, width * block))


def space_to_depth(op: Op) -> Value:
    x = op.value(0)
    op.rank(x, 4)
    block = op.whole("blocksize", 0)
    count, channels, height, width = x.shape
    if block < 1 or height % block or width % block:
        raise Refused(f"cuts {height} x {width} into blocks of {block} x {block}.")
    parts = reshaped(op, x, (count, channels, height // block, block, width // block, block))
    moved = op.call(torch.permute, parts, (0, 3, 5, 1, 2, 4))
    return reshaped(op, moved, (count, channels * block**2, height // block, width // block))


def einsum(op: Op) -> Value:
    parts = [op.value(at) for at in range(len(op.inputs))]
    equation = op.word("equation")
    if all(p.known for p in parts) or len(parts) > 4:
        raise Refused("multiplies arrays of the file with one another, which is not worked out.")
    return op.call(torch.einsum, equation, *parts)


OPERATORS: dict[str, Callable[[Op], Any]] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Transpose": transpose,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": concat,
    "Split": split,
    "Slice": cut,
    "Gather": gather,
    "Expand": expand,
    "Tile": tile,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Einsum": einsum,
}

MOVES = frozenset(
    {"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "Cast"}
)
"""Operators whose whole numbers count with the number of pictures only where they still hold it."""
