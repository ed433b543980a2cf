"""Operators that onnxruntime's optimiser writes (domain com.microsoft): a layer and the activation after it in one."""

from __future__ import annotations

import operator
from collections.abc import Callable

from torch import nn

from cutaway.formats.onnx_dense import gemm
from cutaway.formats.onnx_errors import Refused
from cutaway.formats.onnx_math import clipping, gelu, hard_sigmoid_of
from cutaway.formats.onnx_node import Op
from cutaway.formats.onnx_values import Value
from cutaway.formats.onnx_window import conv

_PLAIN: dict[str, Callable[[], nn.Module]] = {"Relu": nn.ReLU, "Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh}


def fused_conv(op: Op) -> Value:
    """Convolution, plus a value (input 4), then the activation."""
    x = conv(op)
    if op.has(3):
        x = op.call(operator.add, x, op.value(3), suffix="add")
    return _activated(op, x, op.floats_of("activation_params"))


def fused_gemm(op: Op) -> Value:
    return _activated(op, gemm(op), [op.real("activation_alpha", 0.01)])


def _activated(op: Op, x: Value, numbers: list[float]) -> Value:
    word = op.word("activation")
    if word in _PLAIN:
        return op.layer(_PLAIN[word](), x, word.lower())
    if word == "LeakyRelu" and len(numbers) == 1:
        return op.layer(nn.LeakyReLU(numbers[0]), x, "leaky_relu")
    if word == "HardSigmoid" and len(numbers) == 2:
        return hard_sigmoid_of(op, x, numbers[0], numbers[1])
    if word == "Clip" and len(numbers) == 2 and numbers[0] < numbers[1]:
        return op.layer(clipping(numbers[0], numbers[1]), x, "clip")
    raise Refused(f"ends in the activation {word!r} with the numbers {numbers[:5]}, which is not on Cutaway's list.")


OPERATORS: dict[str, Callable[[Op], Value]] = {"FusedConv": fused_conv, "FusedGemm": fused_gemm, "Gelu": gelu}
