"""ONNX arithmetic and activations -> torch layers and functions; what exporters took apart is put together again."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cutaway.formats import onnx_match as match
from cutaway.formats.onnx_dense import linear
from cutaway.formats.onnx_errors import Refused
from cutaway.formats.onnx_node import Op, made_by, on_meta
from cutaway.formats.onnx_values import Value
from cutaway.graph.extra import ClippedReLU

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def add(op: Op) -> Value:
    a, b = op.value(0), op.value(1)
    if a.known and not b.known:
        a, b = b, a
    return _with_bias(op, a, b) or match.affine(op, a, None, b) or _arithmetic(op, operator.add, a, b)


def _with_bias(op: Op, x: Value, bias: Value) -> Value | None:
    """A convolution or dense layer without bias, and the bias added after it -> one layer with bias."""
    step = x.step
    if step is None or not bias.known or "bias" in step.weights or not step.is_layer:
        return None
    if isinstance(step.target, nn.Linear) and bias.shape in {(x.shape[-1],), (1,) * (len(x.shape) - 1) + x.shape[-1:]}:
        flat = Value(bias.tensor.reshape(-1), None, bias.of_batch, bias.origin)
        return linear(op, step.args[0], step.weights["weight"], flat)
    if type(step.target) is nn.Conv2d and bias.shape in {(x.shape[1], 1, 1), (1, x.shape[1], 1, 1)}:
        c: Any = step.target
        sizes = (c.in_channels, c.out_channels, c.kernel_size, c.stride, c.padding, c.dilation, c.groups)
        flat = Value(bias.tensor.reshape(-1), None, bias.of_batch, bias.origin)
        module = on_meta(nn.Conv2d, *sizes)
        return op.tape.layer(module, step.args[0], {**step.weights, "bias": flat}, node=step.node)
    return None


def sub(op: Op) -> Value:
    return _arithmetic(op, operator.sub, op.value(0), op.value(1))


def mul(op: Op) -> Value:
    a, b = op.value(0), op.value(1)
    if a.known and b.known:
        return _arithmetic(op, operator.mul, a, b)
    found = match.activation(op, a, b, 1.0)
    if found is not None:
        return found
    x, scale = (b, a) if a.known else (a, b)
    return match.affine(op, x, scale, None) or _arithmetic(op, operator.mul, a, b)


def div(op: Op) -> Value:
    a, b = op.value(0), op.value(1)
    if a.known and b.known and not a.tensor.is_floating_point():
        if not bool(b.tensor.all()):
            raise Refused("divides by zero.")
        return op.call(_whole_quotient, a, b)
    if b.number and not a.known:
        found = match.activation(op, a, None, 1 / b.number)
        if found is not None:
            return found
    return match.layer_norm(op, a, b) or _arithmetic(op, operator.truediv, a, b)


def _whole_quotient(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.div(a, b, rounding_mode="trunc")


def _arithmetic(op: Op, function: Callable[..., Any], a: Value, b: Value) -> Value:
    if a.known and b.known:
        return op.call(function, a, b)
    return op.call(function, _plain(a), _plain(b))


def _plain(value: Value) -> Value | float:
    """One number of the file -> a Python number, where that does not change the other side's shape."""
    number = value.number if len(value.shape) <= 1 and not value.of_batch else None
    return value if number is None else number


def power(op: Op) -> Value:
    a, b = op.value(0), op.value(1)
    if a.known and b.known and not a.tensor.is_floating_point() and not b.tensor.is_floating_point():
        a = Value(a.tensor.double(), of_batch=a.of_batch)
    return op.call(torch.pow, a, _plain(b))


def simple(function: Callable[..., Any]) -> Callable[[Op], Value]:
    return lambda op: op.call(function, op.value(0))


def module(make: Callable[[], nn.Module]) -> Callable[[Op], Value]:
    return lambda op: op.layer(make(), op.value(0))


def reciprocal(op: Op) -> Value:
    return op.call(operator.truediv, 1.0, op.value(0))


def clip(op: Op) -> Value:
    x = op.value(0)
    if op.opset < 11:
        low, high = op.real("min", -math.inf), op.real("max", math.inf)
    else:
        low, high = op.number_at(1, "lower end", -math.inf), op.number_at(2, "upper end", math.inf)
    if x.known:
        return op.call(torch.clamp, x, low, high)
    if low >= high or math.isnan(low) or math.isnan(high):
        raise Refused(f"clips to the empty range {low:g} to {high:g}.")
    return op.layer(clipping(low, high), x)


def clipping(low: float, high: float) -> nn.Module:
    if low == 0 and high in (6, math.inf):
        return nn.ReLU6() if high == 6 else nn.ReLU()
    return nn.Hardtanh(low, high)


def extreme(function: Callable[..., Any], clip_low: bool) -> Callable[[Op], Value]:
    """Max or Min of any number of values; against one number of the file it is a clipping."""

    def build(op: Op) -> Value:
        found = op.value(0)
        for at in range(1, len(op.inputs)):
            a, b = found, op.value(at)
            x, number = (a, b.number) if b.known else (b, a.number)
            if x.known or number is None or math.isinf(number) or math.isnan(number):
                found = op.call(function, a, b)
            elif not clip_low and number > 0 and made_by(x, nn.ReLU):
                found = op.layer(clipping(0.0, number), x.step.args[0])  # type: ignore[union-attr]
            else:
                found = op.layer(clipping(number, math.inf) if clip_low else clipping(-math.inf, number), x)
        return found

    return build


def summed(op: Op) -> Value:
    found = op.value(0)
    for at in range(1, len(op.inputs)):
        found = _arithmetic(op, operator.add, found, op.value(at))
    return _arithmetic(op, operator.truediv, found, _of(len(op.inputs))) if op.kind == "Mean" else found


def _of(number: float) -> Value:
    return Value(torch.tensor(float(number)))


def hard_sigmoid(op: Op) -> Value:
    return hard_sigmoid_of(op, op.value(0), op.real("alpha", 0.2), op.real("beta", 0.5))


def hard_sigmoid_of(op: Op, x: Value, alpha: float, beta: float) -> Value:
    """clip(alpha * x + beta, 0, 1)."""
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return op.layer(nn.Hardsigmoid(), x)
    scaled = op.call(operator.add, op.call(operator.mul, x, alpha, suffix="scale"), beta, suffix="shift")
    return op.layer(nn.Hardtanh(0.0, 1.0), scaled)


def selu(op: Op) -> Value:
    alpha, gamma, x = op.real("alpha", _SELU[0]), op.real("gamma", _SELU[1]), op.value(0)
    if abs(alpha - _SELU[0]) < 1e-4 and abs(gamma - _SELU[1]) < 1e-4:
        return op.layer(nn.SELU(), x)
    return op.call(operator.mul, op.layer(nn.ELU(alpha), x, "elu"), gamma)


def prelu(op: Op) -> Value:
    x, slope = op.value(0), op.known(1, "slope")
    count = slope.tensor.numel()
    channels = x.shape[1] if len(x.shape) > 1 else 1
    one_axis = sum(n > 1 for n in slope.shape) <= 1
    on_channels = count == 1 or (count == channels and one_axis and _channel_axis(slope.shape, len(x.shape)))
    if not on_channels:
        raise Refused(f"has a slope of shape {slope.shape}; only one slope a channel can be opened.")
    flat = Value(slope.tensor.reshape(-1), origin=slope.origin)
    return op.layer(on_meta(nn.PReLU, count), x, weight=flat)


def _channel_axis(shape: tuple[int, ...], rank: int) -> bool:
    """Whether the numbers lie along axis 1 of a value with `rank` axes, counted from the end as broadcasting does."""
    from_end = [len(shape) - at for at, n in enumerate(shape) if n > 1]
    return from_end == [rank - 1] or (len(shape) == 1 and rank <= 2)


def gelu(op: Op) -> Value:
    approximate = op.word("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise Refused(f"approximates by {approximate!r}, which does not exist.")
    return op.layer(nn.GELU(approximate), op.value(0))


def swish(op: Op) -> Value:
    x, alpha = op.value(0), op.real("alpha", 1.0)
    if alpha == 1:
        return op.layer(nn.SiLU(), x)
    inner = op.layer(nn.Sigmoid(), op.call(operator.mul, x, alpha, suffix="scale"), "sigmoid")
    return op.call(operator.mul, x, inner)


def softmax(op: Op) -> Value:
    x = op.value(0)
    rank = len(x.shape)
    axis = op.axis(op.whole("axis", -1 if op.opset >= 13 else 1), rank)
    make: Any = nn.Softmax if op.kind == "Softmax" else nn.LogSoftmax
    if op.opset >= 13 or math.prod(x.shape[axis + 1 :]) == 1:
        return op.layer(make(axis), x)
    if axis == 0:
        raise Refused("runs over all pictures at once.")
    flat = op.layer(nn.Flatten(axis), x, "flatten")  # old versions took all axes from `axis` on as one
    return op.call(torch.reshape, op.layer(make(axis), flat), (-1, *x.shape[1:]), suffix="reshape")


def dropout(op: Op) -> Value:
    x = op.value(0)
    ratio = op.real("ratio", 0.5) if op.opset < 12 else op.number_at(1, "ratio", 0.5)
    if not 0 <= ratio <= 1:
        raise Refused(f"drops the share {ratio:g}; 0 to 1 are possible.")
    return x if x.known else op.layer(nn.Dropout(ratio), x)


def comparison(function: Callable[..., Any]) -> Callable[[Op], Value]:
    """Decides by numbers; only where all of them are the file's own."""

    def build(op: Op) -> Value:
        if not all(v is None or v.known for v in op.inputs):
            raise Refused("decides by values of the picture, which is not on Cutaway's list.")
        return op.call(function, *(op.value(at) for at in range(len(op.inputs))))

    return build


def modulo(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.remainder(a, b)


def where(op: Op) -> Value:
    condition = op.known(0, "condition")
    return op.call(torch.where, condition, op.value(1), op.value(2))


OPERATORS: dict[str, Callable[[Op], Value]] = {
    "Add": add,
    "Sub": sub,
    "Mul": mul,
    "Div": div,
    "Pow": power,
    "Sum": summed,
    "Mean": summed,
    "Max": extreme(torch.maximum, True),
    "Min": extreme(torch.minimum, False),
    "Clip": clip,
    "Reciprocal": reciprocal,
    "Sqrt": simple(torch.sqrt),
    "Exp": simple(torch.exp),
    "Log": simple(torch.log),
    "Neg": simple(operator.neg),
    "Sin": simple(torch.sin),
    "Cos": simple(torch.cos),
    "Abs": simple(torch.abs),
    "Erf": simple(torch.erf),
    "Floor": simple(torch.floor),
    "Ceil": simple(torch.ceil),
    "Round": simple(torch.round),
    "Sign": simple(torch.sign),
    "Relu": module(nn.ReLU),
    "Sigmoid": module(nn.Sigmoid),
    "Tanh": module(nn.Tanh),
    "Softplus": module(nn.Softplus),
    "Softsign": module(nn.Softsign),
    "Mish": module(nn.Mish),
    "HardSwish": module(nn.Hardswish),
    "Identity": lambda op: op.value(0),
    "Elu": lambda op: op.layer(nn.ELU(op.real("alpha", 1.0)), op.value(0)),
    "Celu": lambda op: op.layer(nn.CELU(op.real("alpha", 1.0)), op.value(0)),
    "LeakyRelu": lambda op: op.layer(nn.LeakyReLU(op.real("alpha", 0.01)), op.value(0)),
    "ThresholdedRelu": lambda op: op.layer(ClippedReLU(None, 0.0, op.real("alpha", 1.0)), op.value(0)),
    "HardSigmoid": hard_sigmoid,
    "Selu": selu,
    "PRelu": prelu,
    "Gelu": gelu,
    "Swish": swish,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Dropout": dropout,
    "Where": where,
    "Equal": comparison(torch.eq),
    "Less": comparison(torch.lt),
    "LessOrEqual": comparison(torch.le),
    "Greater": comparison(torch.gt),
    "GreaterOrEqual": comparison(torch.ge),
    "And": comparison(torch.logical_and),
    "Or": comparison(torch.logical_or),
    "Xor": comparison(torch.logical_xor),
    "Not": comparison(torch.logical_not),
    "Mod": comparison(modulo),
}
