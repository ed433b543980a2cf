"""Writes small .tflite files with the flatbuffers builder alone, table by table as the schema numbers its fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

ADDERS = {"i8": "Int8", "u8": "Uint8", "i32": "Int32", "u32": "Uint32", "u64": "Uint64", "f32": "Float32"}
Slots = dict[int, tuple[str, Any]]
R = np.random.default_rng(3)


@dataclass
class T:
    """A tensor; `data` makes it a constant."""

    shape: Sequence[int]
    data: Any = None
    type: int = 0
    scale: Sequence[float] = ()
    zero: Sequence[int] = ()
    axis: int = 0
    sparse: bool = False
    name: str = ""
    signature: Sequence[int] = ()
    buffer: int | None = None
    at: int = 0
    """Where in the file its bytes lie, as files over 2 GB say it."""
    shares: bool = False
    """Takes the scales of the tensor before."""


@dataclass
class Op:
    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: str = ""
    slots: Slots = field(default_factory=dict)
    code: int | None = None


def table(b: flatbuffers.Builder, slots: Slots) -> int:
    """{field number: (kind, value)} -> offset; "off" takes an offset that was made before."""
    b.StartObject(max(slots, default=0) + 1)
    for slot, (kind, value) in slots.items():
        if kind == "off":
            b.PrependUOffsetTRelativeSlot(slot, value, 0)
        else:
            getattr(b, f"Prepend{ADDERS[kind]}Slot")(slot, value, None)
    return int(b.EndObject())


def offsets(b: flatbuffers.Builder, items: Sequence[int]) -> tuple[str, int]:
    b.StartVector(4, len(items), 4)
    for item in reversed(items):
        b.PrependUOffsetTRelative(item)
    return "off", b.EndVector()


def array(b: flatbuffers.Builder, values: Any, dtype: Any = np.int32) -> tuple[str, int]:
    return "off", b.CreateNumpyVector(np.asarray(values, dtype).reshape(-1))


def text(b: flatbuffers.Builder, words: str) -> tuple[str, int]:
    return "off", b.CreateString(words)


def write(
    tensors: Sequence[T],
    ops: Sequence[Op],
    inputs: Sequence[int] = (0,),
    outputs: Sequence[int] | None = None,
    *,
    subgraphs: int = 1,
    repeat: int = 1,
    metadata: bytes | None = None,
) -> bytes:
    """Tensors and operators -> the bytes of a .tflite file; the last operator's first output is the model's."""
    b = flatbuffers.Builder(4096)
    buffers, rows, shared = [table(b, {})], [], ("off", 0)
    for t in tensors:
        slots: Slots = {0: array(b, t.shape), 1: ("i8", t.type), 3: text(b, t.name)}
        if t.data is not None:
            buffers.append(table(b, {0: array(b, np.frombuffer(np.asarray(t.data).tobytes(), np.uint8), np.uint8)}))
            slots[2] = ("u32", len(buffers) - 1)
        if t.at:
            buffers.append(table(b, {1: ("u64", t.at), 2: ("u64", 4 * int(np.prod(t.shape)))}))
            slots[2] = ("u32", len(buffers) - 1)
        if t.buffer is not None:
            slots[2] = ("u32", t.buffer)
        if len(t.scale):
            quantised: Slots = {2: array(b, t.scale, np.float32), 6: ("i32", t.axis)}
            quantised |= {3: array(b, t.zero, np.int64)} if len(t.zero) else {}
            slots[4] = shared = ("off", table(b, quantised))
        if t.shares:
            slots[4] = shared
        slots |= {6: ("off", table(b, {}))} if t.sparse else {}
        slots |= {7: array(b, t.signature)} if len(t.signature) else {}
        rows.append(table(b, slots))
    steps, codes = [], []
    for op in ops:
        number = getattr(tflite.BuiltinOperator, op.kind, 32)
        custom: Slots = {1: text(b, op.kind)} if number == 32 else {}
        codes.append(table(b, {0: ("i8", min(number, 127)), 3: ("i32", number), **custom}))
        slots = {0: ("u32", len(codes) - 1 if op.code is None else op.code)}
        slots |= {1: array(b, op.inputs), 2: array(b, op.outputs)}
        if op.options:
            slots |= {3: ("u8", getattr(tflite.BuiltinOptions, op.options))}
            slots |= {4: ("off", table(b, {s: array(b, *v[1]) if v[0] == "array" else v for s, v in op.slots.items()}))}
        steps.append(table(b, slots))
    ends = ops[-1].outputs[:1] if outputs is None else outputs
    graph = table(b, {0: offsets(b, rows), 1: array(b, inputs), 2: array(b, ends), 3: offsets(b, steps * repeat)})
    model: Slots = {0: ("u32", 3), 1: offsets(b, codes), 2: offsets(b, [graph] * subgraphs)}
    if metadata is not None:
        buffers.append(table(b, {0: array(b, np.frombuffer(metadata, np.uint8), np.uint8)}))
        entry = table(b, {0: text(b, "TFLITE_METADATA"), 1: ("u32", len(buffers) - 1)})
        model[6] = offsets(b, [entry])
    model[4] = offsets(b, buffers)
    b.Finish(table(b, model), file_identifier=b"TFL3")
    return bytes(b.Output())


X = T((1, 6, 5, 3), name="picture")
Y = T((1, 6, 5, 3), name="net/step/Out")


def floats(*shape: int) -> T:
    return T(shape, R.normal(0, 1, shape).astype(np.float32))


def whole(*numbers: int) -> T:
    return T((len(numbers),), np.array(numbers, np.int32), type=2)


def one(
    kind: str, *constants: T | None, x: T = X, options: str = "", slots: Slots | None = None, first: int = 0
) -> bytes:
    """A file of one operator on the picture (as its operand number `first`) and constants, None for one left out."""
    operands: list[int] = [2 + at if c else -1 for at, c in enumerate(constants)]
    operands.insert(first, 0)
    held = [c or whole(0) for c in constants]
    return write([x, Y, *held], [Op(kind, operands, [1], options, slots or {})])
