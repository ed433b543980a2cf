"""Edit: one change of a model as data. A frozen dataclass that knows its meaning, its JSON and its operation."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import numbers
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from cutaway.errors import BadInput

if TYPE_CHECKING:
    from cutaway.surgery.patient import Patient

KINDS: dict[str, type[Edit]] = {}
"""Name in JSON ("set_kernel") -> the edit's class; filled as the files of edits are imported (surgery.edits)."""


@dataclasses.dataclass(frozen=True)
class Edit:
    """One change. Subclasses are frozen dataclasses of plain values; their docstring's first line is their meaning."""

    kind: ClassVar[str] = ""
    structural: ClassVar[bool] = False
    """Whether shapes may change: then the whole network is checked once after it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")
        KINDS[cls.kind] = cls

    def __post_init__(self) -> None:
        """Every value is of the type its field says, wherever it comes from. Raises BadInput."""
        for name, wanted in _types(type(self)).items():  # type: ignore[arg-type]
            object.__setattr__(self, name, _read(getattr(self, name), wanted, f"{self.kind}.{name}"))

    def operate(self, patient: Patient) -> None:
        """Changes the patient. Raises BadInput where the layer, the setting or the value does not fit."""
        raise NotImplementedError

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers it changes."""
        named = getattr(self, "layer", None)
        return (named,) if isinstance(named, str) else ()

    @property
    def sentence(self) -> str:
        """What it does, with its values, for lists and messages: "set conv1 stride to 2"."""
        values = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self))
        return f"{self.kind.replace('_', ' ')} ({values})"

    def to_dict(self) -> dict[str, Any]:
        """-> JSON values; `edit_of` reads them."""
        return {"edit": self.kind, **{f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}}


def edit_of(document: Any) -> Edit:
    """JSON values -> the Edit. Raises BadInput: no such edit, a field that is missing, unknown or of another type."""
    from cutaway.surgery import edits  # fills KINDS

    del edits
    if not isinstance(document, Mapping) or not isinstance(document.get("edit"), str):
        raise BadInput(f"An edit is an object with an entry 'edit' that names it; got {str(document)[:60]!r}.")
    name = document["edit"]
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, 3) or sorted(KINDS)
        raise BadInput(f"There is no edit {name!r}; near: {', '.join(near)}.")
    cls = KINDS[name]
    fields = {f.name: f for f in dataclasses.fields(cls)}
    given = {k: v for k, v in document.items() if k != "edit"}
    if unknown := set(given) - set(fields):
        raise BadInput(f"The edit {name} has no entry {sorted(unknown)[0]!r}; it has {', '.join(fields)}.")
    nothing = dataclasses.MISSING
    missing = [n for n, f in fields.items() if n not in given and f.default is nothing and f.default_factory is nothing]
    if missing:
        raise BadInput(f"The edit {name} lacks {missing[0]!r}.")
    return cls(**given)


@functools.cache
def _types(cls: type) -> dict[str, Any]:
    """Class -> its fields' types in order."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value


def _read(value: Any, wanted: Any, where: str) -> Any:
    """Value from JSON or Python, annotation -> the value in that type."""
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return tuple(value) if isinstance(value, list) else value
    if origin in (types.UnionType, typing.Union):
        for one in args:
            try:
                return _read(value, one, where)
            except BadInput:
                continue
    elif origin is tuple and isinstance(value, list | tuple):
        inner = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
        if len(inner) == len(value):
            return tuple(_read(v, t, where) for v, t in zip(value, inner, strict=True))
    elif origin is typing.Literal and value in args:
        return value
    elif wanted is type(None) and value is None:
        return None
    elif wanted is float and _is_a(value, numbers.Real) and math.isfinite(value):
        return float(value)
    elif wanted is int and _is_a(value, numbers.Integral):
        return int(value)  # numpy's whole numbers too
    elif wanted in (str, bool) and type(value) is wanted:
        return value
    elif origin is dict and isinstance(value, dict):
        return {_read(k, args[0], where): _read(v, args[1], where) for k, v in value.items()}
    raise BadInput(f"{where} must be {_words(wanted)}. Got {str(value)[:60]!r}.")


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _words(wanted: Any) -> str:
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_words(a) for a in args)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, args))
    if origin is tuple:
        return f"a list of {_words(args[0])}s" if args and args[-1] is Ellipsis else f"{len(args)} numbers"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(wanted, "an object")
