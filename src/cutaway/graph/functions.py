"""Functions and tensor methods a graph may call besides its layers: name in a file <-> function."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from cutaway.errors import BadModel

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "neg": operator.neg,
    "getitem": operator.getitem,
    "getattr": getattr,
    "cat": torch.cat,
    "stack": torch.stack,
    "chunk": torch.chunk,
    "split": torch.split,
    "flatten": torch.flatten,
    "reshape": torch.reshape,
    "permute": torch.permute,
    "flip": torch.flip,
    "transpose": torch.transpose,
    "unsqueeze": torch.unsqueeze,
    "squeeze": torch.squeeze,
    "mean": torch.mean,
    "amax": torch.amax,
    "sum": torch.sum,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "clamp": torch.clamp,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "exp": torch.exp,
    "matmul": torch.matmul,
    "var_mean": torch.var_mean,
    "linear": F.linear,
    "conv2d": F.conv2d,
    "pad": F.pad,
    "interpolate": F.interpolate,
    "layer_norm": F.layer_norm,
    "group_norm": F.group_norm,
    "batch_norm": F.batch_norm,
    "normalize": F.normalize,
    "softmax": F.softmax,
    "torch_softmax": torch.softmax,
    "addcmul": torch.addcmul,
    "mod": operator.mod,
    "pow": torch.pow,
    "ceil": math.ceil,
    "einsum": torch.einsum,
    "arange": torch.arange,
    "zeros": torch.zeros,
    "ones": torch.ones,
    "meshgrid": torch.meshgrid,
    "sin": torch.sin,
    "cos": torch.cos,
    "relu": F.relu,
    "log": torch.log,
    "where": torch.where,
    "unfold": F.unfold,
    "roll": torch.roll,
    "invert": operator.invert,
    "unbind": torch.unbind,
    "fold": F.fold,
    "div": torch.div,
    "swapaxes": torch.swapaxes,
    "attention": F.scaled_dot_product_attention,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "max_pool2d": F.max_pool2d,
    "avg_pool2d": F.avg_pool2d,
    "adaptive_avg_pool2d": F.adaptive_avg_pool2d,
    "adaptive_max_pool2d": F.adaptive_max_pool2d,
    "broadcast_to": torch.broadcast_to,
    "tile": torch.tile,
    "index_select": torch.index_select,
    "amin": torch.amin,
    "abs": torch.abs,
    "erf": torch.erf,
    "floor": torch.floor,
    "torch_ceil": torch.ceil,
    "round": torch.round,
    "sign": torch.sign,
}

_METHODS = """
    add mul sub div view reshape flatten permute transpose contiguous mean sum amax max size dim chunk split unbind
    squeeze unsqueeze expand expand_as repeat softmax sigmoid tanh sqrt rsqrt exp pow clamp unflatten movedim roll
    to float type_as norm square unfold tile reshape_as view_as sin cos log abs flip swapaxes repeat_interleave cumsum
    logical_not new_zeros new_ones
"""
METHODS = frozenset(_METHODS.split())

# `getattr` may only read a tensor's size: anything else would reach into Python.
READABLE = frozenset({"shape", "ndim", "dtype", "device"})

_NAMES = {function: name for name, function in FUNCTIONS.items()}


def name_of(function: Callable[..., Any]) -> str | None:
    """Function -> its name on the list, None where it is not on it."""
    return _NAMES.get(function)


def function(name: str) -> Callable[..., Any]:
    """Name -> function. Raises BadModel for a name that is not on the list."""
    if name not in FUNCTIONS:
        raise BadModel(f"The model calls {name!r}, which is not on Cutaway's list of functions; nothing was run.")
    return FUNCTIONS[name]
