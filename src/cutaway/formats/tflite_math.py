"""TFLite arithmetic, element by element, on values and on numbers the file holds -> torch calls and Rescale layers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.formats.keras_emit import filled
from cutaway.formats.tflite_activation import fused
from cutaway.formats.tflite_emit import Array, Emit, Operand, Table, Value
from cutaway.formats.tflite_shape import reshaped
from cutaway.graph.extra import Rescale

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "DIV": operator.truediv,
    "MAXIMUM": torch.maximum,
    "MINIMUM": torch.minimum,
    "POW": torch.pow,
}
_SETTINGS = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}
_OF_ONE: dict[str, Callable[..., Any]] = {
    "EXP": torch.exp,
    "LOG": torch.log,
    "SQRT": torch.sqrt,
    "RSQRT": torch.rsqrt,
    "NEG": operator.neg,
    "SIN": torch.sin,
    "COS": torch.cos,
}


def _two(e: Emit) -> Value:
    for x, gate in ((e.operand(0), e.operand(1)), (e.operand(1), e.operand(0))):
        if isinstance(x, Value) and isinstance(gate, Value) and gate.gate:
            e.name = gate.waits
            return _fused(e, e.layer(nn.SiLU(), x, x.shape))
    return _fused(e, _joined(e, e.operand(0), e.operand(1), _FUNCTIONS[e.kind]))


def _fused(e: Emit, x: Value) -> Value:
    return fused(e, x, _SETTINGS[e.kind]) if e.kind in _SETTINGS and x.scale is None else x


def _joined(e: Emit, a: Operand, b: Operand, function: Callable[..., Any], suffix: str = "") -> Value:
    if isinstance(a, Value) and isinstance(b, Value):
        return _of_values(e, a, b, function, suffix)
    if isinstance(a, Value) and not isinstance(b, Value):
        return _with_numbers(e, a, b, function, True, suffix)
    value = b if isinstance(b, Value) else e.value(1)
    return _with_numbers(e, value, np.asarray(a), function, False, suffix)


def _of_values(e: Emit, a: Value, b: Value, function: Callable[..., Any], suffix: str) -> Value:
    """Sides of 1 stretch (squeeze-and-excite multiplies a map by one number a channel), missing ones count as 1."""
    if a.shape[0] == b.shape[0] == 1 and not a.merged and not b.merged:
        a, b = _of_rank(e, a, b.rank), _of_rank(e, b, a.rank)
    fits = a.rank == b.rank and all(n == m or 1 in (n, m) for n, m in zip(a.shape, b.shape, strict=True))
    if not fits or a.merged != b.merged or (a.merged and a.shape != b.shape):
        raise e.stop(f"it joins values of shapes {a.shape} and {b.shape}, which is not on Cutaway's list.")
    order = a.order if math.prod(a.shape) >= math.prod(b.shape) else b.order
    a, b = e.turned(a, order), e.turned(b, order)
    shape = [max(n, m) for n, m in zip(a.shape, b.shape, strict=True)]
    return e.call(function, a, b, shape=shape, suffix=suffix)


def _of_rank(e: Emit, x: Value, rank: int) -> Value:
    """One picture's value with axes of 1 put before its own ones."""
    ones = (1,) * max(rank - x.rank, 0)
    return reshaped(e, x, (1, *ones, *x.shape[1:]), "unsqueezed") if ones else x


def _with_numbers(
    e: Emit, x: Value, numbers: Array, function: Callable[..., Any], value_first: bool, suffix: str
) -> Value:
    """One number becomes part of the call, one a channel a Rescale layer, anything else numbers of the graph's own."""
    if numbers.dtype.kind not in "fiu" or not numbers.size:
        raise e.bad(f"it joins a value with {numbers.dtype} of shape {numbers.shape}.")
    array = numbers.astype(np.float32)
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    if function in (operator.add, operator.sub, operator.mul, operator.truediv) and _per_channel(array, x):
        made = _rescaled(e, x, array.reshape(-1), function, value_first)
        if made is not None:
            return made
    if array.size == 1 and function not in (torch.maximum, torch.minimum):
        number = float(array.reshape(-1)[0])
        return e.call(function, x, number, shape=x.shape, suffix=suffix, first=value_first)
    if array.ndim >= x.rank or (x.merged and array.ndim > 1):
        raise e.stop(f"it joins {x.shape} with numbers of shape {numbers.shape}, which is not on Cutaway's list.")
    full = array.reshape((1,) * (x.rank - array.ndim) + array.shape)
    try:
        shape = np.broadcast_shapes(x.shape, full.shape)
    except ValueError:
        raise e.bad(f"it cannot join {x.shape} with numbers of shape {numbers.shape}.") from None
    e.checked(shape)
    return e.call(function, x, e.numbers(full, x), shape=shape, suffix=suffix, first=value_first)


def _per_channel(array: Array, x: Value) -> bool:
    return not x.merged and x.rank >= 2 and array.ndim <= 1 and array.size in (1, x.shape[-1])


def _rescaled(e: Emit, x: Value, numbers: Array, function: Callable[..., Any], value_first: bool) -> Value | None:
    """x * scale (+ offset) in one layer. A product whose only reader adds numbers waits for them (unmerged batch norm).

    None for a single number on its own, which is a plain call, and for numbers divided by a value.
    """
    row = tuple(float(n) for n in numbers)
    if function is operator.mul and e.then_adds_numbers and not e.number("MulOptions", "FusedActivationFunction"):
        return replace(x, scale=row, waits=e.name)
    if function is operator.truediv and (not value_first or not all(row)):
        return None
    if x.scale is None and len(row) == 1:
        return None
    scale, offset = x.scale or (1.0,), (0.0,) if function in (operator.mul, operator.truediv) else row
    if function is operator.mul:
        scale = row
    elif function is operator.truediv:
        with np.errstate(over="ignore"):
            scale = tuple((np.float32(1) / numbers).tolist())
    elif function is operator.sub and value_first:
        offset = tuple(-n for n in row)
    elif function is operator.sub:
        scale = tuple(-n for n in scale)
    e.name = x.waits or e.name
    x = e.first(replace(x, scale=None, waits=""))
    return e.layer(Rescale(scale, offset), x, x.shape)


def _add_n(e: Emit) -> Value:
    """Values first, so that what comes out at every step is one."""
    total, *others = sorted((e.operand(at) for at in range(len(e.operands))), key=lambda o: not isinstance(o, Value))
    for at, other in enumerate(others, 1):
        total = _joined(e, total, other, operator.add, "" if at == len(others) else f"sum{at}")
    assert isinstance(total, Value)
    return total


def _one(e: Emit) -> Value:
    x = e.value(0, merged=True)
    return e.call(_OF_ONE[e.kind], x, shape=x.shape)


def _square(e: Emit) -> Value:
    x = e.value(0, merged=True)
    return e.call(operator.mul, x, x, shape=x.shape)


def _absolute(e: Emit) -> Value:
    x = e.value(0, merged=True)
    return e.call(torch.maximum, x, e.call(operator.neg, x, shape=x.shape, suffix="turned"), shape=x.shape)


def _squared_difference(e: Emit) -> Value:
    difference = _joined(e, e.operand(0), e.operand(1), operator.sub, "difference")
    return e.call(operator.mul, difference, difference, shape=difference.shape)


def _matmul(e: Emit) -> Value:
    a, b = e.plain(e.value(0)), e.operand(1)
    turns = [bool(e.number("BatchMatMulOptions", name)) for name in ("AdjX", "AdjY")]
    if not isinstance(b, Value):
        return _matmul_numbers(e, a, b.T if turns[1] and b.ndim == 2 else b, turns)
    b = e.plain(e.value(1))
    a, b = (_last_two_swapped(e, v, f"turned{n}") if turn else v for n, (v, turn) in enumerate(zip((a, b), turns)))
    if a.rank != b.rank or a.rank < 3 or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise e.bad(f"it cannot multiply values of shapes {a.shape} and {b.shape}.")
    return e.call(torch.matmul, a, b, shape=(*a.shape[:-1], b.shape[-1]))


def _matmul_numbers(e: Emit, a: Value, b: Array, turns: Sequence[bool]) -> Value:
    if turns[0] or b.ndim != 2 or a.rank < 2 or a.shape[-1] != b.shape[0]:
        raise e.stop(f"it multiplies {a.shape} by numbers of shape {b.shape}, which is not on Cutaway's list.")
    module = nn.Linear(b.shape[0], b.shape[1], bias=False, device="meta")
    return e.layer(filled(module, weight=b.T), a, (*a.shape[:-1], b.shape[1]))


def _last_two_swapped(e: Emit, x: Value, suffix: str) -> Value:
    shape = (*x.shape[:-2], x.shape[-1], x.shape[-2])
    return e.call(torch.transpose, x, -2, -1, shape=shape, suffix=suffix)


def _l2_norm(e: Emit) -> Value:
    x = e.value(0, merged=True)
    e.axis(-1, x.rank)
    return e.call(F.normalize, x, 2.0, x.axis(x.rank - 1), 1e-6, shape=x.shape)


def _local_response(e: Emit) -> Value:
    """TFLite's alpha weighs the sum of the neighbours' squares, torch's their mean."""
    cls, x = "LocalResponseNormalizationOptions", e.first(e.value(0))
    size = 2 * int(e.number(cls, "Radius")) + 1
    if x.rank < 3 or not 1 <= size <= 2 * x.shape[-1] + 1:
        raise e.bad(f"it looks at {size} channels of a value of shape {x.shape}.")
    alpha, beta, bias = (float(e.number(cls, name)) for name in ("Alpha", "Beta", "Bias"))
    return e.layer(nn.LocalResponseNorm(size, alpha * size, beta, bias), x, x.shape)


TABLE: Table = {
    **dict.fromkeys(_FUNCTIONS, _two),
    **dict.fromkeys(_OF_ONE, _one),
    "ADD_N": _add_n,
    "SQUARE": _square,
    "ABS": _absolute,
    "SQUARED_DIFFERENCE": _squared_difference,
    "BATCH_MATMUL": _matmul,
    "L2_NORMALIZATION": _l2_norm,
    "LOCAL_RESPONSE_NORMALIZATION": _local_response,
}
