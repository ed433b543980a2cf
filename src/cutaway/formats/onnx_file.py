"""ONNX files -> Parts. Nothing in a file is run; the operators are Cutaway's own list (onnx_graph.OPERATORS).

Opsets 7 to the newest, of any program: weights inside or in a second file beside it. Shapes and all arithmetic on them
are worked out while opening, for any number of pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.formats import onnx_wire
from cutaway.formats.onnx_build import build, needed
from cutaway.formats.onnx_contract import Feed, assumed_contract, classes_of, contract_from_metadata
from cutaway.formats.onnx_errors import BATCH, Refused, Stopped
from cutaway.formats.onnx_graph import MOST_NODES, Reader, Scope, initializers_of, picture
from cutaway.formats.onnx_notes import notes_of, producer_of, shown_text
from cutaway.formats.onnx_tensor import Arrays
from cutaway.formats.onnx_values import Step, Tape, Value
from cutaway.formats.onnx_view import only_view
from cutaway.formats.parts import Parts

OLDEST_OPSET = 7
_SIZES = (224, 299, 256, 192, 160, 128, 112, 96, 64, 48, 32, 28)
_LARGEST_SIDE = 16_384
_MOST_CLASSES = 100_000
_LEAST_BUDGET = 64_000_000
_FLOATS = {1, 10, 11, 16}
_BYTES = 2


def matches(head: bytes, path: Path) -> bool:
    """First bytes and path of a file -> whether its top level is an ONNX model's."""
    return head[:1] in b"\x08\x12\x1a\x22\x2a\x32\x3a\x42" and onnx_wire.looks_like_onnx(path)


def read(path: Path) -> Parts:
    """Path of an .onnx file -> its Parts.

    Raises OnlyView (a BadModel with the list of nodes) where an operator or the kind of input stops it, BadModel where
    the file is damaged, too large, or its second file is missing.
    """
    model, size = _parsed(path)
    return _File(path, model, size).parts()


def _parsed(path: Path) -> tuple[Any, int]:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import ModelProto

    try:
        size = path.stat().st_size
        if size > onnx_wire.MOST_BYTES:
            raise BadModel(f"{path.name} has {size:,} bytes; an ONNX file has at most {onnx_wire.MOST_BYTES:,}.")
        data = path.read_bytes()
    except OSError as error:
        raise BadModel(f"{path.name} cannot be read ({error.strerror}).") from None
    onnx_wire.check_parts(data, path.name)
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise BadModel(f"{path.name} is a damaged ONNX file ({str(error)[:100]}); copy or download it again.") from None
    return model, len(data)


@dataclass(frozen=True, slots=True)
class _Input:
    """The picture's declared input. Sides are None where the file leaves them open."""

    name: str
    batch: int
    channels: int | None
    height: int | None
    width: int | None
    channels_last: bool
    bytes_in: bool


class _File:
    def __init__(self, path: Path, model: Any, size: int) -> None:
        self.path = path
        self.graph = model.graph
        self.model = model
        self.size = size
        self.opsets = {o.domain: o.version for o in model.opset_import}
        self.opset = self.opsets.get("", 0) or self.opsets.get("ai.onnx", 0)
        self.word = f"ONNX opset {self.opset}"
        self.functions = {(f.domain, f.name): f for f in model.functions}
        self.metadata = {e.key: e.value for e in model.metadata_props}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def parts(self) -> Parts:
        if not self.graph.node:
            raise BadModel(f"{self.path.name} is an ONNX file without a single node; nothing can be run.")
        self.initializers = initializers_of(self.graph, self.path.name)
        if self.opset < OLDEST_OPSET:
            raise self._only(f"{self.path.name} is written in opset {self.opset}; {OLDEST_OPSET} and newer can be run.")
        given = self._input()
        output, reader, feed = self._worked_out(given)
        output = self._flat(output, reader)
        steps = needed(output)
        graph = build(output)
        notes = notes_of(self._used_outputs, steps, reader, given.height is None or given.width is None, feed)
        return self._with_contract(graph, steps, feed, output, notes)

    def _with_contract(
        self, graph: torch.fx.GraphModule, steps: Sequence[Step], feed: Feed, output: Value, notes: list[str]
    ) -> Parts:
        count = output.shape[1] if len(output.shape) == 2 else 0
        contract, note = assumed_contract(feed, steps)
        classes, more = classes_of(self.metadata, self.path, count) if 0 < count <= _MOST_CLASSES else ((), [])
        about, damaged = contract_from_metadata(self.metadata, feed.size, feed.channels)
        card = {"format": self.word, "producer": producer_of(self.model)}
        doc = shown_text(self.model.doc_string or self.graph.doc_string)
        if doc:
            card["description"] = doc
        if about is not None and len(about.classes) in (0, count):
            put = about.put(Parts(graph, contract, classes, False, card))
            return put if put.classes else dataclasses.replace(put, classes=classes)
        card["notes"] = " ".join([*damaged, note, *notes, *more])
        return Parts(graph, contract, classes, _ends_in_softmax(steps), card)

    # The input

    def _input(self) -> _Input:
        real = [i for i in self.graph.input if i.name not in self.initializers]
        pictures = [i for i in real if len(i.type.tensor_type.shape.dim) == 4]
        if len(real) != 1 or len(pictures) != 1:
            named = ", ".join(f"{i.name[:40]!r} with {len(i.type.tensor_type.shape.dim)} axes" for i in real[:4])
            raise self._only(
                f"{self.path.name} takes {named or 'no input'}; a network that takes one picture (4 axes) can be run."
            )
        tensor = pictures[0].type.tensor_type
        if tensor.elem_type not in _FLOATS and tensor.elem_type != _BYTES:
            raise self._only(
                f"{self.path.name} takes input of type number {tensor.elem_type}, not a picture's numbers."
            )
        sizes = [_side(dim) for dim in tensor.shape.dim]
        last = self._channels_last(pictures[0].name, sizes)
        channels, height, width = (sizes[3], sizes[1], sizes[2]) if last else (sizes[1], sizes[2], sizes[3])
        if channels is not None and channels not in (1, 3):
            raise self._only(f"{self.path.name} takes {channels} channels; a picture has 3 (or 1 in grey).")
        if any(n is not None and n > _LARGEST_SIDE for n in (height, width)):
            raise self._only(
                f"{self.path.name} takes pictures of {height} x {width}; at most {_LARGEST_SIDE:,} px can be run."
            )
        batch = sizes[0] or 1
        bytes_in = tensor.elem_type == _BYTES
        return _Input(pictures[0].name, batch, channels, height, width, last, bytes_in)

    def _channels_last(self, name: str, sizes: list[int | None]) -> bool:
        """Whether the last axis holds the channels: 3 or 1 of them there and not in front, or a transpose says so."""
        if sizes[1] in (1, 3) and sizes[3] not in (1, 3):
            return False
        readers = [n for n in self.graph.node if name in n.input]
        turned = any(
            n.op_type == "Transpose" and any(list(a.ints[:4]) == [0, 3, 1, 2] for a in n.attribute) for n in readers
        )
        return turned or (sizes[3] in (1, 3) and sizes[1] not in (1, 3))

    def _channels(self, given: _Input) -> int:
        """As declared, else as the first convolution takes."""
        if given.channels is not None:
            return given.channels
        for node in self.graph.node:
            weight = self.initializers.get(node.input[1]) if node.op_type == "Conv" and len(node.input) > 1 else None
            if weight is not None and len(weight.dims) == 4:
                return 1 if weight.dims[1] == 1 else 3
        return 3

    # The network

    def _worked_out(self, given: _Input) -> tuple[Value, Reader, Feed]:
        """Tries the declared size, or the usual ones where it is open; the first at which every layer works."""
        channels = self._channels(given)
        sizes = [(given.height or n, given.width or n) for n in _SIZES]
        first: Stopped | None = None
        seen = 0
        for size in dict.fromkeys(sizes):
            feed = Feed(size, channels, given.channels_last, given.bytes_in)
            reader = self._reader(given.batch)
            try:
                return self._run(reader, feed, given.name), reader, feed
            except Stopped as error:
                if first is None or len(reader.shapes) > len(self.shapes):
                    first, self.shapes = error, reader.shapes
            seen += reader.nodes_seen
            if seen > MOST_NODES:
                break
        raise self._only(str(first)) from None

    def _reader(self, batch: int) -> Reader:
        budget = max(4 * self.size, _LEAST_BUDGET)
        arrays = Arrays(self.path)
        return Reader(self.path.name, arrays, self.opsets, self.functions, Tape(budget), batch)

    def _run(self, reader: Reader, feed: Feed, name: str) -> Value:
        x = picture((feed.channels, *feed.size))
        if feed.channels_last:
            try:
                x = reader.tape.call(torch.permute, (x, (0, 2, 3, 1)), {}, suffix="channels_last")
            except Refused as error:
                raise Stopped(f"The input {name[:60]!r} {error}") from None
        scope = Scope(self.initializers, None, {name: x})
        wanted = self._wanted()
        reader.run(self.graph, scope, [wanted], self.opsets)
        output = scope.get(wanted, reader.arrays)
        if output is None or output.known:
            raise Stopped(f"The output {wanted[:60]!r} does not depend on the picture.")
        if not output.shape or output.shape[0] != BATCH:
            raise Stopped(
                f"The output {wanted[:60]!r} does not keep pictures apart: it would be of shape "
                f"{tuple('N' if n == BATCH else n for n in output.shape)}."
            )
        return output

    def _wanted(self) -> str:
        """The output that is used: the first with two axes of floats (pictures, classes), else the first."""
        outputs = list(self.graph.output)
        if not outputs:
            raise BadModel(f"{self.path.name} names no output; nothing can be run.")
        floats = [o for o in outputs if o.type.tensor_type.elem_type in _FLOATS or not o.type.tensor_type.elem_type]
        rows = [o for o in floats if len(o.type.tensor_type.shape.dim) == 2]
        chosen: str = (rows or floats or outputs)[0].name
        self._used_outputs = (chosen, len(outputs))
        return chosen

    @staticmethod
    def _flat(output: Value, reader: Reader) -> Value:
        """(N, K, 1, 1) -> (N, K): class scores as every program expects them."""
        if len(output.shape) > 2 and all(n == 1 for n in output.shape[2:]):
            return reader.tape.layer(nn.Flatten(1), output, {}, suffix="flatten")
        return output

    def _only(self, reason: str) -> BadModel:
        return only_view(self.graph, self.shapes, self.functions, self.word, reason)


def _side(dim: Any) -> int | None:
    """A declared size -> the number, None where it is open (a name, 0 or -1)."""
    return int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else None


def _ends_in_softmax(steps: Sequence[Step]) -> bool:
    """Whether the last computing layer is a softmax over the classes."""
    for step in reversed(steps):
        if isinstance(step.target, nn.Flatten | nn.Identity) or step.target in (torch.reshape, torch.permute):
            continue
        return isinstance(step.target, nn.Softmax)
    return False


def metadata_of(path: Path) -> Mapping[str, str]:
    """Path of an .onnx file -> its metadata_props by key. Raises BadModel where it is damaged."""
    model, _ = _parsed(path)
    return {entry.key: entry.value for entry in model.metadata_props}
