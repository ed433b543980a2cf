"""TFLite activations, fused into another operator or on their own, -> torch layers of their own."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import nn

from cutaway.formats.keras_emit import filled
from cutaway.formats.tflite_emit import Emit, Table, Value

_FUSED: dict[int, tuple[str, Callable[[], nn.Module]]] = {
    1: ("relu", nn.ReLU),
    2: ("relu_n1_to_1", lambda: nn.Hardtanh(-1.0, 1.0)),
    3: ("relu6", nn.ReLU6),
    4: ("tanh", nn.Tanh),
}
_OWN: dict[str, Callable[[], nn.Module]] = {
    "RELU": nn.ReLU,
    "RELU6": nn.ReLU6,
    "RELU_N1_TO_1": lambda: nn.Hardtanh(-1.0, 1.0),
    "RELU_0_TO_1": lambda: nn.Hardtanh(0.0, 1.0),
    "LOGISTIC": nn.Sigmoid,
    "TANH": nn.Tanh,
    "ELU": nn.ELU,
    "HARD_SWISH": nn.Hardswish,
}


def fused(e: Emit, x: Value, cls: str) -> Value:
    """Value -> the same after the activation that the operator's settings (schema class `cls`) fuse into it."""
    code = e.number(cls, "FusedActivationFunction")
    if code == 0:
        return x
    if code not in _FUSED:
        raise e.stop(f"its fused activation (number {code}) is not on Cutaway's list.")
    word, make = _FUSED[code]
    e.name = e.activation_name or f"{e.name}_{word}"
    return e.layer(make(), x, x.shape)


def _simple(e: Emit) -> Value:
    x = e.value(0, merged=True)
    if e.then_times_itself:
        return replace(x, waits=e.name, gate=True)
    return e.layer(_OWN[e.kind](), x, x.shape)


def _leaky_relu(e: Emit) -> Value:
    x = e.value(0, merged=True)
    return e.layer(nn.LeakyReLU(e.number("LeakyReluOptions", "Alpha")), x, x.shape)


def _gelu(e: Emit) -> Value:
    x = e.value(0, merged=True)
    return e.layer(nn.GELU("tanh" if e.number("GeluOptions", "Approximate") else "none"), x, x.shape)


def _prelu(e: Emit) -> Value:
    """One slope for all, or one a channel."""
    x, slopes = e.first(e.value(0)), e.constant(1, "slopes")
    if slopes.size not in (1, x.shape[-1]) or slopes.size != slopes.shape[-1]:
        raise e.stop(f"it keeps slopes of shape {slopes.shape}; one for all or one a channel can be opened.")
    module = filled(nn.PReLU(slopes.size, device="meta"), weight=slopes.reshape(-1))
    return e.layer(module, x, x.shape)


def _softmax(e: Emit) -> Value:
    x = e.value(0, merged=True)
    _must_have_two(e, x)
    beta = float(np.float32(e.number("SoftmaxOptions", "Beta", 1.0)))
    if beta != 1:
        x = e.call(operator.mul, x, beta, shape=x.shape, suffix="beta")
    return e.layer(nn.Softmax(x.axis(x.rank - 1)), x, x.shape)


def _log_softmax(e: Emit) -> Value:
    x = e.value(0, merged=True)
    _must_have_two(e, x)
    return e.layer(nn.LogSoftmax(x.axis(x.rank - 1)), x, x.shape)


def _must_have_two(e: Emit, x: Value) -> None:
    e.axis(-1, x.rank)


def _as_it_is(e: Emit) -> Value:
    """Between integers and the numbers they stand for: the graph computes with the numbers."""
    return replace(e.value(0, merged=True))


TABLE: Table = {
    **dict.fromkeys(_OWN, _simple),
    "LEAKY_RELU": _leaky_relu,
    "GELU": _gelu,
    "PRELU": _prelu,
    "SOFTMAX": _softmax,
    "LOG_SOFTMAX": _log_softmax,
    "QUANTIZE": _as_it_is,
    "DEQUANTIZE": _as_it_is,
}
