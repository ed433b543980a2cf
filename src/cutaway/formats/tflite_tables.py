"""A .tflite file's tables (operators, tensors, buffers), read with the format's own schema and checked on the way.

FlatBuffers verifies nothing: an offset may point anywhere and a length may claim anything. What is read here is bounded
by the file's size, by counts below, or refused; what cannot be unpacked ends as `damage_named`'s one sentence.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

from cutaway.errors import BadModel

MOST_OPERATORS = 8_000
_MOST_OPERANDS = 2_000
_MOST_IN_ALL = 50_000
_MOST_AXES = 8
_MOST_TEXT = 600
_DAMAGE = (
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
)
_KINDS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_TYPES = {code: name.lower() for name, code in vars(tflite.TensorType).items() if isinstance(code, int)}


@contextlib.contextmanager
def damage_named(name: str) -> Iterator[None]:
    """Whatever unpacking raises inside the block -> BadModel that names the file."""
    try:
        yield
    except _DAMAGE as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise BadModel(f"{name} is a damaged or truncated TFLite file ({shown(words, 150)}).") from None


def shown(text: str, most: int = 60) -> str:
    """Text out of a file -> at most `most` characters of it that any terminal can print."""
    printable = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
    return printable if len(printable) <= most else printable[: most - 3] + "..."


@dataclass(frozen=True, slots=True)
class Quantisation:
    """number = scale * (stored - zero), one pair for all or one for each index of `axis`."""

    scale: NDArray[np.float64]
    zero: NDArray[np.float64]
    axis: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the file describes it; `shape` as TFLite counts axes (batch first, channels last)."""

    index: int
    name: str
    shape: tuple[int, ...]
    open_axes: tuple[int, ...]
    """Axes whose size the file leaves open (it writes 1 for them in `shape`)."""
    type: str
    buffer: int
    quantisation: Quantisation | None
    sparse: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """One step: `kind` as the schema spells it ("CONV_2D"); tensors by index, -1 for one that is left out."""

    kind: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int
    options: Any
    """flatbuffers Table of its settings, None where it has none."""


class Tables:
    """What a file holds. Tensors are read when asked for, operators at once."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path = path
        try:
            self.data = path.read_bytes()
        except (OSError, MemoryError) as error:
            raise BadModel(f"{path.name} cannot be read ({getattr(error, 'strerror', None) or error}).") from None
        self._tensors: dict[int, Tensor] = {}
        self._scales_left = len(self.data) + 1024  # many tensors may point at one long list
        with damage_named(self.name):
            self._model = tflite.Model.GetRootAs(self.data, 0)
            self.subgraphs = self._model.SubgraphsLength()
            if not self.subgraphs:
                raise BadModel(f"{self.name} holds no network (it has no subgraph).")
            self._graph = self._model.Subgraphs(0)
            self.description = text_of(self._model._tab, 3)
            self.inputs, self.outputs = (tuple(v.tolist()) for v in (self._indices(True), self._indices(False)))
            self.operators = self._operators()

    def tensor(self, index: int) -> Tensor:
        """Index -> the tensor. Raises BadModel where there is none or its description cannot be."""
        with damage_named(self.name):
            return self._tensor(index)

    def _tensor(self, index: int) -> Tensor:
        if index not in self._tensors:
            self._tensors[index] = self._described(index)
        return self._tensors[index]

    def _described(self, index: int) -> Tensor:
        count = self._graph.TensorsLength()
        if not 0 <= index < count:
            raise BadModel(f"{self.name} uses tensor {index}; it holds {count}.")
        table = self._graph.Tensors(index)
        shape = () if table.ShapeIsNone() else self._shape(table.ShapeAsNumpy(), index)
        signature = () if table.ShapeSignatureIsNone() else tuple(table.ShapeSignatureAsNumpy()[:_MOST_AXES].tolist())
        kind = table.Type()
        return Tensor(
            index=index,
            name=text_of(table._tab, 3),
            shape=shape,
            open_axes=tuple(axis for axis, n in enumerate(signature) if n < 0),
            type=_TYPES.get(kind, f"type {kind}"),
            buffer=table.Buffer(),
            quantisation=self._quantisation(table),
            sparse=table.Sparsity() is not None,
        )

    def _shape(self, numbers: NDArray[np.int32], index: int) -> tuple[int, ...]:
        shape = tuple(numbers[: _MOST_AXES + 1].tolist())
        if len(shape) > _MOST_AXES or any(n < 0 for n in shape):
            raise BadModel(
                f"{self.name} gives tensor {index} the shape {shown(str(shape))}, which cannot be "
                f"(at most {_MOST_AXES} axes of 0 and more)."
            )
        return shape

    def _quantisation(self, table: Any) -> Quantisation | None:
        found = table.Quantization()
        if found is None or found.ScaleIsNone() or not found.ScaleLength():
            return None
        scale = found.ScaleAsNumpy()
        zero = np.zeros(len(scale)) if found.ZeroPointIsNone() else found.ZeroPointAsNumpy()
        if len(zero) not in (1, len(scale)):
            raise BadModel(f"{self.name} has a tensor with {len(scale)} scales but {len(zero)} zero points.")
        self._scales_left -= len(scale)
        if self._scales_left < 0:
            raise BadModel(f"{self.name} claims more quantisation scales than it has bytes.")
        if not np.isfinite(scale).all():
            raise BadModel(f"{self.name} has a tensor whose scale is not finite.")
        return Quantisation(scale.astype(np.float64), zero.astype(np.float64), found.QuantizedDimension())

    def raw(self, tensor: Tensor) -> NDArray[np.uint8] | None:
        """Tensor -> the bytes the file keeps for it (a view), None where it keeps none: it is computed."""
        with damage_named(self.name):
            return self._raw(tensor.buffer)

    def _raw(self, index: int) -> NDArray[np.uint8] | None:
        count = self._model.BuffersLength()
        if not 0 <= index < count:
            raise BadModel(f"{self.name} uses buffer {index}; it holds {count}.")
        buffer = self._model.Buffers(index)
        start, size = buffer.Offset(), buffer.Size()
        if start > 1 and size:  # files over 2 GB keep their weights behind the tables
            if start + size > len(self.data):
                raise BadModel(f"{self.name} keeps buffer {index} beyond its own end; it is truncated.")
            return np.frombuffer(self.data, np.uint8, size, start)
        if buffer.DataIsNone() or not buffer.DataLength():
            return None
        found: NDArray[np.uint8] = buffer.DataAsNumpy()
        return found

    def metadata(self, name: bytes) -> bytes | None:
        """Name of a metadata entry ("TFLITE_METADATA") -> its bytes, None where the file has no such entry."""
        with damage_named(self.name):
            for at in range(min(self._model.MetadataLength(), 100)):
                entry = self._model.Metadata(at)
                if text_of(entry._tab, 0).encode() == name:
                    raw = self._raw(entry.Buffer())
                    return None if raw is None else raw.tobytes()
        return None

    def _indices(self, inputs: bool) -> NDArray[np.int32]:
        graph = self._graph
        if graph.InputsIsNone() if inputs else graph.OutputsIsNone():
            return np.zeros(0, np.int32)
        found: NDArray[np.int32] = graph.InputsAsNumpy() if inputs else graph.OutputsAsNumpy()
        return found[:_MOST_OPERANDS]

    def _operators(self) -> tuple[Operator, ...]:
        count = self._graph.OperatorsLength()
        if count > MOST_OPERATORS:
            raise BadModel(f"{self.name} claims {count:,} operators; at most {MOST_OPERATORS:,} are accepted.")
        found, operands = [], 0
        for at in range(count):
            found.append(self._operator(self._graph.Operators(at)))
            operands += len(found[-1].inputs) + len(found[-1].outputs)
            if operands > _MOST_IN_ALL:
                raise BadModel(f"{self.name} has operators of more than {_MOST_IN_ALL:,} operands in all.")
        return tuple(found)

    def _operator(self, table: Any) -> Operator:
        at, codes = table.OpcodeIndex(), self._model.OperatorCodesLength()
        if not 0 <= at < codes:
            raise BadModel(f"{self.name} uses operator code {at}; it holds {codes}.")
        code = self._model.OperatorCodes(at)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = () if table.InputsIsNone() else table.InputsAsNumpy()
        outputs = () if table.OutputsIsNone() else table.OutputsAsNumpy()
        if max(len(inputs), len(outputs)) > _MOST_OPERANDS:
            raise BadModel(
                f"{self.name} has an operator of {max(len(inputs), len(outputs)):,} operands; "
                f"at most {_MOST_OPERANDS:,} are accepted."
            )
        return Operator(
            kind=_KINDS.get(number, f"operator {number}"),
            custom=text_of(code._tab, 1) if number == tflite.BuiltinOperator.CUSTOM else "",
            inputs=tuple(int(i) for i in inputs),
            outputs=tuple(int(i) for i in outputs),
            options_type=table.BuiltinOptionsType(),
            options=table.BuiltinOptions(),
        )


def text_of(table: Any, field: int) -> str:
    """flatbuffers Table, number of a text field -> its text, cut after some hundred bytes ("" where there is none)."""
    slot = table.Offset(4 + 2 * field)
    if not slot:
        return ""
    start = table.Indirect(slot + table.Pos)
    length = table.Get(flatbuffers.number_types.UOffsetTFlags, start)
    text = table.Bytes[start + 4 : start + 4 + min(length, _MOST_TEXT)]
    return bytes(text).decode("utf-8", errors="replace")


def count_of(shape: tuple[int, ...]) -> int:
    """Shape -> how many numbers it holds."""
    return math.prod(shape)
