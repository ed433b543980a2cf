"""ONNX Gemm, MatMul and the normalisations -> Linear, BatchNorm, LayerNorm and their kin."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import nn

from cutaway.formats.onnx_errors import Refused
from cutaway.formats.onnx_node import Op, on_meta
from cutaway.formats.onnx_values import Value

_MOST_PRODUCTS = 10**9
_BATCH_NORMS: dict[int, Any] = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}


def gemm(op: Op) -> Value:
    a, b = op.value(0), op.value(1)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise Refused(f"multiplies values with {len(a.shape)} and {len(b.shape)} axes; both need 2.")
    if op.whole("transA", 0):
        a = op.call(torch.transpose, a, 0, 1, suffix="transpose")
    alpha, beta = op.real("alpha", 1.0), op.real("beta", 1.0)
    if not b.known or a.known:
        return _products(op, a, b, alpha, beta)
    weight = b if op.whole("transB", 0) else _moved(b, b.tensor.t())
    if alpha != 1:
        weight = op.fresh(weight.tensor * alpha)
    bias = op.known(2, "bias") if op.has(2) else None
    if bias is not None:
        bias = _row(bias, weight.shape[0], beta)
    return linear(op, a, weight, bias)


def _products(op: Op, a: Value, b: Value, alpha: float, beta: float) -> Value:
    if op.whole("transB", 0):
        b = op.call(torch.transpose, b, 0, 1, suffix="transpose_b")
    y = product(op, a, b)
    if alpha != 1:
        y = op.call(operator.mul, y, alpha, suffix="alpha")
    if not op.has(2):
        return y
    added = op.value(2) if beta == 1 else op.call(operator.mul, op.value(2), beta, suffix="beta")
    return op.call(operator.add, y, added, suffix="add")


def _row(bias: Value, width: int, beta: float) -> Value:
    numbers = bias.tensor.reshape(-1) * beta if beta != 1 else bias.tensor.reshape(-1)
    if bias.tensor.numel() == 1 and width > 1:
        numbers = numbers.expand(width)
    if numbers.numel() != width or bias.shape not in {(), (1,), (width,), (1, width), (1, 1)}:
        raise Refused(f"has a bias of shape {bias.shape} for {width} outputs.")
    return bias if bias.shape == (width,) and beta == 1 else Value(numbers, origin=bias.origin, of_batch=bias.of_batch)


def _moved(value: Value, tensor: torch.Tensor) -> Value:
    return Value(tensor, None, value.of_batch, value.origin)


def linear(op: Op, x: Value, weight: Value, bias: Value | None) -> Value:
    """`weight` (out, in)."""
    module = on_meta(nn.Linear, weight.shape[1], weight.shape[0], bias is not None)
    return op.layer(module, x, weight=weight, bias=bias)


def matmul(op: Op) -> Value:
    a, b = op.value(0), op.value(1)
    if not a.known and b.known and len(b.shape) == 2 and len(a.shape) >= 2:
        return linear(op, a, _moved(b, b.tensor.t()), None)
    return product(op, a, b)


def product(op: Op, a: Value, b: Value) -> Value:
    if a.known and b.known and a.tensor.numel() * (b.shape[-1] if len(b.shape) > 1 else 1) > _MOST_PRODUCTS:
        raise Refused("multiplies large arrays of the file with one another, which is not worked out.")
    return op.call(torch.matmul, a, b)


def batch_norm(op: Op) -> Value:
    x = op.value(0)
    if x.known:
        return _known_batch_norm(op, x)
    rank = op.rank(x, 2, 3, 4)
    if op.whole("training_mode", 0):
        raise Refused("is in training mode: its result depends on the other pictures. Export the network in eval mode.")
    if op.whole("spatial", 1) != 1:
        raise Refused("has spatial 0 (an average for every pixel), which is not on Cutaway's list.")
    names = {"weight": 1, "bias": 2, "running_mean": 3, "running_var": 4}
    arrays = {name: op.known(at, f"{name}") for name, at in names.items()}
    _must_have_channels(arrays, x.shape[1])
    epsilon, momentum = op.epsilon(), 1 - op.real("momentum", 0.9)
    module = on_meta(_BATCH_NORMS[rank], x.shape[1], epsilon, momentum)
    return op.tape.layer(module, x, arrays, node=op.proto)


def _known_batch_norm(op: Op, x: Value) -> Value:
    """Weights that a network standardises before it uses them (timm's ScaledStdConv): done now, once."""
    op.rank(x, 2, 3, 4)
    given = {name: op.known(at, name) for at, name in enumerate(("scale", "bias", "mean", "variance"), 1)}
    _must_have_channels(given, x.shape[1])
    scale, shift, mean, variance = (value.tensor for value in given.values())
    op.tape.must_fit(x.tensor.numel())
    numbers, axes = x.tensor.float(), [n for n in range(len(x.shape)) if n != 1]
    if op.whole("training_mode", 0):
        variance, mean = torch.var_mean(numbers, axes, correction=0)
    form = [-1 if n == 1 else 1 for n in range(len(x.shape))]
    centred = numbers - mean.reshape(form)
    root = torch.sqrt(variance.reshape(form) + op.epsilon())
    return Value(centred / root * scale.reshape(form) + shift.reshape(form), origin=x.origin)


def instance_norm(op: Op) -> Value:
    x = op.value(0)
    op.rank(x, 4)
    arrays: dict[str, Value] = {"weight": op.known(1, "scale"), "bias": op.known(2, "bias")}
    _must_have_channels(arrays, x.shape[1])
    module = on_meta(nn.InstanceNorm2d, x.shape[1], op.epsilon(), affine=True)
    return op.tape.layer(module, x, arrays, node=op.proto)


def group_norm(op: Op) -> Value:
    x = op.value(0)
    groups, channels = op.whole("num_groups", 0), x.shape[1]
    if groups < 1 or channels % groups:
        raise Refused(f"divides {channels} channels into {groups} groups.")
    scale, bias = op.known(1, "scale"), op.known(2, "bias")
    if op.opset < 21 and scale.shape == bias.shape == (groups,) and groups != channels:
        each = channels // groups
        scale, bias = (op.fresh(v.tensor.repeat_interleave(each)) for v in (scale, bias))
    _must_have_channels({"scale": scale, "bias": bias}, channels)
    module = on_meta(nn.GroupNorm, groups, channels, op.epsilon())
    return op.layer(module, x, weight=scale, bias=bias)


def layer_norm(op: Op) -> Value:
    x = op.value(0)
    axis = op.axis(op.whole("axis", -1), len(x.shape))
    shape, scale = x.shape[axis:], op.known(1, "scale")
    bias = op.known(2, "bias") if op.has(2) else None
    if axis == 0:
        raise Refused("averages over the pictures.")
    if math.prod(scale.shape) != math.prod(shape) or (bias is not None and bias.tensor.numel() != math.prod(shape)):
        raise Refused(f"has a scale of shape {scale.shape} for the axes {shape}.")
    module = on_meta(nn.LayerNorm, shape, op.epsilon(), bias=bias is not None)
    shaped = {"weight": _moved(scale, scale.tensor.reshape(shape))}
    if bias is not None:
        shaped["bias"] = _moved(bias, bias.tensor.reshape(shape))
    return op.tape.layer(module, x, shaped, node=op.proto)


def rms_norm(op: Op) -> Value:
    x, scale = op.value(0), op.known(1, "scale")
    axis = op.axis(op.whole("axis", -1), len(x.shape))
    if axis == 0 or scale.tensor.numel() != math.prod(x.shape[axis:]):
        raise Refused(f"has a scale of shape {scale.shape} for the axes {x.shape[axis:]}.")
    module = on_meta(nn.RMSNorm, x.shape[axis:], op.epsilon())
    return op.layer(module, x, weight=_moved(scale, scale.tensor.reshape(x.shape[axis:])))


def local_response(op: Op) -> Value:
    size = op.whole("size", 0)
    if size < 1 or size % 2 == 0:
        raise Refused(f"averages over {size} channels; only odd numbers can be opened.")
    x = op.value(0)
    op.rank(x, 3, 4)
    alpha, beta, bias = op.real("alpha", 1e-4), op.real("beta", 0.75), op.real("bias", 1.0)
    return op.layer(nn.LocalResponseNorm(size, alpha, beta, bias), x)


def lp_norm(op: Op) -> Value:
    x = op.value(0)
    axis = op.axis(op.whole("axis", -1), len(x.shape))
    return op.call(nn.functional.normalize, x, float(op.whole("p", 2)), axis, 0.0)


def _must_have_channels(arrays: dict[str, Value], channels: int) -> None:
    for name, value in arrays.items():
        if value.shape != (channels,):
            raise Refused(f"has a {name} of shape {value.shape} for {channels} channels.")


OPERATORS = {
    "Gemm": gemm,
    "MatMul": matmul,
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "LRN": local_response,
    "LpNormalization": lp_norm,
}
