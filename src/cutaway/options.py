"""Options dataclass -> its fields with the sentence under each: command-line help, form label and reference text."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import os
import textwrap
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One option: `required` ones are positional on the command line; `default` is dataclasses.MISSING for those."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def required(self) -> bool:
        return self.default is dataclasses.MISSING


@functools.cache
def fields_of(options: type) -> tuple[Field, ...]:
    """Options dataclass -> its fields in order, each with its resolved type, default and the sentence under it."""
    sentences = _sentences(options)
    types = typing.get_type_hints(options)
    return tuple(
        Field(f.name, types[f.name], _default(f), sentences.get(f.name, "")) for f in dataclasses.fields(options)
    )


def given(options: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Options dataclass, arguments as a program writes them -> the options.

    A path becomes text, a list a tuple, and one text where several may stand is one of them, not its letters.
    """
    types = typing.get_type_hints(options)
    named = {name: _as_declared(types[name], value) for name, value in kwargs.items() if name in types}
    placed = [_as_declared(kind, value) for kind, value in zip(types.values(), args, strict=False)]
    return options(*placed, *args[len(placed) :], **{**kwargs, **named})


def _as_declared(kind: Any, value: Any) -> Any:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if typing.get_origin(kind) is not tuple:
        return value
    if isinstance(value, list | tuple):
        return tuple(os.fspath(one) if isinstance(one, os.PathLike) else one for one in value)
    return (value,) if isinstance(value, str) else value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _sentences(options: type) -> dict[str, str]:
    """Class -> {field: the string literal that follows it in the source}, base classes included."""
    found: dict[str, str] = {}
    for cls in reversed(options.__mro__):
        if not dataclasses.is_dataclass(cls):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                found[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return found
