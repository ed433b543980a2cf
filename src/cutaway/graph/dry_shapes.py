"""Output shapes of the common layers and functions by formula, for what is followed without numbers (dry_run)."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Shape = tuple[int, ...]

_NAMES = """
    ReLU ReLU6 LeakyReLU PReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish
    Hardsigmoid LogSigmoid Softmax LogSoftmax Dropout Dropout1d Dropout2d AlphaDropout Identity BatchNorm1d BatchNorm2d
    LayerNorm GroupNorm InstanceNorm2d LocalResponseNorm RMSNorm StochasticDepth DropPath ClippedReLU Rescale
    AlwaysDropout
"""
_SAME = frozenset(_NAMES.split())
_SAME_FUNCTIONS = {F.relu, F.softmax, torch.softmax, torch.sigmoid, torch.tanh, torch.sqrt, torch.exp, torch.abs}
_SAME_FUNCTIONS |= {F.softplus, F.normalize, F.batch_norm, F.layer_norm, F.group_norm}
_BROADCAST = {operator.add, operator.sub, operator.mul, operator.truediv, torch.maximum, torch.minimum}
_REDUCED = {torch.mean, torch.amax, torch.sum, "mean", "amax", "sum"}


def of_layer(module: nn.Module, args: Sequence[Any]) -> Shape | None:
    """Layer, what it gets -> the shape it makes; None where the formula is not here."""
    if len(args) != 1 or not isinstance(args[0], torch.Tensor):
        return None
    shape = tuple(args[0].shape)
    if isinstance(module, nn.BatchNorm2d) and len(shape) == 4:
        _must_fit(module.num_features, shape[1], "channels")
    if type(module).__name__ in _SAME:
        return shape
    if isinstance(module, nn.Linear) and shape:
        _must_fit(module.in_features, shape[-1], "numbers")
        return (*shape[:-1], module.out_features)
    if len(shape) != 4:
        return None
    if type(module) is nn.Conv2d and not isinstance(module.padding, str):
        _must_fit(module.in_channels, shape[1], "channels")
        sides = _sides(shape, module.kernel_size, module.stride, module.padding, module.dilation)
        return (shape[0], module.out_channels, *sides)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d) and not module.ceil_mode:
        dilation = getattr(module, "dilation", 1)
        return (*shape[:2], *_sides(shape, module.kernel_size, module.stride, module.padding, dilation))
    if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        wanted = zip(_two(module.output_size), shape[2:], strict=True)
        return (*shape[:2], *(old if new is None else new for new, old in wanted))
    return None


def of_function(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Shape | None:
    """Function, or a method's name, and its arguments -> the shape it makes; None where the formula is not here."""
    first = args[0] if args else None
    if function is torch.cat and isinstance(first, list | tuple):
        return _joined(first, kwargs.get("dim", args[1] if len(args) > 1 else 0))
    if not isinstance(first, torch.Tensor):
        return None
    if function in _SAME_FUNCTIONS:
        return tuple(first.shape)
    if function in _BROADCAST and len(args) == 2 and not kwargs:
        if isinstance(args[1], torch.Tensor):
            return broadcast(first.shape, args[1].shape)
        return tuple(first.shape) if isinstance(args[1], int | float) else None
    if function in _REDUCED and "dtype" not in kwargs:
        return _reduced(first.shape, {**dict(zip(("dim", "keepdim"), args[1:], strict=False)), **kwargs})
    return None


def broadcast(one: Sequence[int], two: Sequence[int]) -> Shape:
    """Two shapes -> the one that arithmetic on them gives. ValueError where they do not fit."""
    sides = []
    for a, b in itertools.zip_longest(reversed(one), reversed(two), fillvalue=1):
        if a != b and 1 not in (a, b):
            raise ValueError(f"shapes {tuple(one)} and {tuple(two)} do not fit together")
        sides.append(b if a == 1 else a)
    return tuple(reversed(sides))


def _joined(values: Sequence[Any], dim: Any) -> Shape | None:
    if not values or not all(isinstance(v, torch.Tensor) for v in values) or type(dim) is not int:
        return None
    shapes = [list(v.shape) for v in values]
    whole = shapes[0][:]
    whole[dim] = sum(shape[dim] for shape in shapes)
    rests = [shape[:dim] + shape[dim % len(shape) + 1 :] for shape in shapes]
    if any(len(shape) != len(whole) or rest != rests[0] for shape, rest in zip(shapes, rests, strict=True)):
        raise ValueError(f"shapes {' and '.join(str(tuple(s)) for s in shapes[:4])} cannot be joined")
    return tuple(whole)


def _reduced(shape: Sequence[int], given: Mapping[str, Any]) -> Shape | None:
    dims = given.get("dim", ())
    dims = (dims,) if isinstance(dims, int) else dims
    if not isinstance(dims, list | tuple) or not dims or not all(type(d) is int for d in dims):
        return None
    if not all(-len(shape) <= d < len(shape) for d in dims):
        raise ValueError(f"a value of shape {tuple(shape)} has no axes {tuple(dims)}")
    gone = {d % len(shape) for d in dims}
    return tuple(1 if at in gone else n for at, n in enumerate(shape) if given.get("keepdim") or at not in gone)


def _sides(shape: Shape, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Shape:
    settings = zip(shape[2:], *map(_two, (kernel, stride, padding, dilation)), strict=True)
    sides = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in settings)
    if min(sides) < 1:
        raise ValueError(f"its output of {sides[0]} x {sides[1]} would be empty")
    return sides


def _must_fit(wanted: int, given: int, what: str) -> None:
    if wanted != given:
        raise ValueError(f"it takes {wanted} {what} and gets {given}")


def _two(setting: Any) -> tuple[Any, Any]:
    return tuple(setting) if isinstance(setting, list | tuple) else (setting, setting)
