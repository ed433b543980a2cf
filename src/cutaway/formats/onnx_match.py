"""Activations and normalisations that exporters write as several nodes -> the one layer they were.

A product is taken apart into its factors: x * sigmoid(x) is SiLU, 0.5 * x * (1 + erf(x / sqrt 2)) is GELU. The steps
that are no longer needed are dropped when the graph is built.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import nn

from cutaway.formats.onnx_node import Op, made_by, on_meta
from cutaway.formats.onnx_values import Step, Value

_NEAR = 1e-4


def activation(op: Op, a: Value, b: Value | None, number: float) -> Value | None:
    """The product a * b * number -> the activation layer it is, None where it is none."""
    found = [number, *([] if b is None else _factors(b)), *_factors(a)]
    scale = math.prod(f for f in found if isinstance(f, float))
    live = [f for f in found if isinstance(f, Value)]
    if len(live) == 1 and _near(scale, 1 / 6):
        x = _relu6_of_plus_3(live[0])
        return None if x is None else op.layer(nn.Hardsigmoid(), x)
    if len(live) != 2:
        return None
    for x, gate in (live, live[::-1]):
        layer = _gated(x, gate, scale)
        if layer is not None:
            return op.layer(layer, x)
    return None


def _gated(x: Value, gate: Value, scale: float) -> nn.Module | None:
    """x * gate * scale -> its layer."""
    if _near(scale, 1):
        if _is_layer_on(gate, nn.Sigmoid, x):
            return nn.SiLU()
        if _is_layer_on(gate, nn.Hardsigmoid, x):
            return nn.Hardswish()
        tanh = made_by(gate, nn.Tanh)
        if tanh and _is_layer_on(tanh.args[0], nn.Softplus, x):
            return nn.Mish()
    if _near(scale, 1 / 6) and _is(_relu6_of_plus_3(gate), x):
        return nn.Hardswish()
    if _near(scale, 0.5):
        inner = _plus(gate, 1.0)
        erf = made_by(inner, torch.erf) if inner else None
        if erf and _is_multiple(erf.args[0], x, math.sqrt(0.5)):
            return nn.GELU()
        tanh = made_by(inner, nn.Tanh) if inner else None
        if tanh and _is_cubic(tanh.args[0], x):
            return nn.GELU("tanh")
    return None


def _is_cubic(value: Value, x: Value) -> bool:
    """sqrt(2 / pi) * (x + 0.044715 x^3)."""
    parts = _factors(value)
    live = [f for f in parts if isinstance(f, Value)]
    if not (len(live) == 1 and _near(math.prod(f for f in parts if isinstance(f, float)), math.sqrt(2 / math.pi))):
        return False
    step = made_by(live[0], operator.add)
    if step is None:
        return False
    one, other = step.args
    cube = other if _is(one, x) else one if _is(other, x) else None
    if not isinstance(cube, Value):
        return False
    inside = _factors(cube)
    powers = [f for f in inside if isinstance(f, Value)]
    number = math.prod(f for f in inside if isinstance(f, float))
    cubed = [made_by(f, torch.pow) for f in powers]
    is_cube = (len(powers) == 3 and all(_is(f, x) for f in powers)) or (
        len(powers) == 1 and cubed[0] is not None and _is(cubed[0].args[0], x) and cubed[0].args[1] == 3
    )
    return is_cube and _near(number, 0.044715)


def layer_norm(op: Op, top: Value, bottom: Value) -> Value | None:
    """(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) over the last axes -> LayerNorm without weights."""
    difference, root = made_by(top, operator.sub), made_by(bottom, torch.sqrt)
    if difference is None or root is None:
        return None
    x, mean = difference.args
    shifted = made_by(root.args[0], operator.add)
    if not isinstance(x, Value) or not isinstance(mean, Value) or shifted is None:
        return None
    epsilon, variance = _number_and_value(shifted)
    inner = made_by(variance, torch.mean) if variance else None
    outer = made_by(mean, torch.mean)
    if epsilon is None or not epsilon >= 0 or inner is None or outer is None or not _is(outer.args[0], x):
        return None
    axes = _last_axes(outer, len(x.shape))
    if not axes or axes != _last_axes(inner, len(x.shape)) or not _is_square(inner.args[0], top):
        return None
    module = on_meta(nn.LayerNorm, x.shape[-axes:], epsilon, elementwise_affine=False)
    return op.layer(module, x)


def _last_axes(mean: Step, rank: int) -> int:
    """How many axes, counted from the last, a mean with kept axes runs over; 0 where it is another mean."""
    axes, kept = mean.args[1], mean.kwargs.get("keepdim")
    wanted = tuple(range(rank - len(axes), rank))
    return len(axes) if kept and tuple(sorted(axes)) == wanted and len(axes) < rank else 0


def _is_square(value: Value, of: Value) -> bool:
    power, product = made_by(value, torch.pow), made_by(value, operator.mul)
    if power:
        return _same(power.args[0], of) and power.args[1] == 2
    return bool(product) and _same(product.args[0], of) and _same(product.args[1], of)  # type: ignore[union-attr]


def _same(one: Any, other: Value) -> bool:
    """The same value, or the same difference written twice (old exporters subtract the mean two times)."""
    if _is(one, other):
        return True
    a, b = (made_by(v, operator.sub) if isinstance(v, Value) else None for v in (one, other))
    if a is None or b is None or not _is(a.args[0], b.args[0]):
        return False
    means = [made_by(s.args[1], torch.mean) if isinstance(s.args[1], Value) else None for s in (a, b)]
    return None not in means and _is(means[0].args[0], means[1].args[0]) and means[0].args[1] == means[1].args[1]  # type: ignore[union-attr]


def affine(op: Op, x: Value, scale: Value | None, shift: Value | None) -> Value | None:
    """A LayerNorm without weights, then times a row (or plus a row) of the file -> the LayerNorm with it."""
    step = made_by(x, nn.LayerNorm)
    numbers = scale if shift is None else shift
    if step is None or numbers is None or not numbers.known:
        return None
    norm: Any = step.target
    if numbers.shape != norm.normalized_shape or ("bias" in step.weights) or (scale is not None and step.weights):
        return None
    if shift is not None and "weight" not in step.weights:
        return None
    weights = {**step.weights, "weight" if shift is None else "bias": numbers}
    module = on_meta(nn.LayerNorm, norm.normalized_shape, norm.eps, bias="bias" in weights)
    return op.tape.layer(module, step.args[0], weights, node=op.proto)


def _factors(value: Value, depth: int = 0) -> list[Value | float]:
    """A product -> its factors, numbers as floats. Not deeper than any activation is written."""
    if value.known:
        return [value] if value.number is None else [value.number]
    step = value.step
    product, quotient = made_by(value, operator.mul), made_by(value, operator.truediv)
    if step is None or depth > 4 or not (product or quotient):
        return [value]
    first, second = step.args
    if quotient and not (isinstance(second, float) and second):
        return [value]
    inside: list[Value | float] = []
    for at, part in enumerate((first, second)):
        if isinstance(part, Value):
            inside += _factors(part, depth + 1)
        else:
            inside.append(1 / part if quotient and at else float(part))
    return inside


def _relu6_of_plus_3(value: Value) -> Value | None:
    step = made_by(value, nn.ReLU6)
    return _plus(step.args[0], 3.0) if step else None


def _plus(value: Value, number: float) -> Value | None:
    """x + number -> x."""
    step = made_by(value, operator.add)
    if step is None:
        return None
    found, x = _number_and_value(step)
    return x if found is not None and _near(found, number) else None


def _number_and_value(step: Step) -> tuple[float | None, Value | None]:
    numbers = [a for a in step.args if isinstance(a, float)]
    values = [a for a in step.args if isinstance(a, Value)]
    return (numbers[0], values[0]) if len(numbers) == len(values) == 1 else (None, None)


def _is_multiple(value: Value, x: Value, number: float) -> bool:
    parts = _factors(value)
    live = [f for f in parts if isinstance(f, Value)]
    return len(live) == 1 and _is(live[0], x) and _near(math.prod(f for f in parts if isinstance(f, float)), number)


def _is_layer_on(value: Value, kind: type[nn.Module], x: Value) -> bool:
    step = made_by(value, kind)
    return step is not None and _is(step.args[0], x)


def _is(one: Any, other: Any) -> bool:
    return isinstance(one, Value) and isinstance(other, Value) and one.step is not None and one.step is other.step


def _near(a: float, b: float) -> bool:
    return abs(a - b) < _NEAR * max(1.0, abs(b))
