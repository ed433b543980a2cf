"""Bare functions between a Keras file's layers (x / 127.5, tf.nn.relu, keras.ops.mean) -> listed layers and functions.

Keras 2 keeps them as TFOpLambda and SlicingOpLambda with TensorFlow's name, Keras 3 under a class name of its own.
What is here covers preprocess_input of every Keras application and what functional models commonly do.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cutaway.formats import keras_activation, keras_conv, keras_shape
from cutaway.formats.keras_calls import shown
from cutaway.formats.keras_emit import Emit, Operand, Value

_TENSORFLOW = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "nn.bias_add": "Add",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.truediv": "TrueDivide",
    "math.divide": "TrueDivide",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "__operators__.getitem": "GetItem",
    "concat": "Concatenate",
    "stack": "Stack",
    "math.reduce_mean": "Mean",
    "math.reduce_max": "Max",
    "clip_by_value": "Clip",
    "identity": "Identity",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "math.sigmoid": "Sigmoid",
    "nn.sigmoid": "Sigmoid",
    "nn.softmax": "Softmax",
    "math.tanh": "Tanh",
    "nn.swish": "Silu",
    "nn.silu": "Silu",
}
_ARITHMETIC = {"Add": "add", "Subtract": "sub", "Multiply": "mul", "TrueDivide": "div", "Divide": "div"}
_MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
_ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Tanh": "tanh",
    "Silu": "silu",
    "Elu": "elu",
    "Selu": "selu",
    "Softplus": "softplus",
    "HardSilu": "hard_silu",
    "HardSigmoid": "hard_sigmoid",
    "Exp": "exponential",
}


_ALSO_LAYERS = {*_MERGES, "Concatenate", "Softmax", "Identity"}
_NO_LAYERS = {*_TENSORFLOW.values(), *_ARITHMETIC, *_ACTIVATIONS, "LeakyRelu", "Gelu"} - _ALSO_LAYERS


def is_function(e: Emit) -> bool:
    """Whether this "layer" is a bare function. Keras 3 .h5 files do not say it, but the names mostly do."""
    return e.is_function or e.kind in ("TFOpLambda", "SlicingOpLambda") or e.kind in _NO_LAYERS


def function(e: Emit, operands: Sequence[Operand]) -> Value:
    """One call of a bare function -> its value. Raises BadModel naming one that is not on the list."""
    word = str(e.settings.raw("function")) if e.kind.endswith("OpLambda") else e.kind
    kind = _TENSORFLOW.get(word, "") if e.kind.endswith("OpLambda") else word
    values = [v for v in operands if isinstance(v, Value)]
    if kind == "Stack":
        return _stack(e, values)
    if kind == "Concatenate" and len(values) == len(operands):
        return keras_shape.concatenate(e, *values)
    if kind in _MERGES and len(values) == len(operands) == 2:
        e.kind = kind
        return keras_shape.merge(e, *values)
    if kind in _ARITHMETIC and len(operands) == 2 and len(values) == 1:
        number = next(v for v in operands if not isinstance(v, Value))
        return keras_conv.multiply_add(e, values[0], _ARITHMETIC[kind], number, isinstance(operands[1], Value))
    if len(operands) == 1:
        return _of_one(e, values[0], kind, word)
    raise _unknown(e, word)


def _of_one(e: Emit, x: Value, kind: str, word: str) -> Value:
    if kind == "GetItem":
        return _slice(e, x)
    if kind in ("Mean", "Max"):
        return _reduced(e, x, kind)
    if kind == "Clip":
        low, high = (_limit(e, name) for name in ("min", "max"))
        return e.layer(nn.Hardtanh(low, high), x, x.shape)
    if kind == "Identity":
        return keras_shape.identity(e, x)
    if kind == "LeakyRelu":
        return keras_activation.leaky_relu(e, x)
    if kind == "Gelu":
        approximate = "tanh" if e.settings.flag("approximate", True) else "none"
        return e.layer(nn.GELU(approximate), x, x.shape)
    if kind == "Softmax" and e.settings.axes("axis", -1, len(x.shape) + 1) != (len(x.shape),):
        raise e.refuse("it runs along another axis than the channels, which is not on Cutaway's list.")
    if kind in _ACTIVATIONS:
        return keras_activation.named(e, x, _ACTIVATIONS[kind])
    raise _unknown(e, word)


def _unknown(e: Emit, word: str) -> Exception:
    whose = "TensorFlow" if e.kind.endswith("OpLambda") else "Keras"
    return e.refuse(f"it calls the {whose} function {shown(word)}, which is not on Cutaway's list.")


def _limit(e: Emit, end: str) -> float:
    key = f"x_{end}" if f"x_{end}" in e.settings else f"clip_value_{end}"
    return e.settings.number(key)


def _reduced(e: Emit, x: Value, kind: str) -> Value:
    """Mean or maximum over rows and columns: global pooling under another name."""
    axes = e.settings.axes("axis", (0,), len(x.shape) + 1) if e.settings.raw("axis") is not None else ()
    if len(x.shape) != 3 or axes != (1, 2):
        raise e.refuse("it reduces other axes than height and width, which is not on Cutaway's list.")
    e.kind = "GlobalAveragePooling2D" if kind == "Mean" else "GlobalMaxPooling2D"
    return keras_shape.global_pooling(e, x)


def _slice(e: Emit, x: Value) -> Value:
    """x[..., ::-1] turns the channels round, x[..., 2] picks one, x[:, 1:, 1:, :] cuts out a part."""
    index = _index(e, len(x.shape) + 1)
    batch, *inner = index
    *places, channel = inner
    whole = slice(None)
    if batch == whole and all(i == whole for i in places):
        if isinstance(channel, int) and -x.channels <= channel < x.channels:
            return Value(x.node, x.shape[:-1], picked=channel % x.channels)
        if channel == slice(None, None, -1):
            return e.call(torch.flip, x, [1], shape=x.shape)
    if batch != whole or not all(isinstance(i, slice) and (i.step is None or i.step > 0) for i in inner):
        raise e.refuse("it cuts out a part in a way that is not on Cutaway's list.")
    shape = [len(range(*i.indices(n))) for i, n in zip(inner, x.shape) if isinstance(i, slice)]
    return e.call(operator.getitem, x, (whole, channel, *places), shape=shape)


def _index(e: Emit, rank: int) -> list[slice | int]:
    """The file's spelling of x[...] -> one entry an axis, the batch first."""
    given = e.settings.raw("slice_spec", e.settings.raw("index"))
    rows = given if isinstance(given, list) else [given]
    ellipses = sum(_is_ellipsis(row) for row in rows)
    if ellipses > 1 or len(rows) - ellipses > rank:
        raise e.settings.bad("index", f"at most {rank} entries", given)
    found: list[slice | int] = []
    for row in rows:
        found += [slice(None)] * (rank - len(rows) + 1) if _is_ellipsis(row) else [_entry(e, row)]
    return found + [slice(None)] * (rank - len(found))


def _is_ellipsis(row: Any) -> bool:
    return isinstance(row, dict) and row.get("class_name") == "__ellipsis__"


def _entry(e: Emit, row: Any) -> slice | int:
    if type(row) is int:
        return row
    ends = row.get("config", row) if isinstance(row, dict) else None
    values = [ends.get(key) for key in ("start", "stop", "step")] if isinstance(ends, dict) else [""]
    if not all(v is None or (type(v) is int and abs(v) < 2**31) for v in values) or values[2:] == [0]:
        raise e.settings.bad("index", "whole numbers and slices", row)
    return slice(*values)


def _stack(e: Emit, values: Sequence[Value]) -> Value:
    """Channels picked out of one value, in a new order (Keras 3 turns RGB to BGR in this way)."""
    picked = [v.picked for v in values if v.picked is not None]
    first = values[0]
    if len(picked) != len(values) or any(v.node is not first.node for v in values):
        raise e.refuse("it stacks values that are not channels of one value, which is not on Cutaway's list.")
    if e.settings.axes("axis", -1, len(first.shape) + 2) != (len(first.shape) + 1,):
        raise e.refuse("it stacks along another axis than the channels, which is not on Cutaway's list.")
    whole = Value(first.node, (*first.shape, len(picked)))
    if picked == [2, 1, 0]:
        return e.call(torch.flip, whole, [1], shape=whole.shape)
    return e.call(operator.getitem, whole, (slice(None), picked), shape=whole.shape)
