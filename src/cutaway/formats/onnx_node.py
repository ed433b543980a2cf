"""One node of an ONNX graph as an operator's builder sees it: checked inputs and settings, ways to add layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from cutaway.formats.onnx_errors import Refused
from cutaway.formats.onnx_values import Step, Tape, Value

# Number of an attribute type in the format -> what it is.
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS = range(1, 9)
_MOST_ITEMS = 100_000


class Op:
    """`proto` with its inputs worked out. `settings`: attribute name -> AttributeProto, references resolved."""

    def __init__(
        self,
        proto: Any,
        inputs: Sequence[Value | None],
        settings: Mapping[str, Any],
        opset: int,
        tape: Tape,
        batch: int,
        constant: Callable[[Any], torch.Tensor],
    ) -> None:
        self.proto = proto
        self.kind: str = proto.op_type
        self.inputs = inputs
        self.opset = opset
        self.tape = tape
        self.batch = batch
        """How many pictures the file was written for (1 where it leaves that open)."""
        self.constant = constant
        self._settings = settings

    # What it gets

    def has(self, at: int) -> bool:
        return at < len(self.inputs) and self.inputs[at] is not None

    def value(self, at: int = 0) -> Value:
        found = self.inputs[at] if at < len(self.inputs) else None
        if found is None:
            raise Refused(f"has no input number {at + 1}.")
        return found

    def known(self, at: int, what: str) -> Value:
        """Input `at`, which must be among the file's own numbers."""
        found = self.value(at)
        if not found.known:
            raise Refused(f"gets its {what} from the picture; only a {what} that the file holds can be opened.")
        return found

    def ints(self, at: int, what: str) -> list[int]:
        """Whole numbers of input `at`."""
        numbers = self.known(at, what).numbers
        if numbers is None:
            raise Refused(f"has a {what} that is no list of whole numbers.")
        return numbers

    def number_at(self, at: int, what: str, default: float) -> float:
        if not self.has(at):
            return default
        number = self.known(at, what).number
        if number is None:
            raise Refused(f"has a {what} that is not one number.")
        return number

    # Its settings

    def given(self, name: str) -> bool:
        return name in self._settings

    def setting_names(self) -> list[str]:
        return list(self._settings)

    def whole(self, name: str, default: int = 0) -> int:
        return int(self._read(name, _INT, "i", default))

    def real(self, name: str, default: float = 0.0) -> float:
        return float(self._read(name, _FLOAT, "f", default))

    def epsilon(self) -> float:
        """What a normalisation adds below its root."""
        found = self.real("epsilon", 1e-5)
        if not 0 <= found < math.inf:
            raise Refused(f"has an epsilon of {found:g}; 0 or more is needed.")
        return found

    def word(self, name: str, default: str = "") -> str:
        raw = self._read(name, _STRING, "s", default)
        return raw.decode("utf-8", "replace")[:200] if isinstance(raw, bytes) else str(raw)

    def ints_of(self, name: str, default: Sequence[int] = (), length: int | None = None) -> list[int]:
        """A list of whole numbers; `length`: how many it must have."""
        numbers = [int(v) for v in self._items(name, _INTS, "ints", default)]
        if length is not None and len(numbers) != length:
            raise Refused(f"has {len(numbers)} numbers in its setting {name!r}; {length} are needed.")
        return numbers

    def floats_of(self, name: str) -> list[float]:
        return [float(v) for v in self._items(name, _FLOATS, "floats", ())]

    def tensor(self, name: str) -> torch.Tensor:
        return self.constant(self._read(name, _TENSOR, "t", None))

    def graph(self, name: str) -> Any:
        if name not in self._settings:
            raise Refused(f"lacks its setting {name!r}.")
        return self._read(name, _GRAPH, "g", None)

    def _read(self, name: str, kind: int, where: str, default: Any) -> Any:
        found = self._settings.get(name)
        if found is None:
            return default
        if found.type not in (kind, 0):  # very old files leave the type out
            raise Refused(f"has a setting {name!r} of the wrong kind.")
        return getattr(found, where)

    def _items(self, name: str, kind: int, where: str, default: Sequence[Any]) -> Sequence[Any]:
        items: Sequence[Any] = self._read(name, kind, where, default)
        if len(items) > _MOST_ITEMS:
            raise Refused(f"has {len(items):,} numbers in its setting {name!r}; at most {_MOST_ITEMS:,} are accepted.")
        return items

    # What it adds

    def layer(self, module: nn.Module, x: Value, suffix: str = "", **weights: Value | None) -> Value:
        kept = {name: value for name, value in weights.items() if value is not None}
        return self.tape.layer(module, x, kept, node=self.proto, suffix=suffix)

    def call(self, function: Callable[..., Any], *args: Any, suffix: str = "", **kwargs: Any) -> Value:
        return self.tape.call(function, args, kwargs, node=self.proto, suffix=suffix)

    def fresh(self, tensor: torch.Tensor) -> Value:
        """Numbers worked out here, counted."""
        self.tape.must_fit(tensor.numel(), tensor.element_size())
        return Value(tensor)

    # Checks

    def rank(self, x: Value, *allowed: int) -> int:
        rank = len(x.shape)
        if allowed and rank not in allowed:
            raise Refused(f"gets a value with {rank} axes; {' or '.join(map(str, allowed))} can be opened.")
        return rank

    def axis(self, number: int, rank: int) -> int:
        if not -rank <= number < rank:
            raise Refused(f"works along axis {number} of a value with {rank} axes.")
        return number % rank

    def axes(self, numbers: Sequence[int], rank: int) -> list[int]:
        found = [self.axis(n, rank) for n in numbers]
        if len(set(found)) != len(found):
            raise Refused(f"names one axis twice: {list(numbers)}.")
        return found


def on_meta(make: Callable[..., nn.Module], *args: Any, **kwargs: Any) -> nn.Module:
    """A module without memory for its weights. Raises Refused where its settings fit no module."""
    sizes = [n for a in args[:2] for n in (a if isinstance(a, tuple) else (a,)) if type(n) is int]
    if min(sizes, default=1) < 1:
        raise Refused("has weights without a single number.")
    try:
        with torch.device("meta"):
            return make(*args, **kwargs)
    except (RuntimeError, ValueError, TypeError, OverflowError, AssertionError) as error:
        text = str(error).strip().splitlines()
        raise Refused(f"has settings that fit no layer: {(text[0] if text else 'unknown').rstrip('.')}.") from None


def made_by(value: Value, target: Any) -> Step | None:
    """The step that made `value`, where it is a call of `target` or a layer of that class."""
    step = value.step
    if step is None:
        return None
    return step if step.target is target or (isinstance(target, type) and type(step.target) is target) else None
