"""ATen operators, as torch.export and TorchScript write them -> listed layers, or calls of listed functions.

A rule gets the operator's arguments by their names in ATen's schema. `LAYERS` make a module for one input; `CALLS` give
a function and its arguments; what is in neither is refused by name.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadModel

Args = Mapping[str, Any]
Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def _tensor(args: Args, name: str) -> torch.Tensor | None:
    value = args.get(name)
    if value is not None and not isinstance(value, torch.Tensor):
        raise BadModel(f"its {name} is computed from the picture")
    return value


def _pair(value: Any, n: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values * n if len(values) == 1 else values


def _conv(dims: int, transposed: bool = False) -> Callable[[Args], nn.Module]:
    def make(a: Args) -> nn.Module:
        weight, bias = _tensor(a, "weight"), _tensor(a, "bias")
        assert weight is not None
        flipped = transposed or bool(a.get("transposed"))
        n = weight.ndim - 2 if dims == 0 else dims
        groups = int(a.get("groups", 1))
        inner, outer = (
            (weight.shape[0], weight.shape[1] * groups) if flipped else (weight.shape[1] * groups, weight.shape[0])
        )
        kinds: Any = {(1, False): nn.Conv1d, (2, False): nn.Conv2d, (3, False): nn.Conv3d}
        kinds |= {(1, True): nn.ConvTranspose1d, (2, True): nn.ConvTranspose2d}
        if (n, flipped) not in kinds:
            raise BadModel(f"a transposed convolution over {n} axes is not on the list")
        padding = a.get("padding", 0)
        settings: dict[str, Any] = {
            "stride": _pair(a.get("stride", 1), n),
            "padding": padding if isinstance(padding, str) else _pair(padding, n),
            "dilation": _pair(a.get("dilation", 1), n),
            "groups": groups,
            "bias": bias is not None,
        }
        if flipped:
            settings["output_padding"] = _pair(a.get("output_padding", 0), n)
        made = kinds[n, flipped](inner, outer, tuple(weight.shape[2:]), **settings)
        return filled(made, weight=weight, bias=bias)

    return make


def filled(module: nn.Module, **values: torch.Tensor | None) -> nn.Module:
    """Module -> the same with these weights and statistics. Raises BadModel where a shape does not fit."""
    for name, value in values.items():
        if value is None:
            continue
        held = getattr(module, name)
        if held is None or held.shape != value.shape:
            raise BadModel(f"its {name} has the shape {tuple(value.shape)}")
        if isinstance(held, nn.Parameter):
            setattr(module, name, nn.Parameter(value.detach().clone(), requires_grad=held.requires_grad))
        else:
            setattr(module, name, value.detach().clone())
    return module


def _linear(a: Args) -> nn.Module:
    weight, bias = _tensor(a, "weight"), _tensor(a, "bias")
    assert weight is not None
    return filled(nn.Linear(weight.shape[1], weight.shape[0], bias is not None), weight=weight, bias=bias)


def _batch_norm(a: Args) -> nn.Module:
    mean, var = _tensor(a, "running_mean"), _tensor(a, "running_var")
    if mean is None or var is None or a.get("training"):
        raise BadModel("it normalises by the batch it is given (training mode); call .eval() before exporting")
    weight, bias = _tensor(a, "weight"), _tensor(a, "bias")
    kind = nn.BatchNorm2d if a.get("axes", 4) == 4 else nn.BatchNorm1d
    momentum = a.get("momentum", 0.1)
    made = kind(mean.shape[0], eps=float(a.get("eps", 1e-5)), momentum=momentum, affine=weight is not None)
    return filled(made, running_mean=mean, running_var=var, weight=weight, bias=bias)


def _layer_norm(a: Args) -> nn.Module:
    weight, bias = _tensor(a, "weight"), _tensor(a, "bias")
    made = nn.LayerNorm(
        list(a["normalized_shape"]),
        eps=float(a.get("eps", 1e-5)),
        elementwise_affine=weight is not None,
        bias=bias is not None,
    )
    return filled(made, weight=weight, bias=bias)


def _group_norm(a: Args) -> nn.Module:
    weight, bias = _tensor(a, "weight"), _tensor(a, "bias")
    if weight is None:
        raise BadModel("it normalises groups without weights")
    made = nn.GroupNorm(int(a["num_groups"]), weight.shape[0], eps=float(a.get("eps", 1e-5)))
    return filled(made, weight=weight, bias=bias)


def _hardtanh(a: Args) -> nn.Module:
    low, high = float(a.get("min_val", -1.0)), float(a.get("max_val", 1.0))
    return nn.ReLU6() if (low, high) == (0.0, 6.0) else nn.Hardtanh(low, high)


def _prelu(a: Args) -> nn.Module:
    weight = _tensor(a, "weight")
    assert weight is not None
    return filled(nn.PReLU(weight.numel()), weight=weight.reshape(-1))


def _max_pool(kind: Any) -> Callable[[Args], nn.Module]:
    def make(a: Args) -> nn.Module:
        size = _one(a["kernel_size"])
        stride = _one(a.get("stride") or a["kernel_size"])
        ceil = bool(a.get("ceil_mode", False))
        return kind(size, stride, _one(a.get("padding", 0)), _one(a.get("dilation", 1)), ceil_mode=ceil)  # type: ignore[no-any-return]

    return make


def _avg_pool2d(a: Args) -> nn.Module:
    return nn.AvgPool2d(
        _one(a["kernel_size"]),
        _one(a.get("stride") or a["kernel_size"]),
        _one(a.get("padding", 0)),
        bool(a.get("ceil_mode", False)),
        bool(a.get("count_include_pad", True)),
        a.get("divisor_override"),
    )


def _one(value: Any) -> Any:
    """[2, 2] -> 2: settings read as a person would write them."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values[0] if len(set(values)) == 1 else values


def _elu(a: Args) -> nn.Module:
    alpha, scale, inner = (float(a.get(n, 1.0)) for n in ("alpha", "scale", "input_scale"))
    if inner != 1.0:
        raise BadModel("its input is scaled")
    if abs(scale - 1.0507009873554805) < 1e-6 and abs(alpha - 1.6732632423543772) < 1e-6:
        return nn.SELU()
    if scale != 1.0:
        raise BadModel("its output is scaled")
    return nn.ELU(alpha)


def _pads(a: Args) -> nn.Module | None:
    pad, mode = list(a["pad"] if "pad" in a else a["padding"]), a.get("mode", "constant")
    if len(pad) != 4:
        return None
    kinds: Any = {"reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d}
    if mode in kinds:
        return kinds[mode](tuple(pad))  # type: ignore[no-any-return]
    value = float(a.get("value") or 0.0)
    return nn.ZeroPad2d(tuple(pad)) if value == 0 else nn.ConstantPad2d(tuple(pad), value)


LAYERS: dict[str, Callable[[Args], nn.Module | None]] = {
    "conv1d": _conv(1),
    "conv2d": _conv(2),
    "conv3d": _conv(3),
    "convolution": _conv(0),
    "_convolution": _conv(0),
    "conv_transpose1d": _conv(1, True),
    "conv_transpose2d": _conv(2, True),
    "linear": _linear,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "layer_norm": _layer_norm,
    "native_layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "prelu": _prelu,
    "relu": lambda _: nn.ReLU(),
    "relu6": lambda _: nn.ReLU6(),
    "hardtanh": _hardtanh,
    "silu": lambda _: nn.SiLU(),
    "gelu": lambda a: nn.GELU(approximate=str(a.get("approximate", "none"))),
    "sigmoid": lambda _: nn.Sigmoid(),
    "tanh": lambda _: nn.Tanh(),
    "hardswish": lambda _: nn.Hardswish(),
    "hardsigmoid": lambda _: nn.Hardsigmoid(),
    "leaky_relu": lambda a: nn.LeakyReLU(float(a.get("negative_slope", 0.01))),
    "elu": _elu,
    "selu": lambda _: nn.SELU(),
    "celu": lambda a: nn.CELU(float(a.get("alpha", 1.0))),
    "mish": lambda _: nn.Mish(),
    "softplus": lambda a: nn.Softplus(a.get("beta", 1), a.get("threshold", 20)),
    "log_sigmoid": lambda _: nn.LogSigmoid(),
    "softmax": lambda a: nn.Softmax(int(a["dim"])),
    "_softmax": lambda a: nn.Softmax(int(a["dim"])),
    "log_softmax": lambda a: nn.LogSoftmax(int(a["dim"])),
    "_log_softmax": lambda a: nn.LogSoftmax(int(a["dim"])),
    "max_pool1d": _max_pool(nn.MaxPool1d),
    "max_pool2d": _max_pool(nn.MaxPool2d),
    "max_pool2d_with_indices": _max_pool(nn.MaxPool2d),
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool1d": lambda a: nn.AdaptiveAvgPool1d(_one(a["output_size"])),
    "adaptive_avg_pool2d": lambda a: nn.AdaptiveAvgPool2d(_one(a["output_size"])),
    "_adaptive_avg_pool2d": lambda a: nn.AdaptiveAvgPool2d(_one(a["output_size"])),
    "adaptive_max_pool2d": lambda a: nn.AdaptiveMaxPool2d(_one(a["output_size"])),
    "dropout": lambda a: nn.Dropout(float(a["p"])),
    "native_dropout": lambda a: nn.Dropout(float(a["p"])),
    "feature_dropout": lambda a: nn.Dropout2d(float(a["p"])),
    "alpha_dropout": lambda a: nn.AlphaDropout(float(a["p"])),
    "flatten": lambda a: nn.Flatten(int(a.get("start_dim", 0)), int(a.get("end_dim", -1))),
    "pad": _pads,
    "constant_pad_nd": _pads,
    "reflection_pad2d": lambda a: _pads({**a, "mode": "reflect"}),
    "replication_pad2d": lambda a: _pads({**a, "mode": "replicate"}),
    "pixel_shuffle": lambda a: nn.PixelShuffle(int(a["upscale_factor"])),
    "channel_shuffle": lambda a: nn.ChannelShuffle(int(a["groups"])),
}

SAME = frozenset(
    {"clone", "contiguous", "detach", "detach_", "alias", "lift_fresh_copy", "lift_fresh", "_to_copy", "to"}
)
"""They give what they get (files of weights are float32 throughout)."""
CHECKS = frozenset({"_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range_for_size"})
TUPLES = frozenset({"max_pool2d_with_indices", "_native_batch_norm_legit_no_training", "native_layer_norm",
                    "native_dropout", "adaptive_max_pool2d"})  # fmt: skip
"""They return several values, of which a network reads the first."""
VIEWS = frozenset({"view", "reshape", "_unsafe_view", "flatten", "permute", "transpose", "t", "unsqueeze", "squeeze",
                   "chunk", "split", "split_with_sizes", "slice", "select", "expand", "unbind"})  # fmt: skip


def _binary(function: Callable[..., Any]) -> Callable[[Args], Call]:
    def call(a: Args) -> Call:
        other = a["other"]
        if a.get("alpha", 1) != 1:
            raise BadModel("it adds with a factor")
        if a.get("rounding_mode") is not None:
            raise BadModel("it rounds a division")
        return function, (a["self"], other), {}

    return call


def _plain(function: Callable[..., Any], *names: str) -> Callable[[Args], Call]:
    return lambda a: (function, tuple(a[n] for n in names if n in a), {})


def _axes(function: Callable[..., Any]) -> Callable[[Args], Call]:
    def call(a: Args) -> Call:
        dim = a.get("dim")
        dims = tuple(dim) if isinstance(dim, list | tuple) else dim
        return function, (a["self"], dims), {"keepdim": bool(a.get("keepdim", False))}

    return call


def _shape(a: Args) -> Call:
    return torch.reshape, (a["self"], tuple(a["size"] if "size" in a else a["shape"])), {}


def _slice(a: Args) -> Call:
    dim = int(a.get("dim", 0))
    end = a.get("end")
    end = None if isinstance(end, int) and end >= 2**62 else end
    step = a.get("step", 1)
    part = slice(a.get("start"), end, None if step == 1 else step)
    if dim < 0:
        raise BadModel("it slices an axis counted from the end")
    return operator.getitem, (a["self"], (*[slice(None)] * dim, part)), {}


def _select(a: Args) -> Call:
    dim = int(a["dim"])
    if dim < 0:
        raise BadModel("it picks along an axis counted from the end")
    return operator.getitem, (a["self"], (*[slice(None)] * dim, a["index"])), {}


def _resize(mode: str) -> Callable[[Args], Call]:
    def call(a: Args) -> Call:
        settings: dict[str, Any] = {"mode": mode}
        if a.get("output_size") is not None:
            settings["size"] = tuple(a["output_size"])
        else:
            settings["scale_factor"] = tuple(a["scale_factors"])
        if mode != "nearest":
            settings["align_corners"] = bool(a.get("align_corners", False))
        return F.interpolate, (a["input"] if "input" in a else a["self"],), settings

    return call


CALLS: dict[str, Callable[[Args], Call]] = {
    "add": _binary(operator.add),
    "sub": _binary(operator.sub),
    "rsub": lambda a: (operator.sub, (a["other"], a["self"]), {}),
    "mul": _binary(operator.mul),
    "div": _binary(operator.truediv),
    "neg": _plain(operator.neg, "self"),
    "pow": _plain(torch.pow, "self", "exponent"),
    "maximum": _plain(torch.maximum, "self", "other"),
    "minimum": _plain(torch.minimum, "self", "other"),
    "where": _plain(torch.where, "condition", "self", "other"),
    "sqrt": _plain(torch.sqrt, "self"),
    "rsqrt": _plain(torch.rsqrt, "self"),
    "exp": _plain(torch.exp, "self"),
    "log": _plain(torch.log, "self"),
    "sin": _plain(torch.sin, "self"),
    "cos": _plain(torch.cos, "self"),
    "matmul": _plain(torch.matmul, "self", "other"),
    "bmm": _plain(torch.matmul, "self", "mat2"),
    "mm": _plain(torch.matmul, "self", "mat2"),
    "clamp": lambda a: (torch.clamp, (a["self"],), {"min": a.get("min"), "max": a.get("max")}),
    "clamp_min": lambda a: (torch.clamp, (a["self"],), {"min": a["min"]}),
    "clamp_max": lambda a: (torch.clamp, (a["self"],), {"max": a["max"]}),
    "mean": _axes(torch.mean),
    "sum": _axes(torch.sum),
    "amax": _axes(torch.amax),
    "cat": lambda a: (torch.cat, (list(a["tensors"]),), {"dim": int(a.get("dim", 0))}),
    "concat": lambda a: (torch.cat, (list(a["tensors"]),), {"dim": int(a.get("dim", 0))}),
    "stack": lambda a: (torch.stack, (list(a["tensors"]),), {"dim": int(a.get("dim", 0))}),
    "chunk": lambda a: (torch.chunk, (a["self"], int(a["chunks"])), {"dim": int(a.get("dim", 0))}),
    "split": lambda a: (
        torch.split,
        (a["self"], a.get("split_size", a.get("split_sizes"))),
        {"dim": int(a.get("dim", 0))},
    ),
    "split_with_sizes": lambda a: (torch.split, (a["self"], list(a["split_sizes"])), {"dim": int(a.get("dim", 0))}),
    "unbind": lambda a: (torch.unbind, (a["self"],), {"dim": int(a.get("dim", 0))}),
    "view": _shape,
    "reshape": _shape,
    "_unsafe_view": _shape,
    "permute": lambda a: (torch.permute, (a["self"], tuple(a["dims"])), {}),
    "transpose": lambda a: (torch.transpose, (a["self"], int(a["dim0"]), int(a["dim1"])), {}),
    "t": lambda a: (torch.transpose, (a["self"], 0, 1), {}),
    "unsqueeze": lambda a: (torch.unsqueeze, (a["self"], int(a["dim"])), {}),
    "squeeze": lambda a: (torch.squeeze, (a["self"], _one_axis(a["dim"])), {}),
    "slice": _slice,
    "select": _select,
    "pad": lambda a: (
        F.pad,
        (a["self"], tuple(a["pad"])),
        {"mode": a.get("mode", "constant"), "value": a.get("value")},
    ),
    "constant_pad_nd": lambda a: (F.pad, (a["self"], tuple(a["pad"])), {"value": a.get("value", 0)}),
    "upsample_nearest2d": _resize("nearest"),
    "upsample_bilinear2d": _resize("bilinear"),
    "upsample_bicubic2d": _resize("bicubic"),
    "einsum": lambda a: (torch.einsum, (a["equation"], *a["tensors"]), {}),
    "scaled_dot_product_attention": lambda a: (F.scaled_dot_product_attention, (a["query"], a["key"], a["value"]), {}),
    "var_mean": lambda a: (
        torch.var_mean,
        (a["self"], tuple(a["dim"])),
        {"correction": a.get("correction", 1), "keepdim": bool(a.get("keepdim", False))},
    ),
}

ON_CONSTANTS = (
    frozenset(CALLS)
    | SAME
    | {"batch_norm", "_native_batch_norm_legit_no_training", "ones_like", "zeros_like", "reshape_as", "view_as"}
)
"""What is worked out while opening where all of it is stored numbers (timm standardises kernels on the way)."""


def _one_axis(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, list | tuple) else int(dim)
