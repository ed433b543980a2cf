"""A graph is followed once without numbers: does every step work, and does none of them claim more than a machine has?

A file may name sizes and repetitions of any kind. What is too large is told before a single byte of it is taken.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph.dry_shapes import of_function, of_layer

MOST_NUMBERS = 2**26
"""Numbers of one value for one picture: 256 MB as float32. VGG-16 makes as many of a picture of 1,024 px."""
_ALWAYS = 2**24
_STRETCH = 64  # times the picture's own numbers: as much as any first convolution
_MOST_PIECES = 10_000
_MOST_PLACES = 1_000
_LARGEST_WHOLE = 2**62
_ARITHMETIC = {
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.neg,
    operator.invert,
}
_MAKERS = {torch.zeros, torch.ones, torch.arange}
_PIECES = {"split", "chunk", "unbind"}
_MOST_GIVEN = {"add": 2, "sub": 2, "addcmul": 3}
"""Values that each takes by place; PyTorch lets a factor stand among them, and warns that it soon will not."""
CANNOT = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
)
"""What PyTorch raises where a layer does not take what it gets."""


def must_run(graph: fx.GraphModule, shape: Sequence[int]) -> tuple[int, ...] | None:
    """Graph, shape of its input (N, C, H, W) -> shape of its output, None where PyTorch cannot tell it without numbers.

    Weights are neither read nor copied.

    Raises BadModel naming the step that does not take what it gets, or makes more than MOST_NUMBERS numbers.
    """
    steps = _Steps(graph)
    try:
        steps.most = min(max(_ALWAYS, _STRETCH * math.prod(shape)), MOST_NUMBERS)
        steps.must_be_small(math.prod(shape))
        with torch.inference_mode():
            made = steps.run(_unset(shape))
        if not isinstance(made, torch.Tensor):
            raise TypeError("what it gives is no tensor")
        return tuple(made.shape)
    except NotImplementedError:
        return None
    except CANNOT as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:150].rstrip(".")
        raise BadModel(f"The layer {steps.at} cannot work on what it gets: {reason}.") from None


class _Steps(fx.Interpreter):
    """Runs the graph on PyTorch's meta device, where shapes cost nothing; numbers are kept as small as sizes are.

    Common layers are worked out by hand: the meta device imports half of PyTorch's compiler for them (1.4 s).
    """

    at = "input"
    most = MOST_NUMBERS

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.extra_traceback = False

    def run_node(self, n: fx.Node) -> Any:
        self.at = str(n.target) if n.op == "call_module" else n.name
        value = super().run_node(n)
        if isinstance(value, torch.Tensor):
            self.must_be_small(value.numel())
            live = sum(v.numel() for v in self.env.values() if isinstance(v, torch.Tensor))
            if live > 4 * self.most:
                raise ValueError(f"{live:,} numbers for one picture would be held at once (at most {4 * self.most:,})")
        if isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
            raise ValueError("it computes a number that no size can be")
        return value

    def must_be_small(self, numbers: int) -> None:
        if numbers > self.most:
            raise ValueError(f"a value of {numbers:,} numbers for one picture is too large (at most {self.most:,})")

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        module: nn.Module = self.fetch_attr(target)
        self.must_be_small(_padded(module, args))
        shape = of_layer(module, args)
        if shape is not None:
            return _unset(shape)
        state = {name: torch.empty_like(t, device="meta") for name, t in module.named_parameters()}
        state |= {name: torch.empty_like(t, device="meta") for name, t in module.named_buffers()}
        return torch.func.functional_call(module, state, args, kwargs)

    def get_attr(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = super().get_attr(target, args, kwargs)
        return torch.empty_like(value, device="meta") if isinstance(value, torch.Tensor) else value

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        shape = of_function(target, args, kwargs)
        if shape is not None:
            self.must_be_small(math.prod(shape))
            return _unset(shape)
        if target in _ARITHMETIC and not all(isinstance(a, torch.Tensor | int | float) for a in args):
            raise TypeError("it calculates with something that is no number")
        if target is operator.add and sum(len(a) for a in args if isinstance(a, list | tuple)) > _MOST_PLACES:
            raise ValueError("it makes a list longer than any shape")
        _must_be_taken(getattr(target, "__name__", ""), args)
        if target in _MAKERS:
            kwargs = {**kwargs, "device": "meta"}
        if getattr(target, "__name__", "") in _PIECES:
            _must_be_few(target.__name__, args, kwargs)
        return super().call_function(target, args, kwargs)

    def call_method(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not (args and isinstance(args[0], torch.Tensor)):
            raise TypeError(f"it asks something that is no tensor to {target}")
        _must_be_taken(target, args)
        if target in _PIECES:
            _must_be_few(target, args, kwargs)
        shape = of_function(target, args, kwargs)
        return super().call_method(target, args, kwargs) if shape is None else _unset(shape)


def numbers_of(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Function, its arguments, stored tensors among them -> how many numbers it would make of them."""

    def unset(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.empty_like(value, device="meta")
        return type(value)(map(unset, value)) if isinstance(value, list | tuple) else value

    name = getattr(function, "__name__", "")
    if name in _PIECES:
        _must_be_few(name, tuple(args), kwargs)
    made = function(*map(unset, args), **{key: unset(value) for key, value in kwargs.items()})
    values = made if isinstance(made, list | tuple) else (made,)
    return sum(v.numel() for v in values if isinstance(v, torch.Tensor))


def _unset(shape: Sequence[int]) -> torch.Tensor:
    return torch.empty(tuple(shape), device="meta")


def _padded(module: nn.Module, args: tuple[Any, ...]) -> int:
    """Numbers of the padded picture that a layer makes for itself, where it pads as much as its kernel reaches."""
    x = args[0] if args else None
    if not isinstance(x, torch.Tensor) or x.ndim != 4:
        return 0
    n, channels, height, width = x.shape
    if isinstance(module, nn.LocalResponseNorm):
        return int(n * (channels + module.size) * height * width)
    if "Same" not in type(module).__name__:
        return 0
    kernel, dilation = (_two(getattr(module, name, 1)) for name in ("kernel_size", "dilation"))
    down, across = ((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
    return int(n * channels * (height + down) * (width + across))


def _two(setting: Any) -> tuple[int, int]:
    return tuple(setting) if isinstance(setting, list | tuple) else (setting, setting)


def _must_be_taken(name: str, args: tuple[Any, ...]) -> None:
    if len(args) > _MOST_GIVEN.get(name, len(args)):
        raise TypeError(f"{name} takes {_MOST_GIVEN[name]} values, {len(args)} are given")


def _must_be_few(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """A tensor is cut into so few pieces that a list of them is no burden."""
    names = ("input", "dim") if name == "unbind" else ("input", "pieces", "dim")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    side = given["input"].shape[given.get("dim", 0)]
    size = given.get("pieces", given.get("chunks", given.get("split_size_or_sections", given.get("split_size", 1))))
    if name == "chunk":
        side = min(side, size)
    elif name == "split" and isinstance(size, int):
        side = math.ceil(side / max(size, 1))
    if side > _MOST_PIECES and not isinstance(size, list | tuple):
        raise ValueError(f"it cuts a value into {side:,} pieces (at most {_MOST_PIECES:,})")
