"""A .tflite file's operators -> the graph: the table of those Cutaway builds, and the walk through them."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.formats import tflite_activation, tflite_conv, tflite_math, tflite_shape
from cutaway.formats.parts import FileView, OnlyView, ViewRow
from cutaway.formats.tflite_emit import Emit, Operand, Table, Value, channels_first
from cutaway.formats.tflite_fold import folded, shape_of
from cutaway.formats.tflite_names import Names, operator_names
from cutaway.formats.tflite_numbers import Numbers
from cutaway.formats.tflite_tables import Operator, Tables, Tensor, count_of, shown
from cutaway.graph.build import GraphBuilder

ASSUMED_SIZE = 224
_LARGEST_SIDE = 16_384
_FLOATS = ("float32", "float16", "float64", "bfloat16")


def _cast(e: Emit) -> Value:
    """Picture bytes to numbers; other changes of type would cut numbers off."""
    if int(e.number("CastOptions", "OutDataType")) not in (0, 1, 10):
        raise e.stop("it turns numbers into whole ones, which is not on Cutaway's list.")
    return replace(e.value(0))


TABLE: Table = {
    **tflite_activation.TABLE,
    **tflite_conv.TABLE,
    **tflite_math.TABLE,
    **tflite_shape.TABLE,
    "CAST": _cast,
}


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The graph, the picture it takes (height, width, channels), what it makes of one, and sentences of note."""

    graph: fx.GraphModule
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, ...]
    probabilities: bool
    notes: tuple[str, ...]


def build_network(tables: Tables, format_name: str) -> Network:
    """Tables -> the network. Raises OnlyView naming the operator that stops it, BadModel where the file is wrong."""
    names = operator_names(tables)
    stop = _stopper(tables, names, format_name)
    if tables.subgraphs > 1:
        raise stop(f"it holds {tables.subgraphs} subgraphs (control flow or several functions); one can be opened.")
    if len(tables.inputs) != 1 or len(tables.outputs) != 1:
        raise stop(f"it takes {len(tables.inputs)} inputs and makes {len(tables.outputs)} outputs; one of each can be.")
    for step, name in zip(tables.operators, names, strict=True):
        if step.kind not in TABLE and step.kind not in _ALWAYS_FOLDED:
            kind = f"custom operator {shown(step.custom)}" if step.custom else step.kind
            raise stop(f"operator {shown(name.step)} ({kind}) is not on Cutaway's list.")
    builder = GraphBuilder()
    given, picture, notes = _entered(builder, tables.tensor(tables.inputs[0]), stop)
    walk = _Walk(tables, builder, names, stop, {tables.inputs[0]: given})
    walk.run()
    found = walk.operand(tables.outputs[0])
    if not isinstance(found, Value):
        raise stop("its output does not depend on the picture.")
    if found.merged:
        raise stop("its output mixes pictures.")
    node, shape, more, probabilities = _ended(builder, found)
    graph = builder.finish(node).eval()
    if graph.graph.eliminate_dead_code():  # pieces of a split that nobody reads
        graph.delete_all_unused_submodules()
        graph.recompile()
    return Network(graph, picture, shape, probabilities, (*notes, *more))


_ALWAYS_FOLDED = ("SHAPE", "GATHER", "REDUCE_PROD", "FILL", "BROADCAST_TO")


class _Walk:
    """Runs through the operators in the file's order, keeping what each tensor has become."""

    def __init__(
        self,
        tables: Tables,
        builder: GraphBuilder,
        names: Sequence[Names],
        stop: Callable[[str], BadModel],
        made: dict[int, Operand],
    ) -> None:
        self._tables = tables
        self._builder = builder
        self._names = names
        self._stop = stop
        self._made = made
        self._numbers = Numbers(tables)
        self._readers = Counter(i for step in tables.operators for i in step.inputs)
        self._readers.update(tables.outputs)
        self._reader = {i: step for step in tables.operators for i in step.inputs}

    def run(self) -> None:
        for step, names in zip(self._tables.operators, self._names, strict=True):
            operands = [None if i < 0 else self.operand(i) for i in step.inputs]
            e = Emit(
                step,
                names,
                operands,
                self._builder,
                self._stop,
                self._numbers.spend,
                self._tables.name,
                step.kind == "MUL" and self._then_adds_numbers(step),
                step.kind == "LOGISTIC" and self._then_times_itself(step),
            )
            found = self._built(e)
            made = [found] if not isinstance(found, list) else found
            e.must_make(len(made))
            for index, value in zip(step.outputs, made, strict=True):
                if index in self._made:
                    raise e.bad(f"it makes tensor {index}, which was made before.")
                self._made[index] = value

    def _built(self, e: Emit) -> Operand | list[Operand]:
        if e.kind == "SHAPE":
            return shape_of(e)
        if not any(isinstance(o, Value) for o in e.operands):
            return folded(e)
        if e.kind not in TABLE:
            raise e.stop("it works on values that depend on the picture, which is not on Cutaway's list.")
        found = TABLE[e.kind](e)
        return list(found) if isinstance(found, list) else found  # type: ignore[return-value]

    def operand(self, index: int) -> Operand:
        if index not in self._made:
            tensor = self._tables.tensor(index)
            numbers = self._numbers(tensor)
            if numbers is None and count_of(tensor.shape):
                raise BadModel(
                    f"{self._tables.name} reads tensor {shown(tensor.name) or index} before any operator made it."
                )
            self._made[index] = np.zeros(tensor.shape, np.int64) if numbers is None else numbers
        return self._made[index]

    def _then_times_itself(self, step: Operator) -> bool:
        """Whether only a product with the same value reads this sigmoid: x * sigmoid(x)."""
        if len(step.outputs) != 1 or len(step.inputs) != 1 or self._readers[step.outputs[0]] != 1:
            return False
        then = self._reader.get(step.outputs[0])
        return then is not None and then.kind == "MUL" and sorted(then.inputs) == sorted((*step.inputs, *step.outputs))

    def _then_adds_numbers(self, step: Operator) -> bool:
        """Whether only an ADD of a number (or one a channel) reads what this product makes."""
        if len(step.outputs) != 1 or self._readers[step.outputs[0]] != 1:
            return False
        then = self._reader.get(step.outputs[0])
        if then is None or then.kind != "ADD" or len(then.inputs) != 2:
            return False
        (other,) = [i for i in then.inputs if i != step.outputs[0]] or [-1]
        if other < 0 or isinstance(self._made.get(other), Value):
            return False
        tensor, product = self._tables.tensor(other), self._tables.tensor(step.outputs[0])
        known = other in self._made or self._tables.raw(tensor) is not None
        count, channels = count_of(tensor.shape), product.shape[-1:] or (0,)
        return known and len(product.shape) > 1 and (count == 1 or (count,) == tensor.shape[-1:] == channels)


def _entered(
    builder: GraphBuilder, tensor: Tensor, stop: Callable[[str], BadModel]
) -> tuple[Value, tuple[int, int, int], list[str]]:
    """Input tensor -> (value of the graph's channels-first input, (H, W, C) of the picture, notes)."""
    shape, notes, node = list(tensor.shape), [], builder.input()
    if len(shape) not in (3, 4) or tensor.type not in (*_FLOATS, "uint8", "int8", "int16"):
        raise stop(f"it takes {tensor.type} values of shape {tuple(shape)}, not pictures (1, height, width, channels).")
    channels_at = 1 if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3) else 3
    open_sides = [axis for axis in tensor.open_axes if 0 < axis < len(shape) and axis != channels_at]
    if open_sides:
        shape = [ASSUMED_SIZE if axis in open_sides else n for axis, n in enumerate(shape)]
        notes.append(f"The file leaves the picture's size open; {ASSUMED_SIZE} px was assumed.")
    if 0 in shape or max(shape) > _LARGEST_SIDE:
        raise stop(f"it takes pictures of shape {tuple(shape)}; sides from 1 to {_LARGEST_SIDE} are accepted.")
    if len(shape) == 3:  # (N, H, W) of the graph's (N, 1, H, W)
        gray = builder.call("without_channel", torch.squeeze, node, 1)
        return Value(gray, tuple(shape), (0, 1, 2)), (shape[1], shape[2], 1), notes
    channels = shape[channels_at]
    if channels not in (1, 3):
        raise stop(f"it takes pictures of {channels} channels; 3 (RGB) and 1 (gray) can be fed.")
    if channels_at == 1:
        return Value(node, tuple(shape), (0, 1, 2, 3)), (shape[2], shape[3], channels), notes
    return Value(node, tuple(shape), channels_first(4)), (shape[1], shape[2], channels), notes


def _ended(builder: GraphBuilder, result: Value) -> tuple[fx.Node, tuple[int, ...], list[str], bool]:
    """Last value -> output node with one number a class. A single number becomes two classes."""
    shape, last = result.shape[1:], result.made_by
    if len(shape) > 1 and math.prod(shape) == shape[-1] and result.in_row:
        flat = builder.layer("flatten_output", nn.Flatten(), result.node)
        result, shape = Value(flat, (result.shape[0], shape[-1]), (0, 1), last), shape[-1:]
    if len(shape) != 1:
        order = channels_first(result.rank)
        node = result.node
        if result.order != order:
            steps = tuple(result.order.index(axis) for axis in order)
            node = builder.call("channels_first_output", torch.permute, node, steps)
        return node, shape, [f"The network ends in maps of shape {shape}, not in classes."], False
    if shape != (1,):
        notes = ["Every class has a sigmoid of its own; probabilities are shown divided by their sum."]
        return result.node, shape, notes if last == "Sigmoid" else [], last in ("Softmax", "Sigmoid")
    if last == "Sigmoid":
        other = builder.call("other_class", operator.sub, 1.0, result.node)
        both = builder.call("two_classes", torch.cat, [other, result.node], 1)
        return both, (2,), ["The one sigmoid output p became two classes: 1 - p and p."], True
    zero = builder.call("other_class", operator.mul, result.node, 0.0)
    both = builder.call("two_classes", torch.cat, [zero, result.node], 1)
    note = "The network ends in one plain number; it was taken for the logit of the second of two classes."
    return both, (2,), [note], False


def _stopper(tables: Tables, names: Sequence[Names], format_name: str) -> Callable[[str], BadModel]:
    """-> reason: the OnlyView that lists all operators and says why they cannot be run."""

    def stop(reason: str) -> BadModel:
        rows = tuple(_row(tables, step, name) for step, name in zip(tables.operators, names, strict=True))
        sentence = f"{tables.name} can be looked at but not run: {reason}"
        return OnlyView(FileView("view-only", format_name, sentence, rows))

    return stop


def _row(tables: Tables, step: Operator, names: Names) -> ViewRow:
    shape = tables.tensor(step.outputs[0]).shape[1:] if step.outputs and step.outputs[0] >= 0 else None
    held = (tables.tensor(i) for i in step.inputs if i >= 0)
    weights = (t for t in held if (t.type in _FLOATS or t.quantisation) and tables.raw(t) is not None)
    return ViewRow(names.step, step.custom or step.kind, shape, sum(count_of(t.shape) for t in weights))
