"""ONNX operators that make numbers out of none: constants, the sizes of a value, ranges; and changes of number type."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from cutaway.formats.onnx_errors import BATCH, Refused
from cutaway.formats.onnx_node import Op
from cutaway.formats.onnx_values import Value


def shape(op: Op) -> Value:
    sizes = op.value(0).shape
    start, end = op.whole("start", 0), op.whole("end", len(sizes))
    return _whole_numbers(list(sizes[start:end]))


def size(op: Op) -> Value:
    count = math.prod(op.value(0).shape)
    return Value(torch.tensor(count), of_batch=count % BATCH == 0)


def _whole_numbers(numbers: Sequence[int]) -> Value:
    return Value(torch.tensor(numbers, dtype=torch.int64), of_batch=any(n and n % BATCH == 0 for n in numbers))


def cast(op: Op) -> Value:
    x, to = op.value(0), op.whole("to", 1)
    if to not in _CASTS:
        raise Refused(f"turns numbers into type number {to}, which cannot be held.")
    if x.known:
        return Value(x.tensor.to(_CASTS[to]), None, x.of_batch, x.origin)
    if _CASTS[to] is not torch.float32:
        raise Refused("cuts the picture's values to whole numbers, which is not on Cutaway's list.")
    return x


_CASTS = {1: torch.float32, 10: torch.float32, 11: torch.float32, 16: torch.float32, 9: torch.bool}
_CASTS |= {2: torch.uint8, 3: torch.int8, 4: torch.int64, 5: torch.int64, 6: torch.int64, 7: torch.int64}
_CASTS |= {12: torch.int64, 13: torch.int64}


def cast_like(op: Op) -> Value:
    x, like = op.value(0), op.value(1)
    if x.known:
        return Value(x.tensor.to(like.tensor.dtype if like.known else torch.float32), None, x.of_batch, x.origin)
    if like.known and not like.tensor.is_floating_point():
        raise Refused("cuts the picture's values to whole numbers, which is not on Cutaway's list.")
    return x


def constant(op: Op) -> Value:
    if op.given("value"):
        return Value(op.tensor("value"))
    if op.given("value_float"):
        return Value(torch.tensor(op.real("value_float")))
    if op.given("value_int"):
        return Value(torch.tensor(op.whole("value_int")))
    if op.given("value_floats"):
        return Value(torch.tensor(op.floats_of("value_floats"), dtype=torch.float32))
    if op.given("value_ints"):
        return Value(torch.tensor(op.ints_of("value_ints"), dtype=torch.int64))
    raise Refused(f"is a constant of a kind that cannot be read ({', '.join(op.setting_names()[:3]) or 'none'}).")


def constant_of_shape(op: Op) -> Value:
    sizes = op.ints(0, "shape")
    value = op.tensor("value") if op.given("value") else torch.zeros(1)
    if min(sizes, default=0) < 0 or len(sizes) > 16 or value.numel() != 1:
        raise Refused(f"asks for the impossible shape {sizes[:16]}.")
    if op.value(0).of_batch:
        raise Refused("makes numbers for every picture, which cannot be held in a graph for any number of them.")
    op.tape.must_fit(math.prod(sizes), value.element_size())
    return Value(torch.full(sizes, value.reshape(()).item(), dtype=value.dtype))


def counted(op: Op) -> Value:
    start, limit, step = (op.known(at, "range") for at in range(3))
    numbers = [v.tensor.reshape(-1)[0].item() if v.tensor.numel() == 1 else math.nan for v in (start, limit, step)]
    if any(math.isnan(n) or math.isinf(n) for n in numbers) or numbers[2] == 0:
        raise Refused(f"counts from, to and by {numbers}.")
    op.tape.must_fit(max(math.ceil((numbers[1] - numbers[0]) / numbers[2]), 0))
    made = torch.arange(*numbers, dtype=start.tensor.dtype) if (numbers[1] - numbers[0]) * numbers[2] > 0 else None
    return Value(torch.empty(0, dtype=start.tensor.dtype) if made is None else made, of_batch=limit.of_batch)


def non_zero(op: Op) -> Value:
    x = op.known(0, "value")
    op.tape.must_fit(x.tensor.numel() * max(len(x.shape), 1))
    return Value(torch.nonzero(x.tensor).t().contiguous())


OPERATORS: dict[str, Callable[[Op], Value]] = {
    "Shape": shape,
    "Size": size,
    "Cast": cast,
    "CastLike": cast_like,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Range": counted,
    "NonZero": non_zero,
}
