"""Seeded changes of bytes, JSON data and pickles: what a broken disk, a careless program or a hostile person does."""

from __future__ import annotations

import copy
import pickletools
import random
import struct
from collections.abc import Callable
from typing import Any

WHOLE = [-1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 100, 255, 256, 4096, 65_535, 10**6, 10**9, 2**31 - 1, 2**31, 2**32 - 1, 2**40]
WHOLE += [2**62, 2**63 - 1, 2**63, 2**64 - 1, 10**30, -2, -(2**31), -(2**63)]
NAMES = [
    "",
    " ",
    "'",
    '"',
    "a'b\"c",
    "x\ny",
    "x\r\n",
    "{0}",
    "{x}",
    "%s%d",
    "__class__",
    "self",
    "..",
    ".",
    "../x",
    "/x",
]
NAMES += [
    "a.b.c",
    "a..b",
    "import os",
    "lambda",
    "None",
    "0",
    "-1",
    "\x00",
    "\x1b[31mred\x07",
    "\u202eabc",
    "é",
    "\ud800",
]
NAMES += [
    "x" * 70_000,
    "a/" * 300,
    "node",
    "tuple",
    "\\",
    "$(touch canary)",
    "'; open('canary', 'w'); '",
    "C:\\x",
    "nan",
]
WORDS = ["same", "valid", "relu", "softmax", "Conv2D", "Dense", "Add", "Flatten", "Reshape", "Lambda", "Functional"]
WORDS += [
    "Sequential",
    "Model",
    "float16",
    "float64",
    "int64",
    "string",
    "RGB",
    "gray",
    "getattr",
    "getitem",
    "zeros",
    "cat",
]
WORDS += [
    "Linear",
    "call_function",
    "call_method",
    "call_module",
    "get_attr",
    "output",
    "placeholder",
    "repeat",
    "expand",
]
FLOATS = [0.0, -0.0, 1.5, -1.0, 1e-320, 1e38, 1e308, float("nan"), float("inf"), float("-inf")]
OTHER: list[Any] = [None, True, False, [], {}, [[]], [None], [1, 2], {"a": 1}, {"node": "x"}, {"float": "nan"}]
OTHER += [
    {"tuple": [1, {"slice": [0, 1, None]}]},
    {"class_name": "Lambda", "config": {"function": ["YQ==", None, None]}},
]
CHUNK = 64


def odd(chance: random.Random) -> Any:
    """One value that a program did not expect."""
    return copy.deepcopy(chance.choice(chance.choice([WHOLE, WHOLE, NAMES, WORDS, FLOATS, OTHER])))


def change_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bytes -> the same with 1 to 6 bits, bytes, whole numbers or runs changed, moved, dropped or put in."""
    if not data:
        return bytes([chance.randrange(256)])
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        chance.choice(_OF_BYTES)(changed, chance)
        if not changed:
            break
    return bytes(changed)


def _bit(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])


def _number(data: bytearray, chance: random.Random) -> None:
    form, step = chance.choice([("<h", 1), ("<i", 4), ("<i", 1), ("<q", 8), (">i", 1), (">q", 1)])
    size = struct.calcsize(form)
    if len(data) >= size:
        at = chance.randrange((len(data) - size) // step + 1) * step
        value = chance.choice([*WHOLE, len(data), len(data) - at, chance.randrange(2**16)])
        data[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little" if form[0] == "<" else "big")


def _nudge(data: bytearray, chance: random.Random) -> None:
    """A whole number of four bytes, made a little larger or smaller."""
    if len(data) >= 4:
        at = chance.randrange((len(data) - 4) // 4 + 1) * 4
        value = int.from_bytes(data[at : at + 4], "little") + chance.choice([-8, -4, -2, -1, 1, 2, 4, 8])
        data[at : at + 4] = (value % 2**32).to_bytes(4, "little")


def _run(data: bytearray, chance: random.Random) -> None:
    at, length = _span(data, chance)
    data[at : at + length] = bytes([chance.choice([0, 255, chance.randrange(256)])]) * len(data[at : at + length])


def _drop(data: bytearray, chance: random.Random) -> None:
    at, length = _span(data, chance)
    del data[at : at + length]


def _put(data: bytearray, chance: random.Random) -> None:
    at, length = _span(data, chance)
    data[at:at] = chance.randbytes(length)


def _splice(data: bytearray, chance: random.Random) -> None:
    """One part of the file over, or into, another."""
    (at, length), (to, _) = _span(data, chance), _span(data, chance)
    piece = data[at : at + length]
    data[to : to + (len(piece) if chance.random() < 0.7 else 0)] = piece


def _cut(data: bytearray, chance: random.Random) -> None:
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]


def _span(data: bytearray, chance: random.Random) -> tuple[int, int]:
    return chance.randrange(len(data)), chance.choice([1, 2, 4, 8, chance.randint(1, CHUNK)])


_OF_BYTES: list[Callable[[bytearray, random.Random], None]] = [_bit, _bit, _byte, _byte, _number, _number]
_OF_BYTES += [_nudge, _run, _drop, _put, _splice, _cut]


def change_tree(document: Any, chance: random.Random) -> Any:
    """JSON data -> the same (changed in place) with 1 to 3 entries dropped, doubled, swapped, retyped or renamed."""
    for _ in range(chance.choice([1, 1, 2, 3])):
        spots = _spots(document)
        if not spots:
            return odd(chance)
        chance.choice(_OF_TREES)(*chance.choice(spots), chance, spots)
    return document


def change_leaves(document: Any, chance: random.Random) -> Any:
    """JSON data -> the same (changed in place) with 1 to 3 numbers, flags or words replaced by others of their kind."""
    spots = [(item, key) for item, key in _spots(document) if isinstance(item[key], bool | int | float | str)]
    words = [item[key] for item, key in spots if isinstance(item[key], str)]
    for _ in range(chance.choice([1, 1, 2, 3]) if spots else 0):
        item, key = chance.choice(spots)
        if isinstance(item[key], str) and chance.random() < 0.7:
            item[key] = chance.choice(words)
        elif type(item[key]) is int and chance.random() < 0.7:
            item[key] = chance.choice([0, 1, 2, 3, 4, 5, 8, 16, 64, 300, -1, -2, 5_000, 20_000])
        else:
            _same_kind(item, key, chance, spots)
    return document


def _spots(document: Any) -> list[tuple[Any, Any]]:
    spots: list[tuple[Any, Any]] = []
    todo = [document]
    while todo:
        item = todo.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        spots += [(item, key) for key in keys]
        todo += [item[key] for key in keys]
    return spots


def _odd(item: Any, key: Any, chance: random.Random, _: Any) -> None:
    item[key] = odd(chance)


def _same_kind(item: Any, key: Any, chance: random.Random, _: Any) -> None:
    """Another value of the same type: such files are read the furthest."""
    value = item[key]
    if isinstance(value, bool):
        item[key] = not value
    elif isinstance(value, int):
        item[key] = chance.choice([*WHOLE, value + 1, value - 1, value * 2, -value])
    elif isinstance(value, float):
        item[key] = chance.choice([*FLOATS, value * 2, -value])
    elif isinstance(value, str):
        item[key] = chance.choice([*NAMES, *WORDS, value + "x", value[:-1], value.lower()])
    elif isinstance(value, list) and value:
        item[key] = chance.choice([value * 2, value[:-1], value[1:], value[::-1], [value]])
    else:
        item[key] = odd(chance)


def _gone(item: Any, key: Any, _: random.Random, __: Any) -> None:
    del item[key]


def _double(item: Any, key: Any, chance: random.Random, _: Any) -> None:
    if isinstance(item, list):
        item.insert(chance.randrange(len(item) + 1), copy.deepcopy(item[key]))
    else:
        item[chance.choice(NAMES)] = copy.deepcopy(item[key])


def _from_elsewhere(item: Any, key: Any, chance: random.Random, spots: list[tuple[Any, Any]]) -> None:
    other, at = chance.choice(spots)
    if (at in other) if isinstance(other, dict) else at < len(other):
        item[key] = copy.deepcopy(other[at])


def _renamed(item: Any, key: Any, chance: random.Random, _: Any) -> None:
    if isinstance(item, dict):
        item[chance.choice([*NAMES, *item])] = item.pop(key)
    else:
        chance.shuffle(item)


def _deep(item: Any, key: Any, chance: random.Random, _: Any) -> None:
    for _turn in range(chance.choice([1, 3, 30, 200])):
        item[key] = [item[key]] if chance.random() < 0.5 else {"a": item[key]}


_OF_TREES: list[Callable[..., None]] = [_odd, _odd, _same_kind, _same_kind, _same_kind, _gone, _double]
_OF_TREES += [_from_elsewhere, _from_elsewhere, _renamed, _deep]


def change_pickle(data: bytes, chance: random.Random) -> bytes:
    """A pickle -> the same with steps dropped, doubled, moved or given another number; other bytes as change_bytes."""
    try:
        places = [place for _, _, place in pickletools.genops(data)]
    except Exception:  # it was changed before and is a pickle no more
        return change_bytes(data, chance)
    steps = [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]
    for _ in range(chance.choice([1, 1, 2, 4])):
        at, to = chance.randrange(len(steps)), chance.randrange(len(steps))
        kind = chance.randrange(6)
        if kind == 0 and len(steps) > 1:
            del steps[at]
        elif kind == 1:
            steps.insert(to, steps[at])
        elif kind == 2:
            steps[at], steps[to] = steps[to], steps[at]
        elif kind == 3:
            steps[at] = chance.choice([b"N", b"\x88", b"}", b"]", b")", b"(", b"0", b"2", b"R", b"b", b"Q", b"K\x00"])
        elif kind == 4:
            steps[at] = b"J" + chance.randrange(2**32).to_bytes(4, "little")
        else:
            steps[at] = steps[at][:1] + change_bytes(steps[at][1:], chance)
        steps = steps or [b"."]
    return b"".join(steps)
