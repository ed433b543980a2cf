"""What an ONNX network is read into first: values with known shapes, and the steps that make them.

Every value is either known now (weights, and all that is computed from weights and sizes: folded) or made of the
picture by a step; then only its shape is worked out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from cutaway.formats.onnx_errors import BATCH, Refused
from cutaway.formats.onnx_sizes import Sizes, call_sizes, layer_sizes

MOST_NUMBERS = 2**26
"""The most numbers one layer may make of one picture (2 GiB of float32)."""


@dataclass(slots=True, eq=False)
class Step:
    """One layer or function of the network to be. `args` may hold Values, also inside lists and tuples.

    `weights`: Value by the module's parameter name. `names`: what the file calls it, best first. `weight_name`: what
    the file calls its weights ("layer1.0.conv1.weight"), "" where they have no name of their own.
    """

    target: Any
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Value] = field(default_factory=dict)
    node: Any = None
    suffix: str = ""

    @property
    def is_layer(self) -> bool:
        return isinstance(self.target, nn.Module)


@dataclass(slots=True, eq=False)
class Value:
    """`tensor`: the numbers where they are known; else None, and `step` makes float32 numbers of the shape `sizes`.

    `of_batch`: numbers computed from the number of pictures, which a graph for any number must not hold.
    `origin`: the initializer's name as the file has it.
    """

    tensor: Any
    step: Step | None = None
    of_batch: bool = False
    origin: str = ""
    sizes: Sizes = ()

    @property
    def known(self) -> bool:
        return self.step is None

    @property
    def shape(self) -> Sizes:
        return self.sizes if self.tensor is None else tuple(self.tensor.shape)

    @property
    def numbers(self) -> list[int] | None:
        """The whole numbers it holds, in order; None where they are not known or not whole."""
        if not self.known or self.tensor.is_floating_point() or self.tensor.numel() > 10_000:
            return None
        return [int(v) for v in self.tensor.reshape(-1).tolist()]

    @property
    def number(self) -> float | None:
        """Its one number; None where it holds several or none is known."""
        return float(self.tensor.reshape(()).item()) if self.known and self.tensor.numel() == 1 else None


class Tape:
    """Runs steps at once where all is known; notes them down, with shapes, where the picture is involved.

    `budget`: how many bytes folded values may take in all, so that a small file cannot ask for a large memory.
    """

    def __init__(self, budget: int) -> None:
        self._left = budget

    def call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], **about: Any
    ) -> Value:
        sizes = call_sizes(function, _mapped(args, _shape), _mapped(dict(kwargs), _shape))
        values = _values(args) + _values(dict(kwargs))
        if all(v.known for v in values):
            self.must_fit(math.prod(sizes))
            done = _run(function, _mapped(args, _real), _mapped(dict(kwargs), _real))
            return Value(done, of_batch=any(v.of_batch for v in values))
        for value in values:
            must_not_be_of_batch(value)
        return self._noted(sizes, Step(function, args, kwargs, **about))

    def layer(self, module: nn.Module, x: Value, weights: Mapping[str, Value], **about: Any) -> Value:
        """`module` was made on the meta device; `weights` are put in when the graph is built."""
        for value in weights.values():
            must_not_be_of_batch(value)
        sizes = layer_sizes(module, x.shape)
        if not x.known:
            return self._noted(sizes, Step(module, (x,), {}, weights, **about))
        if weights:
            raise Refused("works on numbers of the file instead of the picture.")
        must_not_be_of_batch(x)
        self.must_fit(math.prod(sizes))
        return Value(_run(module.eval(), (x.tensor,), {}))

    def must_fit(self, count: int, size: int = 8) -> None:
        """Takes the bytes of a folded value from the budget. Raises Refused where it is spent."""
        self._left -= count * size
        if self._left < 0:
            raise Refused(
                f"would make {count:,} numbers out of the file's few; the rest of the file is not worked out."
            )

    @staticmethod
    def _noted(sizes: Sizes, step: Step) -> Value:
        count = math.prod(sizes) // BATCH
        if count > MOST_NUMBERS:
            raise Refused(f"would make {count:,} numbers of one picture; at most {MOST_NUMBERS:,} are accepted.")
        return Value(None, step, sizes=sizes)


def must_not_be_of_batch(value: Value) -> None:
    if value.of_batch:
        raise Refused("counts with the number of pictures, which cannot be held in a graph for any number of them.")


def _run(function: Callable[..., Any], args: Any, kwargs: Any) -> torch.Tensor:
    try:
        with torch.no_grad():
            done = function(*args, **kwargs)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        IndexError,
        OverflowError,
        NotImplementedError,
        AssertionError,
    ) as error:
        text = str(error).strip().splitlines()
        raise Refused(
            f"cannot work on what it gets: {(text[0] if text else type(error).__name__).rstrip('.')}."
        ) from None
    if not isinstance(done, torch.Tensor):
        raise Refused("does not give one array.")
    return done


def _shape(value: Any) -> Any:
    return value.shape if isinstance(value, Value) else value


def _real(value: Any) -> Any:
    return value.tensor if isinstance(value, Value) else value


def _mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(tree, tuple | list):
        return type(tree)(_mapped(item, change) for item in tree)
    if isinstance(tree, dict):
        return {key: _mapped(item, change) for key, item in tree.items()}
    return change(tree)


mapped = _mapped


def _values(tree: Any) -> list[Value]:
    if isinstance(tree, Value):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [v for item in tree for v in _values(item)] if isinstance(tree, tuple | list) else []


values_in = _values
