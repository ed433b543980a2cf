"""The graph of an ONNX file -> values and steps: each node worked out by its operator's builder, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats import onnx_constant, onnx_dense, onnx_fused, onnx_math, onnx_shape, onnx_space, onnx_window
from cutaway.formats.onnx_errors import BATCH, Refused, Stopped
from cutaway.formats.onnx_node import Op
from cutaway.formats.onnx_order import ordered, shown
from cutaway.formats.onnx_tensor import Arrays
from cutaway.formats.onnx_values import Step, Tape, Value

MOST_NODES = 10_000
_DEEPEST = 10
_PLAIN = ("", "ai.onnx")

OPERATORS: Mapping[str, Callable[[Op], Any]] = {
    **onnx_window.OPERATORS,
    **onnx_dense.OPERATORS,
    **onnx_math.OPERATORS,
    **onnx_shape.OPERATORS,
    **onnx_constant.OPERATORS,
    **onnx_space.OPERATORS,
}


def listed(node: Any) -> bool:
    """Whether a node's operator is on the list (`If` is opened where its condition is known)."""
    return node.op_type in _table(node.domain) or (node.domain in _PLAIN and node.op_type == "If")


def _table(domain: str) -> Mapping[str, Callable[[Op], Any]]:
    return OPERATORS if domain in _PLAIN else onnx_fused.OPERATORS if domain == "com.microsoft" else {}


@dataclass(slots=True)
class Scope:
    """Values by name; what is not here is looked up in the graph around it."""

    initializers: Mapping[str, Any]
    around: Scope | None = None
    values: dict[str, Value | None] = field(default_factory=dict)

    def holds(self, name: str) -> bool:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values or name in scope.initializers:
                return True
            scope = scope.around
        return False

    def get(self, name: str, arrays: Arrays) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name not in scope.values and name in scope.initializers:
                scope.values[name] = Value(arrays.read(scope.initializers[name]), origin=name)
            if name in scope.values:
                return scope.values[name]
            scope = scope.around
        return None


@dataclass(slots=True)
class Reader:
    """Works the nodes of one file out. `shapes`: output name -> its shape, of every node that was."""

    file: str
    arrays: Arrays
    opsets: Mapping[str, int]
    functions: Mapping[tuple[str, str], Any]
    tape: Tape
    batch: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    quantised: bool = False
    nodes_seen: int = 0

    def run(self, graph: Any, scope: Scope, wanted: Sequence[str], opsets: Mapping[str, int], depth: int = 0) -> None:
        """Fills `scope` with the values `wanted`. Raises Stopped naming the node that cannot be opened."""
        if depth > _DEEPEST:
            raise Stopped(f"{self.file}: graphs lie inside one another more than {_DEEPEST} deep.")
        for _, node in ordered(graph.node, wanted, scope.holds, self.file):
            self.nodes_seen += 1
            if self.nodes_seen > MOST_NODES:
                raise Stopped(f"{self.file} has more than {MOST_NODES:,} nodes to work out.")
            settings = {a.name: a for a in node.attribute}
            try:
                made = self._outputs(node, settings, scope, opsets, depth)
            except Refused as error:
                raise Stopped(f"The node {shown(node)} {error}") from None
            for name, value in zip(node.output, made, strict=False):
                if name:
                    scope.values[name] = value
                    if value is not None:
                        self.shapes[name] = value.shape

    def _outputs(
        self, node: Any, settings: Mapping[str, Any], scope: Scope, opsets: Mapping[str, int], depth: int
    ) -> Sequence[Value | None]:
        inputs = [scope.get(name, self.arrays) if name else None for name in node.input]
        for name, value in zip(node.input, inputs):
            if name and value is None:
                raise Refused(f"reads {name[:100]!r}, an output that is used for training only.")
        inner = self.functions.get((node.domain, node.op_type))
        if inner is not None:
            return self._function(inner, inputs, settings, depth)
        if not listed(node):
            where = "" if node.domain in _PLAIN else f" of {node.domain[:60]}"
            raise Refused(f"is an operator{where} that is not on Cutaway's list.")
        opset = opsets.get("", 0) or opsets.get("ai.onnx", 0)
        op = Op(node, inputs, settings, opset, self.tape, self.batch, self.arrays.read)
        if node.op_type == "If":
            return self._branch(op, scope, opsets, depth)
        self.quantised |= node.op_type in ("DequantizeLinear", "QuantizeLinear")
        made = _table(node.domain)[node.op_type](op)
        found: list[Value] = made if isinstance(made, list) else [made]
        found = [_settled(node, value) for value in found]
        return [*found, *[None] * (len(node.output) - len(found))]

    def _function(
        self, function: Any, inputs: Sequence[Value | None], settings: Mapping[str, Any], depth: int
    ) -> Sequence[Value | None]:
        """A function that the file defines itself: its nodes in place of the call."""
        scope = Scope({})
        for at, name in enumerate(function.input):
            scope.values[name] = inputs[at] if at < len(inputs) else None
        given = {a.name: a for a in function.attribute_proto} | dict(settings)
        body = _Body([_bound(node, given) for node in function.node])
        opsets = {o.domain: o.version for o in function.opset_import} or self.opsets
        self.run(body, scope, function.output, opsets, depth + 1)
        return [scope.get(name, self.arrays) for name in function.output]

    def _branch(self, op: Op, scope: Scope, opsets: Mapping[str, int], depth: int) -> Sequence[Value | None]:
        condition = op.value(0)
        if condition.number is None:
            raise Refused("decides by the picture which part of the network runs, which is not on Cutaway's list.")
        graph = op.graph("then_branch" if condition.number else "else_branch")
        inner = Scope({t.name: t for t in graph.initializer}, scope)
        names = [o.name for o in graph.output]
        self.run(graph, inner, names, opsets, depth + 1)
        return [inner.get(name, self.arrays) for name in names]


@dataclass(frozen=True, slots=True)
class _Body:
    node: Sequence[Any]


def _bound(node: Any, given: Mapping[str, Any]) -> Any:
    """A function's node with the settings it takes from the call."""
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    copy = type(node)()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for setting in node.attribute:
        source = given.get(setting.ref_attr_name) if setting.ref_attr_name else setting
        if source is not None:
            made = copy.attribute.add()
            made.CopyFrom(source)
            made.name = setting.name
    return copy


def _settled(node: Any, value: Value) -> Value:
    if not value.known:
        return value
    if node.op_type == "Identity":  # weights that an exporter shares keep the name of the place that reads them
        return Value(value.tensor, None, value.of_batch, node.output[0] if node.output else "")
    if value.of_batch and node.op_type in onnx_shape.MOVES and not value.tensor.is_floating_point():
        value.of_batch = bool(((value.tensor % BATCH == 0) & (value.tensor != 0)).any())
    return value


def picture(sizes: Sequence[int]) -> Value:
    """(C, H, W) -> the input, as it is fed: float32 (N, C, H, W)."""
    return Value(None, Step("input"), sizes=(BATCH, *sizes))


def initializers_of(graph: Any, file: str) -> dict[str, Any]:
    """Name -> TensorProto. Raises BadModel where two share a name."""
    found: dict[str, Any] = {}
    for tensor in graph.initializer:
        if tensor.name in found:
            raise BadModel(f"{file}: two arrays are called {tensor.name[:100]!r}.")
        found[tensor.name] = tensor
    return found
