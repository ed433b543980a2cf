"""The shape of what a layer or function makes, from the shapes it gets: every step of an opened ONNX file, unrun.

torch could say it on its meta device, which costs 0.5 to 1.8 s of imports on first use. Each rule raises Refused where
torch itself would not work.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from cutaway.formats.onnx_errors import BATCH, Refused
from cutaway.graph.extra import ChannelsLastFlatten, SamePad2d, SamePool2d

Sizes = tuple[int, ...]


def layer_sizes(module: nn.Module, x: Sizes) -> Sizes:
    """Layer, shape of its input -> shape of its output."""
    for kinds, rule in _LAYERS:
        if isinstance(module, kinds):
            return rule(module, x)
    return x


def call_sizes(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Sizes:
    """Function, its arguments with shapes in place of values -> shape of its result."""
    rule = _FUNCTIONS.get(function, _broadcast)
    return rule(*args, **kwargs)


def _each(value: Any, count: int) -> Sizes:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count


def _conv(m: Any, x: Sizes) -> Sizes:
    _must_have(x, m.in_channels)
    sides = zip(x[2:], m.kernel_size, m.stride, m.padding, m.dilation)
    return _positive((x[0], m.out_channels, *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides)), x)


def _conv_transpose(m: Any, x: Sizes) -> Sizes:
    _must_have(x, m.in_channels)
    if any(o >= max(s, d) for o, s, d in zip(m.output_padding, m.stride, m.dilation)):
        raise Refused(f"has an output_padding {m.output_padding} that is not below its stride or dilation.")
    sides = zip(x[2:], m.kernel_size, m.stride, m.padding, m.dilation, m.output_padding)
    made = ((n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, d, o in sides)
    return _positive((x[0], m.out_channels, *made), x)


def _pool(m: Any, x: Sizes) -> Sizes:
    count = len(x) - 2
    made = []
    dilations = _each(getattr(m, "dilation", 1), count)
    for n, k, s, p, d in zip(x[2:], *(_each(v, count) for v in (m.kernel_size, m.stride, m.padding)), dilations):
        out = (n + 2 * p - d * (k - 1) - 1 + (s - 1 if m.ceil_mode else 0)) // s + 1
        made.append(out - 1 if m.ceil_mode and (out - 1) * s >= n + p else out)  # no window may start in the border
    return _positive((*x[:2], *made), x)


def _linear(m: Any, x: Sizes) -> Sizes:
    if not x or x[-1] != m.in_features:
        raise Refused(f"takes {m.in_features} numbers and gets a value of shape {told(x)}.")
    return (*x[:-1], m.out_features)


def _border(m: Any, x: Sizes) -> Sizes:
    left, right, top, bottom = m.padding
    if isinstance(m, nn.ReflectionPad2d) and (max(top, bottom) >= x[2] or max(left, right) >= x[3]):
        raise Refused(f"reflects more pixels than its input of shape {told(x)} has.")
    return (*x[:2], x[2] + top + bottom, x[3] + left + right)


def _same_pad(m: Any, x: Sizes) -> Sizes:
    return (*x[:2], x[2] + m._total(x[2], 0), x[3] + m._total(x[3], 1))


def _same_pool(m: Any, x: Sizes) -> Sizes:
    return (*x[:2], *(-(-n // s) for n, s in zip(x[2:], m.stride)))


def _flatten(m: Any, x: Sizes) -> Sizes:
    return (*x[: m.start_dim], math.prod(x[m.start_dim :]))


def _upsample(m: Any, x: Sizes) -> Sizes:
    if m.size is not None:
        return (*x[:2], *m.size)
    return _positive((*x[:2], *(math.floor(n * s) for n, s in zip(x[2:], m.scale_factor))), x)


def _shuffle(m: Any, x: Sizes) -> Sizes:
    block = m.upscale_factor
    return (x[0], x[1] // block**2, x[2] * block, x[3] * block)


def _instance_norm(m: Any, x: Sizes) -> Sizes:
    del m
    if math.prod(x[2:]) < 2:
        raise Refused(f"averages over the pixels of a value of shape {told(x)}, which has one.")
    return x


_LAYERS: tuple[tuple[Any, Callable[[Any, Sizes], Sizes]], ...] = (
    ((nn.ConvTranspose1d, nn.ConvTranspose2d), _conv_transpose),
    ((nn.Conv1d, nn.Conv2d, nn.Conv3d), _conv),
    ((nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d), _pool),
    ((nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d), lambda _, x: (*x[:2], 1)),
    ((nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d), lambda _, x: (*x[:2], 1, 1)),
    (nn.Linear, _linear),
    (nn.Flatten, _flatten),
    (ChannelsLastFlatten, lambda _, x: (x[0], math.prod(x[1:]))),
    ((nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d), _border),
    (SamePad2d, _same_pad),
    (SamePool2d, _same_pool),
    (nn.Upsample, _upsample),
    (nn.PixelShuffle, _shuffle),
    (nn.InstanceNorm2d, _instance_norm),
)


def _broadcast(*args: Any, **_: Any) -> Sizes:
    shapes = [a for a in args if isinstance(a, tuple)]
    rank = max(map(len, shapes), default=0)
    made = []
    for sizes in zip(*((1,) * (rank - len(s)) + s for s in shapes)):
        found = {n for n in sizes if n != 1}
        if len(found) > 1:
            raise Refused(
                f"combines values of the shapes {' and '.join(str(told(s)) for s in shapes)}, which do not fit."
            )
        made.append(found.pop() if found else 1)
    return tuple(made)


def _permuted(x: Sizes, order: Sequence[int]) -> Sizes:
    return tuple(x[n] for n in order)


def _transposed(x: Sizes, one: int, other: int) -> Sizes:
    made = list(x)
    made[one], made[other] = made[other], made[one]
    return tuple(made)


def _reshaped(x: Sizes, sizes: Sequence[int]) -> Sizes:
    total, rest = math.prod(x), math.prod(n for n in sizes if n != -1)
    if -1 in sizes:
        if rest == 0 or total % rest:
            raise Refused(f"cannot bring a value of shape {told(x)} into the shape {tuple(sizes)}.")
        return tuple(total // rest if n == -1 else n for n in sizes)
    if total != rest:
        raise Refused(f"cannot bring a value of shape {told(x)} into the shape {tuple(sizes)}.")
    return tuple(sizes)


def _joined(parts: Sequence[Sizes], axis: int) -> Sizes:
    first = parts[0]
    if any(len(p) != len(first) or p[:axis] != first[:axis] or p[axis + 1 :] != first[axis + 1 :] for p in parts):
        raise Refused(f"joins values of the shapes {' and '.join(str(told(p)) for p in parts[:4])}, which do not fit.")
    return (*first[:axis], sum(p[axis] for p in parts), *first[axis + 1 :])


def _item(x: Sizes, index: tuple[Any, ...]) -> Sizes:
    made: list[int] = []
    for n, part in zip(x, (*index, *[slice(None)] * (len(x) - len(index)))):
        if isinstance(part, slice):
            made.append(len(range(*part.indices(n))))
    return tuple(made)


def _less(x: Sizes, axes: Sequence[int], keepdim: bool = False) -> Sizes:
    if any(x[a] == 0 for a in axes):
        raise Refused("averages over no numbers.")
    return tuple(1 if i in axes else n for i, n in enumerate(x) if keepdim or i not in axes)


def _product(a: Sizes, b: Sizes) -> Sizes:
    left, right = a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)
    if not a or not b or left[-1] != right[-2]:
        raise Refused(f"multiplies matrices of the shapes {told(a)} and {told(b)}, which do not fit.")
    made = (*_broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    made = made if len(a) > 1 else (*made[:-2], made[-1])
    return made if len(b) > 1 else made[:-1]


def _padded(x: Sizes, sides: Sequence[int], mode: str = "constant", *_: Any) -> Sizes:
    made = list(x)
    for at in range(len(sides) // 2):
        axis, before, after = len(x) - 1 - at, sides[2 * at], sides[2 * at + 1]
        if mode == "reflect" and max(before, after) >= x[axis]:
            raise Refused(f"reflects more numbers than its input of shape {told(x)} has.")
        if mode == "circular" and max(before, after) > x[axis]:
            raise Refused(f"wraps more numbers than its input of shape {told(x)} has.")
        made[axis] += before + after
    if mode != "constant" and (len(sides) != 2 * (len(x) - 2) or min(sides) < 0):
        raise Refused(f"pads a value of shape {told(x)} by {mode!r} in a way that is not on Cutaway's list.")
    return _positive(tuple(made), x)


def _widened(x: Sizes, sizes: Sequence[int]) -> Sizes:
    old = (1,) * (len(sizes) - len(x)) + x
    return tuple(o if n == -1 else n for o, n in zip(old, sizes))


def _einsum(equation: str, *parts: Sizes) -> Sizes:
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    known: dict[str, int] = {}
    if not arrow or len(terms) != len(parts) or not (left.replace(",", "") + right).isalpha():
        raise Refused(f"is written as {equation[:60]!r}, which is not on Cutaway's list.")
    for term, sizes in zip(terms, parts):
        if len(term) != len(sizes) or any(known.setdefault(c, n) != n for c, n in zip(term, sizes)):
            raise Refused(f"is written as {equation[:60]!r}, which the shapes of its values do not fit.")
    if len(set(right)) != len(right) or set(right) - set(known):
        raise Refused(f"is written as {equation[:60]!r}, which is not on Cutaway's list.")
    return tuple(known[c] for c in right)


_FUNCTIONS: dict[Any, Callable[..., Sizes]] = {
    torch.permute: _permuted,
    torch.transpose: _transposed,
    torch.reshape: _reshaped,
    torch.unsqueeze: lambda x, axis: (*x[:axis], 1, *x[axis:]),
    torch.cat: _joined,
    operator.getitem: _item,
    torch.flip: lambda x, _: x,
    torch.mean: _less,
    torch.sum: _less,
    torch.amax: _less,
    torch.amin: _less,
    torch.matmul: _product,
    torch.index_select: lambda x, axis, index: (*x[:axis], index[0], *x[axis + 1 :]),
    torch.broadcast_to: _widened,
    torch.tile: lambda x, repeats: tuple(n * r for n, r in zip(x, repeats)),
    torch.einsum: _einsum,
    F.pad: _padded,
    F.normalize: lambda x, *_: x,
}


def told(sizes: Sizes) -> tuple[Any, ...]:
    """A shape as a person reads it: N for the number of pictures."""
    return tuple("N" if n == BATCH else n for n in sizes)


def _must_have(x: Sizes, channels: int) -> None:
    if len(x) < 3 or x[1] != channels:
        raise Refused(f"takes {channels} channels and gets a value of shape {told(x)}.")


def _positive(sizes: Sizes, x: Sizes) -> Sizes:
    if min(sizes, default=1) < 1:
        raise Refused(f"is too large for its input of shape {told(x)}.")
    return sizes
