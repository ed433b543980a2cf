"""What a layer of a Keras file is applied to, in the spellings of Keras 2 and Keras 3."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cutaway.errors import BadModel

_DEEPEST = 16
_MOST_USES = 5_000
_MOST_CHANNELS = 100_000
_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True, slots=True)
class Ref:
    """The value that call number `call` of the layer `layer` made; only its first output (0) can be read."""

    layer: str
    call: int
    output: int = 0


Constant = float | tuple[float, ...]
"""One number, or one for every channel; () stands for numbers of any other shape, which cannot be used."""
Operand = Ref | Constant


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a layer: what it is applied to, and settings of this use alone (bare functions have such)."""

    operands: tuple[Operand, ...]
    named: Mapping[str, Any] = field(default_factory=dict)


_BARE = ("TFOpLambda", "SlicingOpLambda")
_NUMBER_NAMES = ("x", "y", "bias")  # arguments of bare functions that hold values, not settings


def parse_calls(nodes: Any, name: str, kind: str) -> tuple[Call, ...]:
    """A layer's inbound_nodes, its name and kind -> its uses, first one first."""
    if len(nodes) > _MOST_USES:
        raise BadModel(f"Layer {shown(name)} is used more than {_MOST_USES} times, the most that are accepted.")
    return tuple(
        _keras_3_call(node, name, kind) if isinstance(node, dict) and "args" in node else _keras_2_call(node, kind)
        for node in nodes
    )


def _keras_2_call(node: Any, kind: str) -> Call:
    """[["conv", 0, 0, {}], ...], or ["conv", 0, 0, {"y": 2.0}] where a bare function was called."""
    if isinstance(node, dict):
        node = list(node.values())
    operands: list[Operand] = []
    named: dict[str, Any] = {}
    for row in [node] if isinstance(node[0], str) else node:
        operands.append(_constant(row[2]) if row[0] == _CONSTANT else _ref(row))
        for key, value in (row[3] if len(row) > 3 else {}).items():
            if isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str):
                operands.append(_constant(value[2]) if value[0] == _CONSTANT else _ref(value))
            elif kind in _BARE and key in _NUMBER_NAMES and value is not None:
                operands.append(_constant(value))
            else:
                named[key] = value
    return Call(tuple(operands), named)


def _ref(row: list[Any]) -> Ref:
    return Ref(str(row[0]), int(row[1]), int(row[2]))


def _keras_3_call(node: dict[str, Any], name: str, kind: str) -> Call:
    """{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["conv", 0, 0]}}], "kwargs": {}}"""
    given, named = list(node["args"]), dict(node.get("kwargs", {}))
    if kind == "GetItem" and len(given) > 1:
        named["index"] = given.pop(1)
    values = [value for key, value in named.items() if _holds_tensor(value) or key in ("x1", "x2", *_NUMBER_NAMES)]
    return Call(tuple(_operands([given, values], name, 0)), named)


def _holds_tensor(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and first.get("class_name") == "__keras_tensor__"


def _operands(value: Any, name: str, depth: int) -> Iterator[Operand]:
    if depth > _DEEPEST:
        raise BadModel(f"Layer {shown(name)} is applied to a list nested more than {_DEEPEST} deep.")
    if isinstance(value, list):
        for item in value:
            yield from _operands(item, name, depth + 1)
    elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield _ref(value["config"]["keras_history"])
    elif isinstance(value, dict) and value.get("class_name") in ("__tensor__", "__numpy__"):
        yield _constant(value["config"]["value"])
    elif _is_number(value):
        yield float(value)


def _constant(value: Any) -> Constant:
    """A number, or lists of one around one number a channel ([[[[-103.9, -116.8, -123.7]]]]); () for all else."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if _is_number(value):
        return float(value)
    if not isinstance(value, list) or len(value) > _MOST_CHANNELS or not all(map(_is_number, value)):
        return ()
    return tuple(float(v) for v in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def shown(text: str) -> str:
    """Text out of a file -> at most 60 characters of it that any terminal can print."""
    printable = "".join(c if c.isprintable() else "?" for c in text[:61])
    return printable if len(printable) <= 60 else printable[:57] + "..."
