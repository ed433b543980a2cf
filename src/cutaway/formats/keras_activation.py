"""Keras activations -> torch layers, whether they come as a layer of their own or inside a Conv or Dense."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn

from cutaway.formats.keras_emit import Emit, Value, filled
from cutaway.graph.extra import ClippedReLU

_SIMPLE: dict[str, Any] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(1),
    "log_softmax": lambda: nn.LogSoftmax(1),
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "swish": nn.SiLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "mish": nn.Mish,
    "log_sigmoid": nn.LogSigmoid,
    "hard_silu": nn.Hardswish,
    "hard_swish": nn.Hardswish,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "hard_tanh": nn.Hardtanh,
}


def activated(e: Emit, x: Value) -> Value:
    """A layer's value -> the same after the `activation` in its settings, as a layer `<name>_<activation>`."""
    word = _word(e)
    return x if word == "linear" else _apply(e, x, word, word)


def activation(e: Emit, x: Value) -> Value:
    word = _word(e)
    return e.layer(nn.Identity(), x, x.shape) if word == "linear" else _apply(e, x, word, "")


def _word(e: Emit) -> str:
    """Keras 2 writes "relu", Keras 3 also {"class_name": "function", "config": "relu"}."""
    value = e.settings.raw("activation")
    if isinstance(value, dict):
        value = value.get("config") if value.get("class_name") == "function" else str(value.get("class_name")).lower()
    if value is None:
        return "linear"
    if not isinstance(value, str) or value not in (*_SIMPLE, "linear", "hard_sigmoid", "exponential"):
        raise e.refuse(f"its activation {str(value)[:60]!r} is not on Cutaway's list.")
    return value


def _apply(e: Emit, x: Value, word: str, suffix: str) -> Value:
    if word == "exponential":
        return e.call(torch.exp, x, shape=x.shape, suffix=suffix)
    if word == "hard_sigmoid" and e.keras < 3:  # clip(0.2 x + 0.5, 0, 1); Keras 3 and torch: relu6(x + 3) / 6
        scaled = e.call(operator.mul, x, 0.2, shape=x.shape, suffix=f"{suffix}_scale".strip("_"))
        shifted = e.call(operator.add, scaled, 0.5, shape=x.shape, suffix=f"{suffix}_shift".strip("_"))
        return e.call(torch.clamp, shifted, 0.0, 1.0, shape=x.shape, suffix=suffix)
    if word == "hard_sigmoid":
        return e.layer(nn.Hardsigmoid(), x, x.shape, suffix)
    return e.layer(_SIMPLE[word](), x, x.shape, suffix)


def relu(e: Emit, x: Value) -> Value:
    top = e.settings.number("max_value") if "max_value" in e.settings else None
    slope, threshold = e.settings.number("negative_slope", 0.0), e.settings.number("threshold", 0.0)
    if top is not None and top <= threshold:
        raise e.settings.bad("max_value", f"above its threshold {threshold:g}", top)
    module: nn.Module
    if slope or threshold:
        plain = top is None and threshold == 0
        module = nn.LeakyReLU(slope) if plain else ClippedReLU(top, slope, threshold)
    elif top is None:
        module = nn.ReLU()
    else:
        module = nn.ReLU6() if top == 6 else nn.Hardtanh(0.0, top)
    return e.layer(module, x, x.shape)


def leaky_relu(e: Emit, x: Value) -> Value:
    key = "negative_slope" if "negative_slope" in e.settings else "alpha"
    return e.layer(nn.LeakyReLU(e.settings.number(key, 0.3)), x, x.shape)


def thresholded_relu(e: Emit, x: Value) -> Value:
    return e.layer(ClippedReLU(None, 0.0, e.settings.number("theta", 1.0)), x, x.shape)


def elu(e: Emit, x: Value) -> Value:
    return e.layer(nn.ELU(e.settings.number("alpha", 1.0)), x, x.shape)


def prelu(e: Emit, x: Value) -> Value:
    shared = e.settings.axes("shared_axes", (), len(x.shape) + 1) if e.settings.raw("shared_axes") else ()
    alpha = tuple(1 if axis + 1 in shared else size for axis, size in enumerate(x.shape))
    if any(size != 1 for size in alpha[:-1]):
        raise e.refuse("it keeps a slope for every pixel; only one slope a channel (shared_axes=[1, 2]) can be opened.")
    array = e.weights(alpha=alpha)["alpha"].reshape(-1)
    return e.layer(filled(nn.PReLU(len(array), device="meta"), weight=array), x, x.shape)


def softmax(e: Emit, x: Value) -> Value:
    rank = len(x.shape) + 1
    axes = e.settings.axes("axis", -1, rank)
    if len(axes) != 1:
        raise e.refuse("it runs over several axes at once, which is not on Cutaway's list.")
    return e.layer(nn.Softmax(channels_first(axes[0], rank)), x, x.shape)


def channels_first(axis: int, rank: int) -> int:
    """Axis of a channels-last value with `rank` axes -> the same axis in the graph, where channels are axis 1."""
    return 1 if axis == rank - 1 else axis + 1


def named(e: Emit, x: Value, word: str) -> Value:
    """An activation function that the network calls by name, outside any layer."""
    return _apply(e, x, word, "")
