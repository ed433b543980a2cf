"""What an operator's builder works with: its operands, checked settings, the graph so far, axes in TFLite's order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tflite
import torch
from numpy.typing import NDArray
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.formats.keras_emit import MOST_NUMBERS
from cutaway.formats.tflite_names import Names
from cutaway.formats.tflite_tables import Operator, damage_named, shown
from cutaway.graph.build import GraphBuilder

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What a node makes. `shape` is TFLite's, batch included; axis i of the node is TFLite's axis `order[i]`.

    A transpose only changes `order`; who needs another one turns the value. `merged`: the file sees the first so many
    axes as one (a dense layer on maps is written so), which nobody but a reshape and work along the last axis may see.
    `scale`: the value is still to be multiplied by these numbers, one a channel, by the layer that is to be `waits`.
    `gate`: it is still to be multiplied by its own sigmoid, which makes both steps one SiLU.
    """

    node: fx.Node
    shape: tuple[int, ...]
    order: tuple[int, ...]
    made_by: str = ""
    merged: int = 0
    scale: tuple[float, ...] | None = None
    waits: str = ""
    gate: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_plain(self) -> bool:
        return self.order == tuple(range(self.rank))

    @property
    def in_row(self) -> bool:
        """Whether the node's numbers lie in TFLite's order (axes of size 1 may be anywhere)."""
        long = [axis for axis in self.order if self.shape[axis] != 1 or axis == 0]
        return long == sorted(long)

    def axis(self, axis: int) -> int:
        """TFLite's axis -> the node's."""
        return self.order.index(axis)


Operand = Value | Array


def channels_first(rank: int) -> tuple[int, ...]:
    """Rank -> the order torch's layers want: batch, channels, the rest; as it is where there are only two."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else tuple(range(rank))


class Emit:
    """One operator being built."""

    def __init__(
        self,
        operator: Operator,
        names: Names,
        operands: Sequence[Operand | None],
        builder: GraphBuilder,
        stop: Callable[[str], BadModel],
        spend: Callable[[int], None],
        file: str,
        then_adds_numbers: bool = False,
        then_times_itself: bool = False,
    ) -> None:
        self.name = names.step
        self.activation_name = names.activation
        self.kind = operator.kind
        self.where = f"Operator {shown(names.step)} ({operator.kind})"
        self.operands = operands
        self.spend = spend
        self.then_adds_numbers = then_adds_numbers
        self.then_times_itself = then_times_itself
        self._operator = operator
        self._builder = builder
        self._stop = stop
        self._file = file

    # ------------------------------------------------------------------------------------------ operands, settings

    def has(self, at: int) -> bool:
        return at < len(self.operands) and self.operands[at] is not None

    def operand(self, at: int) -> Operand:
        found = self.operands[at] if at < len(self.operands) else None
        if found is None:
            raise self.bad(f"the file leaves its operand {at} out.")
        return found

    def value(self, at: int, merged: bool = False) -> Value:
        """Operand that depends on the picture. `merged`: whether a value with merged axes will do."""
        found = self.operand(at)
        if not isinstance(found, Value):
            raise self.stop(f"its operand {at} does not depend on the picture, which is not on Cutaway's list.")
        if found.merged and not merged:
            raise self.stop("it works on several pictures' pixels as one batch, which is not on Cutaway's list.")
        return found

    def constant(self, at: int, what: str) -> Array:
        """Operand that the file holds (weights, sizes)."""
        found = self.operand(at)
        if isinstance(found, Value):
            raise self.stop(f"its {what} are computed from the picture, which is not on Cutaway's list.")
        return found

    def wholes(self, at: int, what: str) -> list[int]:
        """Operand of a few whole numbers (axes, sizes)."""
        found = self.constant(at, what)
        if found.dtype.kind not in "iu" or found.size > 64:
            raise self.bad(f"its {what} are {found.size} {found.dtype} values, not a few whole numbers.")
        return [int(n) for n in found.reshape(-1)]

    def axis(self, number: int, rank: int, batch: bool = False) -> int:
        """Axis counted from either end -> from the front; the batch axis only where asked for."""
        if not -rank <= number < rank:
            raise self.bad(f"it works along axis {number} of a value with {rank} axes.")
        if number % rank == 0 and not batch:
            raise self.stop("it works along the first axis, across pictures, which is not on Cutaway's list.")
        return number % rank

    def number(self, cls: str, name: str, default: float = 0) -> Any:
        """Setting `name` as the schema's class `cls` says (default: where the operator has no settings at all)."""
        if self._operator.options is None or not self._operator.options_type:
            return default
        if self._operator.options_type != getattr(tflite.BuiltinOptions, cls):
            raise self.bad(f"its settings are of another kind (number {self._operator.options_type}) than {cls}.")
        options = getattr(tflite, cls)()
        with damage_named(self._file):
            options.Init(self._operator.options.Bytes, self._operator.options.Pos)
            found = getattr(options, name)()
        if isinstance(found, float) and not math.isfinite(found):
            raise self.bad(f"its {name} is {found}.")
        return found

    # ------------------------------------------------------------------------------------------------ errors, nodes

    def must_make(self, count: int) -> None:
        """Raises BadModel where the file gives the operator another number of outputs."""
        if count != len(self._operator.outputs):
            raise self.bad(f"it makes {count} values; the file gives it {len(self._operator.outputs)} outputs.")

    def bad(self, why: str) -> BadModel:
        return BadModel(f"{self._file}: {self.where}: {why}")

    def stop(self, why: str) -> BadModel:
        return self._stop(f"{self.where}: {why}")

    def layer(
        self, module: nn.Module, x: Value, shape: Sequence[int], suffix: str = "", order: Sequence[int] | None = None
    ) -> Value:
        """Adds `module` on `x` -> what it makes: of `shape`, axes in `order` (None: as x has them)."""
        self._must_be_whole(x)
        node = self._builder.layer(self._named(suffix), module, x.node)
        made_by = x.made_by if isinstance(module, nn.Flatten | nn.Identity) else type(module).__name__
        return self._made(node, shape, x.order if order is None else order, made_by, x.merged)

    def call(
        self,
        function: Callable[..., Any],
        x: Value,
        *args: Any,
        shape: Sequence[int],
        suffix: str = "",
        order: Sequence[int] | None = None,
        first: bool = True,
        **kwargs: Any,
    ) -> Value:
        """Adds a listed function of `x` and more; `first` False: x is the second argument."""
        self._must_be_whole(x)
        plain = [_plain(a) for a in args]
        plain = [x.node, *plain] if first else [*plain, x.node]
        node = self._builder.call(self._named(suffix), function, *plain, **kwargs)
        return self._made(node, shape, x.order if order is None else order, "", x.merged)

    def join(
        self, function: Callable[..., Any], nodes: list[fx.Node], axis: int, shape: Sequence[int], order: Sequence[int]
    ) -> Value:
        """Adds torch.cat or torch.stack of `nodes` along the node's `axis`."""
        return self._made(self._builder.call(self._named(""), function, nodes, axis), shape, order, "", 0)

    def numbers(self, array: Array, like: Value, suffix: str = "numbers") -> fx.Node:
        """Fixed numbers, already of `like`'s rank in TFLite's order -> a node that holds them in `like`'s order."""
        self.spend(array.size * 4)
        turned = np.array(array.transpose(like.order), dtype=np.float32, order="C")
        return self._builder.constant(self._named(suffix), torch.from_numpy(turned))

    def turned(self, x: Value, order: Sequence[int]) -> Value:
        """Value -> the same with the node's axes in `order`."""
        order = tuple(order)
        if x.order == order:
            return x
        to = (
            "channels_first"
            if order == channels_first(x.rank)
            else "channels_last"
            if sorted(order) == list(order)
            else "turned"
        )
        steps = tuple(x.order.index(axis) for axis in order)
        node = self._builder.call(self._named(to), torch.permute, x.node, steps)
        return replace(x, node=node, order=order)

    def first(self, x: Value) -> Value:
        return self.turned(x, channels_first(x.rank))

    def plain(self, x: Value) -> Value:
        return self.turned(x, range(x.rank))

    def checked(self, shape: Sequence[int]) -> tuple[int, ...]:
        if any(n < 1 for n in shape):
            raise self.bad(f"it would make a value of shape {tuple(shape)}: its input is too small for its settings.")
        if math.prod(shape) > MOST_NUMBERS:
            raise self.bad(
                f"it would make {math.prod(shape):,} numbers of one picture; at most {MOST_NUMBERS:,} are accepted."
            )
        return tuple(int(n) for n in shape)

    def _made(self, node: fx.Node, shape: Sequence[int], order: Sequence[int], made_by: str, merged: int) -> Value:
        return Value(node, self.checked(shape), tuple(order), made_by, merged)

    def _must_be_whole(self, x: Value) -> None:
        if x.scale is not None or x.gate:
            raise self.bad(f"it adds numbers of another shape than the file says to a value of shape {x.shape}.")

    def _named(self, suffix: str) -> str:
        return f"{self.name}_{suffix}" if suffix else self.name


def _plain(argument: Any) -> Any:
    return argument.node if isinstance(argument, Value) else argument


Builder = Callable[[Emit], Operand | Sequence[Operand]]
Table = Mapping[str, Builder]
