"""An ONNX file's bytes before anything is built of them: is it one, does every length fit, how many parts has it?

Protocol buffers turn two bytes of a file into hundreds in memory, so parts are counted before the parser gets them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from cutaway.errors import BadModel

MOST_PARTS = 1_000_000
MOST_BYTES = 2**31 - 1  # what protocol buffers can hold; larger networks keep their weights in a second file
_DEEPEST = 60
_VARINT, _FIXED64, _TEXT, _FIXED32 = 0, 1, 2, 5

# Field number -> wire type of what an ONNX model file has at its top.
_TOP = {1: _VARINT, 2: _TEXT, 3: _TEXT, 4: _TEXT, 5: _VARINT, 6: _TEXT, 7: _TEXT, 8: _TEXT, 14: _TEXT, 20: _TEXT}
_TOP |= {25: _TEXT, 26: _TEXT}
_GRAPH_FIELD = 7

# Message -> its fields that are messages again, and what they are. A field not named here is counted, not opened.
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "flat", 14: "flat", 25: "function"},
    "graph": {1: "node", 5: "tensor", 11: "info", 12: "info", 13: "info", 15: "sparse", 14: "flat", 16: "flat"},
    "node": {5: "attribute", 9: "flat", 10: "flat"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        14: "type",
        15: "type",
        22: "sparse",
        23: "sparse",
    },
    "tensor": {13: "flat", 16: "flat"},
    "sparse": {1: "tensor", 2: "tensor"},
    "info": {2: "type", 4: "flat"},
    "type": {1: "typed", 4: "inner", 5: "inner", 8: "typed", 9: "inner"},
    "inner": {1: "type", 2: "type"},
    "typed": {2: "shape"},
    "shape": {1: "flat"},
    "function": {7: "node", 9: "flat", 11: "attribute", 12: "info", 14: "flat"},
    "flat": {},
}

# Message -> its fields that are text; the parser would hand on bytes where they are not.
_TEXTS: Mapping[str, frozenset[int]] = {
    "model": frozenset({2, 3, 4, 6}),
    "graph": frozenset({2, 10}),
    "node": frozenset({1, 2, 3, 4, 6, 7, 8}),
    "attribute": frozenset({1, 13, 21}),
    "tensor": frozenset({8, 12}),
    "info": frozenset({1, 3}),
    "function": frozenset({1, 4, 5, 6, 8, 10, 13}),
    "flat": frozenset({1, 2}),
}


def looks_like_onnx(path: Path) -> bool:
    """Whether a file's top level is a ModelProto's: known fields only, a graph among them. Reads few bytes."""
    try:
        with path.open("rb") as file:
            return _top_fits(file, path.stat().st_size)
    except OSError:
        return False


def _top_fits(file: BinaryIO, size: int) -> bool:
    seen: set[int] = set()
    for _ in range(2_000):
        at = file.tell()
        if at >= size:
            break
        head = file.read(20)
        try:
            key, used = _varint(head, 0, len(head))
            field, wire = key >> 3, key & 7
            if _TOP.get(field) != wire:
                break
            value, used = _varint(head, used, len(head))
        except BadModel:
            break
        if field == 1 and not 0 < value < 1_000:
            return False
        seen.add(field)
        file.seek(min(at + used + (value if wire == _TEXT else 0), size))  # a cut file claims more than there is
    return _GRAPH_FIELD in seen and bool(seen & {1, 8})


def check_parts(data: bytes, name: str) -> None:
    """Bytes of an ONNX file -> nothing. Raises BadModel where a length does not fit or there are too many parts."""
    view = memoryview(data)
    parts = 0
    todo = [("model", 0, len(data), 0)]
    while todo:
        message, at, end, depth = todo.pop()
        if depth > _DEEPEST:
            raise BadModel(f"{name}: graphs lie inside one another more than {_DEEPEST // 3} deep; nothing was opened.")
        inside, texts = _FIELDS[message], _TEXTS.get(message, frozenset())
        while at < end:
            parts += 1
            field, start, at = _field(view, at, end, name)
            if start >= 0 and field in inside:
                todo.append((inside[field], start, at, depth + 1))
            elif start >= 0 and field in texts:
                _must_be_text(view[start:at], start, name)
        if parts > MOST_PARTS:
            raise BadModel(f"{name} is made of more than {MOST_PARTS:,} parts; nothing was opened.")


def _must_be_text(content: memoryview, at: int, name: str) -> None:
    try:
        str(content, "utf-8")
    except UnicodeDecodeError:
        raise BadModel(
            f"{name} is a damaged ONNX file: the name at byte {at:,} is no text. Copy or download it again."
        ) from None


def _field(view: memoryview, at: int, end: int, name: str) -> tuple[int, int, int]:
    """-> (field number, where its content begins or -1 where it is a number, where the next field begins)."""
    key, at = _varint(view, at, end, name)
    wire = key & 7
    if wire == _VARINT:
        return key >> 3, -1, _varint(view, at, end, name)[1]
    if wire == _TEXT:
        length, at = _varint(view, at, end, name)
    elif wire in (_FIXED64, _FIXED32):
        length = 8 if wire == _FIXED64 else 4
    else:
        raise BadModel(f"{name} is a damaged ONNX file: byte {at:,} begins nothing known. Copy or download it again.")
    if length > end - at:
        raise BadModel(
            f"{name} is a damaged ONNX file: a part at byte {at:,} says it has {length:,} bytes, and {end - at:,} are "
            "left. It was cut short; copy or download it again."
        )
    return key >> 3, at if wire == _TEXT else -1, at + length


def _varint(view: memoryview | bytes, at: int, end: int, name: str = "The file") -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise BadModel(f"{name} is a damaged ONNX file: a number at byte {at:,} does not end. Copy or download it again.")
