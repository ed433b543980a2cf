"""Report, or any dataclass of such fields, <-> JSON, field by field from its types: a new field needs no line here.

JSON has no NaN and no infinity: a number that is not finite is written as null and read back as NaN.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from typing import Any, TypeVar, cast

from cutaway.errors import BadInput
from cutaway.reports.report import Report

REMEDY = "it was written by another version of Cutaway or edited by hand, so make the report again"


Value = TypeVar("Value")


def to_json(value: Any) -> str:
    """Report -> JSON text, one field per line at the top, equal after `from_json` (finite numbers exactly)."""
    fields = (f"{json.dumps(name)}: {_dumped(value)}" for name, value in _plain(value).items())
    return "{\n" + ",\n".join(fields) + "\n}\n"


def from_json(text: str) -> Report:
    """JSON text of `to_json` -> the Report. Raises BadInput in one sentence that names the field."""
    return typed_from_json(text, Report)


def typed_from_json(text: str, kind: type[Value]) -> Value:
    """JSON text of `to_json`, the dataclass it was -> the value. Raises BadInput as `from_json` does."""
    what = kind.__name__.lower()
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadInput(f"A {what} must be JSON text. Got something else ({error}): {REMEDY}.") from None
    return cast(Value, _typed(data, kind, what))


def _dumped(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8 reaches Python as lone surrogates
        return json.dumps(value, allow_nan=False)
    return text


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _typed(value: Any, kind: Any, where: str) -> Any:
    """JSON value, the type it should be, its place in the report -> the typed value."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(value, cast(type, kind), where)
    if origin is types.UnionType:
        chosen = next(k for k in inner if k is not types.NoneType)
        return None if value is None else _typed(value, chosen, where)
    if origin is tuple:
        return _tuple(value, inner, where)
    if origin is dict:
        return {key: _typed(item, inner[1], f"{where}.{key}") for key, item in _is(value, dict, where).items()}
    if origin is typing.Literal:
        if value not in inner:
            raise BadInput(f"{where} must be one of {', '.join(map(repr, inner))}. Got {value!r}: {REMEDY}.")
        return value
    if kind is float:
        return math.nan if value is None else float(_is(value, (int, float), where))
    return _is(value, kind, where)


def _dataclass(value: Any, kind: type, where: str) -> Any:
    values, hints = _is(value, dict, where), _hints(kind)
    for name in values.keys() - hints.keys():
        raise BadInput(f"{where}.{name} is not a field of a {kind.__name__}: {REMEDY}.")
    for field in dataclasses.fields(kind):
        if field.name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise BadInput(f"{where}.{field.name} is missing: {REMEDY}.")
    return kind(**{name: _typed(item, hints[name], f"{where}.{name}") for name, item in values.items()})


def _tuple(value: Any, inner: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    items = _is(value, list, where)
    if inner[-1] is Ellipsis:
        return tuple(_typed(item, inner[0], f"{where}[{i}]") for i, item in enumerate(items))
    if len(items) != len(inner):
        raise BadInput(f"{where} must hold {len(inner)} values. Got {len(items)}: {REMEDY}.")
    return tuple(_typed(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(items, inner, strict=True)))


def _is(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        want = "a number" if isinstance(kind, tuple) else {"dict": "an object", "list": "a list"}.get(kind.__name__)
        raise BadInput(f"{where} must be {want or f'of type {kind.__name__}'}. Got {value!r:.60}: {REMEDY}.")
    return value


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
