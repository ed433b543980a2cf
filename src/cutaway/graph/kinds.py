"""Layer kind <-> torch module: the only classes a model file can name, with the settings that rebuild each.

A file never brings code. It names a kind from KINDS and the constructor's plain arguments; anything else is refused.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph import extra

_TORCH_NAMES = """
    Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d Linear
    BatchNorm1d BatchNorm2d LayerNorm GroupNorm InstanceNorm2d LocalResponseNorm RMSNorm
    MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d
    ReLU ReLU6 LeakyReLU PReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish
    Hardsigmoid LogSigmoid Softmax LogSoftmax Dropout Dropout1d Dropout2d AlphaDropout Flatten Unflatten Identity
    ZeroPad2d ConstantPad2d ReflectionPad2d ReplicationPad2d Upsample PixelShuffle ChannelShuffle Unfold
    MultiheadAttention
"""
_TORCH = frozenset(_TORCH_NAMES.split())

# Layers of torchvision and timm that have no torch.nn equal. Each is built from plain numbers only.
_FOREIGN = {
    "StochasticDepth": "torchvision.ops.stochastic_depth",
    "DropPath": "timm.layers.drop",
    "Conv2dSame": "timm.layers.conv2d_same",
    "AvgPool2dSame": "timm.layers.pool2d_same",
    "ScaledStdConv2d": "timm.layers.std_conv",
    "ScaledStdConv2dSame": "timm.layers.std_conv",
    "StdConv2d": "timm.layers.std_conv",
    "StdConv2dSame": "timm.layers.std_conv",
}

_NOT_SETTINGS = {"self", "device", "dtype", "inplace", "kwargs", "_random_samples", "return_indices"}


@functools.cache
def kind_class(kind: str) -> type[nn.Module]:
    """Kind -> its class. Raises BadModel for a kind that is not on the list."""
    if kind in _TORCH:
        return getattr(nn, kind)  # type: ignore[no-any-return]
    if kind in extra.KINDS:
        return extra.KINDS[kind]
    if kind in _FOREIGN:
        return getattr(importlib.import_module(_FOREIGN[kind]), kind)  # type: ignore[no-any-return]
    raise BadModel(
        f"The model names a layer of kind {kind!r}, which is not on Cutaway's list of layers; nothing was run."
    )


def kind_of(module: nn.Module) -> str | None:
    """Module -> its kind, None where the exact class is not on the list (a subclass may behave differently)."""
    name = type(module).__name__
    try:
        return name if kind_class(name) is type(module) else None
    except BadModel:
        return None


def settings_of(module: nn.Module) -> dict[str, Any]:
    """Module of a listed kind -> the constructor's arguments as plain values (numbers, texts, tuples, None)."""
    return {name: _read(module, name) for name in _parameters(type(module))}  # type: ignore[arg-type]


_COUNTS = ("in_channels", "out_channels", "in_features", "out_features", "num_features", "embed_dim", "kernel_size")


def build(kind: str, settings: dict[str, Any]) -> nn.Module:
    """Kind and settings -> a fresh module with unset weights. Raises BadModel naming the kind and the settings."""
    cls = kind_class(kind)
    unknown = set(settings) - set(_parameters(cls))  # type: ignore[arg-type]
    if unknown:
        raise BadModel(f"A layer of kind {kind} has no setting {sorted(unknown)[0]!r}.")
    empty = next((name for name in _COUNTS if _has_zero(settings.get(name))), None)
    if empty:
        raise BadModel(f"A layer of kind {kind} has {empty} 0; it needs at least 1.")
    try:
        return cls(**settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadModel(f"A layer of kind {kind} cannot be built from {settings}: {error}.") from None


def _has_zero(setting: Any) -> bool:
    return 0 in setting if isinstance(setting, tuple | list) else setting == 0


@functools.cache
def _parameters(cls: type[nn.Module]) -> tuple[str, ...]:
    names = tuple(p for p in inspect.signature(cls.__init__).parameters if p not in _NOT_SETTINGS)
    return names if names != ("args",) else ()


# Settings that a module does not keep under the constructor's name.
_READ: dict[str, Callable[[Any], Any]] = {
    "bias": lambda m: (m.in_proj_bias if isinstance(m, nn.MultiheadAttention) else m.bias) is not None,
    "add_bias_kv": lambda m: m.bias_k is not None,
    "gamma": lambda m: float(m.scale * m.weight[0].numel() ** 0.5),
    "gain_init": lambda _: 1.0,
    "in_channel": lambda m: m.in_channels,
    "init": lambda _: 0.25,
    "min_value": lambda _: None,
    "max_value": lambda _: None,
}


def _read(module: nn.Module, name: str) -> Any:
    if name == "padding" and getattr(module, "same_pad", False):
        return "SAME"
    value = _READ[name](module) if name in _READ else getattr(module, name)
    return tuple(value) if isinstance(value, torch.Size) else value
