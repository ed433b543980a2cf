"""A network's shapes without its arithmetic: whether its steps still fit together after an edit, and where they do not.

The usual layers by the formulas of their documentation, everything else by torch on tensors without numbers ("meta"):
2 ms for MobileNetV2, where a run on zeros takes 26 and one on meta tensors alone 100.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx, nn

from cutaway.engine.run import layer_at
from cutaway.graph import extra
from cutaway.graph.functions import name_of
from cutaway.graph.kinds import kind_of
from cutaway.graph.names import names_of
from cutaway.surgery.patient import Patient, twin

Shape = tuple[int, ...]
BreakKind = Literal["joined", "spread", "channels", "small", "numbers", "output", "other"]


@dataclass(frozen=True, slots=True)
class Break:
    """The first step that does not fit what it gets: `given` names each source and its shape (no batch axis).

    `why` goes on "conv2 gets 48 x 28 x 28 from bn1; ...". "joined": values of different sizes are added or
    concatenated; "spread": they are of different sizes and would be added all the same, one of them repeated;
    "channels", "numbers": not as many as the layer has weights for; "small": no place left for a window; "output".
    """

    step: str
    kind: BreakKind
    why: str
    given: tuple[tuple[str, Shape], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dry:
    """`shapes`: step name -> shape with the batch axis, as far as the run came; `broken`: where it ended, if it did."""

    shapes: Mapping[str, Shape]
    broken: Break | None


class _Unfit(Exception):
    def __init__(self, kind: BreakKind, why: str) -> None:
        super().__init__(why)
        self.kind: BreakKind = kind
        self.why = why


def dry_run(graph: fx.GraphModule, input_shape: Shape) -> Dry:
    """Graph, (C, H, W) -> the shape of every step for one picture, up to the first step that cannot work."""
    names = {node: name for name, node in names_of(graph).items()}
    values: dict[fx.Node, Any] = {}
    broken = None
    with torch.inference_mode():
        for node in graph.graph.nodes:
            if node.op == "output":
                break
            try:
                values[node] = _value(graph, node, values, input_shape)
            except _Unfit as unfit:
                broken = Break(names[node], unfit.kind, unfit.why, _given(node, names, values))
                break
    shapes = {names[node]: tuple(v.shape) for node, v in values.items() if isinstance(v, torch.Tensor)}
    return Dry(shapes, broken)


def dry_run_of(patient: Patient) -> Dry:
    """As `dry_run`, of a patient on pictures of its contract's size."""
    return dry_run(patient.graph, (patient.contract.in_channels, *patient.contract.size))


def shape_text(shape: Shape) -> str:
    """(64, 28, 28) -> "64 x 28 x 28"."""
    return " x ".join(map(str, shape)) or "one number"


def _given(node: fx.Node, names: Mapping[fx.Node, str], values: Mapping[fx.Node, Any]) -> tuple[tuple[str, Shape], ...]:
    tensors = [n for n in node.all_input_nodes if isinstance(values.get(n), torch.Tensor)]
    return tuple((names[n], tuple(values[n].shape[0 if n.op == "get_attr" else 1 :])) for n in tensors)


def _value(graph: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any], input_shape: Shape) -> Any:
    if node.op == "placeholder":
        return node.args[0] if node.args else torch.empty((1, *input_shape), device="meta")
    if node.op == "get_attr":
        stored: Any = functools.reduce(getattr, str(node.target).split("."), graph)
        return torch.empty_like(stored, device="meta")
    layer = layer_at(graph, str(node.target)) if node.op == "call_module" else None
    rule = _RULES.get(type(layer)) if layer is not None else None
    if rule is not None and len(node.args) == 1 and isinstance(node.args[0], fx.Node) and not node.kwargs:
        value = rule(layer, values[node.args[0]])
    else:
        args: Any = fx.map_arg(node.args, values.__getitem__)
        kwargs: Any = fx.map_arg(node.kwargs, values.__getitem__)
        quick = _quickly(node, args, kwargs)
        value = quick if quick is not None else _called(node, layer, args, kwargs)
    if isinstance(value, torch.Tensor) and not value.numel():
        raise _Unfit("small", "nothing would be left of it")
    return value


def _quickly(node: fx.Node, args: tuple[Any, ...], kwargs: Any) -> torch.Tensor | None:
    """What adding or concatenating values that fit gives; None for every other step. 0.3 ms each by torch."""
    name = called(node)
    if kwargs or len(args) != 2 or name not in ("add", "mul", "cat"):
        return None
    if name != "cat":
        a, b = args
        return a if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape else None
    parts, dim = args
    if dim != 1 or not all(isinstance(part, torch.Tensor) and part.ndim == 4 for part in parts):
        return None
    count, _, *size = parts[0].shape
    if any(part.shape[0] != count or list(part.shape[2:]) != size for part in parts):
        return None
    joined: torch.Tensor = parts[0].new_empty((count, sum(part.shape[1] for part in parts), *size))
    return joined


def _called(node: fx.Node, layer: nn.Module | None, args: Any, kwargs: Any) -> Any:
    """A step without a rule: torch itself on tensors without numbers."""
    try:
        if layer is not None:
            return _on_meta(layer)(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        assert callable(node.target)
        return node.target(*args, **kwargs)
    except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise _told(node, layer, reason) from None


def _told(node: fx.Node, layer: nn.Module | None, reason: str) -> _Unfit:
    name = called(node)
    if name in JOINS:
        return _Unfit("joined", f"values that {_JOINED.get(name, 'work together')} must be of one size")
    if name in ("cat", "stack"):
        return _Unfit("joined", "maps that are put behind one another must be of one height and width")
    if name in ("view", "reshape") and "invalid for input" in reason:
        return _Unfit("numbers", "it cuts another number of values into rows")
    if layer is not None and ("too small" in reason or "can't be greater" in reason or "than actual" in reason):
        return _Unfit("small", f"there is no place for its window of {_window(layer)}")
    if isinstance(layer, nn.LayerNorm | nn.RMSNorm):
        return _Unfit("channels", f"it keeps numbers for {shape_text(tuple(layer.normalized_shape))}")
    if isinstance(layer, nn.GroupNorm):
        return _Unfit("channels", f"it keeps numbers for {layer.num_channels} channels")
    return _Unfit("other", f"it cannot work on that ({reason})")


JOINS = frozenset(("add", "sub", "mul", "truediv", "div", "maximum", "minimum", "where", "addcmul", "pow", "mod"))
"""Functions and methods that take several values place by place."""
_JOINED = {
    "add": "are added",
    "sub": "are subtracted",
    "mul": "are multiplied",
    "truediv": "are divided",
    "div": "are divided",
}


def called(node: fx.Node) -> str:
    """Node -> the listed name of the function or method that it calls, "" for a layer."""
    if node.op == "call_method":
        return str(node.target)
    return (name_of(node.target) or "") if node.op == "call_function" else ""  # type: ignore[arg-type]


def _window(layer: nn.Module) -> str:
    size: Any = getattr(layer, "kernel_size", "that size")
    return f"{size} x {size}" if isinstance(size, int) else shape_text(size) if isinstance(size, tuple) else str(size)


def _on_meta(layer: nn.Module) -> nn.Module:
    bare = twin(layer)
    for part in bare.modules():
        for store in (part._parameters, part._buffers):
            for name, tensor in store.items():
                store[name] = None if tensor is None else torch.empty_like(tensor, device="meta")  # type: ignore[assignment]
    return bare


# -- the usual layers: layer, what it gets (no numbers in it) -> what it gives


def _maps(x: torch.Tensor, axes: int) -> None:
    if x.ndim != axes + 2:
        wanted = {1: "rows of channels (channels x length)", 2: "maps (channels x height x width)"}.get(axes, "volumes")
        raise _Unfit("other", f"it takes {wanted}")


def _conv(layer: Any, x: torch.Tensor) -> torch.Tensor:
    axes = len(layer.kernel_size)
    _maps(x, axes)
    if x.shape[1] != layer.in_channels:
        raise _Unfit("channels", f"its filters take {layer.in_channels} channels")
    window = [d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size)]
    if (kind_of(layer) or "").endswith("Same") and getattr(layer, "same_pad", True):
        size = [-(-n // s) for n, s in zip(x.shape[2:], layer.stride)]
    elif layer.padding == "same":
        if any(s != 1 for s in layer.stride):
            raise _Unfit("other", "padding 'same' of this kind goes with a stride of 1 only")
        size = list(x.shape[2:])
    else:
        padding = (0,) * axes if layer.padding == "valid" else layer.padding
        room = [n + 2 * p for n, p in zip(x.shape[2:], padding)]
        if any(w > r for w, r in zip(window, room)):
            raise _Unfit("small", f"there is no place for its window of {shape_text(tuple(window))}")
        size = [(r - w) // s + 1 for r, w, s in zip(room, window, layer.stride)]
    return x.new_empty((x.shape[0], layer.out_channels, *size))


def _transposed(layer: Any, x: torch.Tensor) -> torch.Tensor:
    _maps(x, len(layer.kernel_size))
    if x.shape[1] != layer.in_channels:
        raise _Unfit("channels", f"its filters take {layer.in_channels} channels")
    settings = zip(
        x.shape[2:],
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.kernel_size,
        layer.output_padding,
        strict=True,
    )
    size = [(n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, s, p, d, k, o in settings]
    if any(n < 1 for n in size):
        raise _Unfit("small", "nothing would be left of it")
    return x.new_empty((x.shape[0], layer.out_channels, *size))


def _norm(layer: Any, x: torch.Tensor) -> torch.Tensor:
    if "2d" in type(layer).__name__:
        _maps(x, 2)
    elif x.ndim not in (2, 3):
        raise _Unfit("other", "it takes rows of numbers")
    if x.shape[1] != layer.num_features:
        raise _Unfit("channels", f"it keeps numbers for {layer.num_features} channels")
    return x


def _dense(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    if x.shape[-1] != layer.in_features:
        raise _Unfit("numbers", f"it has weights for {layer.in_features} numbers")
    return x.new_empty((*x.shape[:-1], layer.out_features))


def _window_of(layer: Any, name: str) -> tuple[int, int]:
    value = getattr(layer, name)
    return (value, value) if isinstance(value, int) else value


def _pool(layer: Any, x: torch.Tensor) -> torch.Tensor:
    _maps(x, 2)
    kernel, stride, padding = (_window_of(layer, name) for name in ("kernel_size", "stride", "padding"))
    dilation = _window_of(layer, "dilation") if isinstance(layer, nn.MaxPool2d) else (1, 1)
    size = []
    for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True):
        spare = n + 2 * p - d * (k - 1) - 1
        cells = (-(-spare // s) if layer.ceil_mode else spare // s) + 1
        if layer.ceil_mode and (cells - 1) * s >= n + p:  # the last window must start inside
            cells -= 1
        if cells < 1:
            raise _Unfit("small", f"there is no place for its window of {kernel[0]} x {kernel[1]}")
        size.append(cells)
    return x.new_empty((*x.shape[:2], *size))


def _as_it_is(layer: Any, x: torch.Tensor) -> torch.Tensor:
    del layer
    return x


def _prelu(layer: nn.PReLU, x: torch.Tensor) -> torch.Tensor:
    if layer.num_parameters not in (1, x.shape[1]):
        raise _Unfit("channels", f"it keeps numbers for {layer.num_parameters} channels")
    return x


def _factors(layer: Any, x: torch.Tensor) -> torch.Tensor:
    dim = getattr(layer, "dim", 1)
    count = len(layer.factors if isinstance(layer, extra.ScaleChannels) else layer.scale)
    if count != x.shape[dim] and not (count == 1 and isinstance(layer, extra.Rescale)):
        raise _Unfit("channels", f"it has factors for {count} channels")
    return x


def _zeros_around(layer: nn.ZeroPad2d, x: torch.Tensor) -> torch.Tensor:
    _maps(x, 2)
    left, right, top, bottom = layer.padding
    height, width = x.shape[2] + top + bottom, x.shape[3] + left + right
    if height < 1 or width < 1:
        raise _Unfit("small", "nothing would be left of it")
    return x.new_empty((*x.shape[:2], height, width))


def _to_size(layer: Any, x: torch.Tensor) -> torch.Tensor:
    _maps(x, 2)
    wanted = _window_of(layer, "output_size")
    return x.new_empty((*x.shape[:2], *(n if w is None else w for n, w in zip(x.shape[2:], wanted))))


def _flat(layer: nn.Flatten, x: torch.Tensor) -> torch.Tensor:
    return x.flatten(layer.start_dim, layer.end_dim)


def _flat_last(layer: extra.ChannelsLastFlatten, x: torch.Tensor) -> torch.Tensor:
    del layer
    return x.new_empty((x.shape[0], math.prod(x.shape[1:])))


_PASS = """
    ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish Hardsigmoid
    LogSigmoid Dropout Identity
"""
_RULES: dict[Any, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _conv),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d), _transposed),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, extra.FrozenBatchNorm1d, extra.FrozenBatchNorm2d), _norm),
    **dict.fromkeys((nn.MaxPool2d, nn.AvgPool2d), _pool),
    **dict.fromkeys((extra.ScaleChannels, extra.Rescale), _factors),
    **dict.fromkeys((*(getattr(nn, name) for name in _PASS.split()), extra.ClippedReLU), _as_it_is),
    **dict.fromkeys((nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d), _to_size),
    nn.ZeroPad2d: _zeros_around,
    nn.Linear: _dense,
    nn.PReLU: _prelu,
    nn.Flatten: _flat,
    extra.ChannelsLastFlatten: _flat_last,
}
