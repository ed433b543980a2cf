"""A Python pickle -> plain data, with nothing in it run: classes stay names, calls stay notes of what would be called.

A pickle is a program for a stack machine. `pickletools` takes it apart without running it; this machine then does the
steps that build data and writes down those that would call something. The records are for the reader to interpret.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cutaway.errors import BadModel

MOST_STEPS = 2_000_000
"""A state_dict of 1,000 tensors has 40,000; three times as many with an optimizer's state."""


@dataclass(frozen=True, slots=True)
class ClassName:
    """A class or function that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Call:
    """What a pickle would have called or made: `of` with `args`, then given `state`, then filled with `items`."""

    of: Any
    args: Any = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """ "module.name" of what would be called; "" where that is itself computed."""
        of = self.of
        if isinstance(of, Persistent) and isinstance(of.key, tuple) and of.key[:1] == ("module",) and len(of.key) > 1:
            of = of.key[1]  # PyTorch's older layout keeps a module's class with its source text
        return str(of) if isinstance(of, ClassName) else ""


@dataclass(frozen=True, slots=True)
class Persistent:
    """A reference to something beside the pickle (PyTorch keeps its storages so)."""

    key: Any


class _Mark:
    """Where a tuple, list or dict begins on the stack."""


_MARK = _Mark()
_CONSTANTS = frozenset(
    {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT", "BINUNICODE", "UNICODE"}
    | {"SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING", "STRING", "BINBYTES", "SHORT_BINBYTES"}
    | {"BINBYTES8", "BYTEARRAY8"}
)
_FROM_MARK: dict[str, Callable[[list[Any]], Any]] = {
    "TUPLE": tuple,
    "LIST": list,
    "FROZENSET": list,
    "DICT": lambda items: _paired(items),
}
_FIXED: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": list,
}
_SKIPPED = frozenset({"PROTO", "FRAME"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})


def read_pickle(file: Any, name: str) -> Any:
    """Bytes (or a map of a file at the start of a pickle), the file's name for messages -> what it describes, as data.

    Dicts, lists, tuples, numbers and texts are themselves; everything else is a ClassName, a Call or a Persistent.
    Stops behind the pickle's end. Raises BadModel where it is damaged or endless.
    """
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # an unknown escape in a text, from pickletools
            for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
                if count > MOST_STEPS:
                    raise BadModel(f"{name} holds a pickle of more than {MOST_STEPS:,} steps; nothing more was read.")
                machine.step(opcode.name, argument)
            return machine.result()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        raise BadModel(
            f"{name} is damaged: its pickle cannot be followed ({type(error).__name__}: {reason})."
        ) from None


class _Machine:
    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        return self._stack[-1]

    def step(self, op: str, argument: Any) -> None:
        if op in _SKIPPED:
            return
        if op in _CONSTANTS:
            self._stack.append(argument)
        elif op in _FIXED:
            self._stack.append(_FIXED[op]())
        elif op in _PUTS:
            self._memo[int(argument)] = self._stack[-1]
        elif op == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif op in _GETS:
            self._stack.append(self._memo[int(argument)])
        elif op != "STOP":
            self._build(op, argument)

    def _build(self, op: str, argument: Any) -> None:
        stack = self._stack
        if op == "MARK":
            stack.append(_MARK)
        elif op in _FROM_MARK:
            stack.append(_FROM_MARK[op](self._to_mark()))
        elif op in ("TUPLE1", "TUPLE2", "TUPLE3"):
            stack.append(tuple(self._last(int(op[-1]))))
        elif op in ("APPEND", "SETITEM"):
            items = self._last(1 if op == "APPEND" else 2)
            _fill(stack[-1], items, pairs=op == "SETITEM")
        elif op in ("APPENDS", "SETITEMS", "ADDITEMS"):
            items = self._to_mark()
            _fill(stack[-1], items, pairs=op == "SETITEMS")
        elif op in ("GLOBAL", "STACK_GLOBAL"):
            module, name = argument.split(" ", 1) if op == "GLOBAL" else self._last(2)
            if not (isinstance(module, str) and isinstance(name, str)):
                raise TypeError("the name of a class is no text")
            stack.append(ClassName(module, name))
        elif op in ("REDUCE", "NEWOBJ"):
            called, args = self._last(2)
            stack.append(Call(called, args))
        elif op == "NEWOBJ_EX":
            called, args, _ = self._last(3)
            stack.append(Call(called, args))
        elif op == "BUILD":
            (state,) = self._last(1)
            if isinstance(stack[-1], Call):
                stack[-1].state = state
        elif op == "BINPERSID":
            stack.append(Persistent(stack.pop()))
        elif op == "POP":
            stack.pop()
        elif op == "DUP":
            stack.append(stack[-1])
        elif op == "POP_MARK":
            self._to_mark()
        else:
            raise ValueError(f"it has a step {op}, which files of weights do not have")

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("the stack is empty")
        taken = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        if any(item is _MARK for item in taken):
            raise ValueError("a mark stands where a value should")
        return taken

    def _to_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                items = self._stack[place + 1 :]
                del self._stack[place:]
                return items
        raise ValueError("a mark is missing")


def _fill(target: Any, items: list[Any], *, pairs: bool) -> None:
    if pairs:
        into = target.items if isinstance(target, Call) else target
        into.update(_paired(items))
    elif isinstance(target, list):
        target.extend(items)
    elif isinstance(target, Call):
        target.items.update({len(target.items) + n: item for n, item in enumerate(items)})
    else:
        raise TypeError(f"a {type(target).__name__} cannot be added to")


def _paired(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("a dict has a key without a value")
    return {_key(k): v for k, v in zip(items[::2], items[1::2], strict=True)}


def _key(key: Any) -> Any:
    if isinstance(key, int) and abs(key) >= 2**63:  # Python would not even write it as text
        return repr(type(key))
    return key if isinstance(key, str | int | float | bytes | ClassName | None) else repr(type(key))
