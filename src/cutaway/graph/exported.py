"""ATen operators (torch.export's, read from a .pt2 file or made from a live module) -> a graph of listed layers.

Layers are named by the module they ran in, or by the weights they use ("layer1.0.conv1"). What writes in place becomes
a value of its own, and a batch size that the export fixed is freed where only reshapes know it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from cutaway.errors import BadModel
from cutaway.graph import aten
from cutaway.graph.build import GraphBuilder
from cutaway.graph.dry_run import must_run, numbers_of

_MOST_STORED = 2**26


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of another step, or a stored array, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """One operator: its value's name, "conv2d" (ATen's name), arguments by ATen's names, the module it ran in.

    `leaf`: whether that module is one layer of torch.nn. `outputs`: names of the single values where it gives several.
    """

    name: str
    kind: str
    args: Mapping[str, Any]
    module: str = ""
    leaf: bool = False
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """`arrays`: value name -> (path in the state_dict, tensor). `batch`: the batch size exported, None: free."""

    input: str
    output: str
    ops: Sequence[Op]
    arrays: Mapping[str, tuple[str, torch.Tensor]]
    batch: int | None = None
    shapes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


def graph_of(exported: Exported) -> fx.GraphModule:
    """Operators -> graph in eval mode. Raises BadModel naming the first operator that is not on the list."""
    graph = _Conversion(exported).run()
    shape = exported.shapes.get(exported.input)
    if shape is not None:
        made = must_run(graph, tuple(1 if place == 0 else size for place, size in enumerate(shape)))
        claimed = exported.shapes.get(exported.output)
        if made is not None and claimed is not None and not _fits(claimed, made):
            raise BadModel(f"It claims an output of shape {claimed}; its operators make {made}.")
    return graph


def _fits(claimed: tuple[Any, ...], made: tuple[int, ...]) -> bool:
    """Whether a shape may be this one: the batch is free, and so is a side that was exported as a variable."""
    sides = zip(claimed[1:], made[1:], strict=False)
    return len(claimed) == len(made) and all(said == side for said, side in sides if isinstance(said, int))


class _Conversion:
    def __init__(self, exported: Exported) -> None:
        self._x = exported
        self._builder = GraphBuilder()
        self._made: dict[str, Any] = {}
        self._seen_from: dict[str, str] = {}
        self._first: fx.Node | None = None
        self._last_read = {r.name: n for n, op in enumerate(exported.ops) for r in _refs(op.args.values())}
        self._at = 0
        self._stored = 0

    def run(self) -> fx.GraphModule:
        self._first = self._made[self._x.input] = self._builder.input("x")
        for place, op in enumerate(self._x.ops):
            self._at = place
            try:
                self._step(op)
            except BadModel as error:
                raise BadModel(f"The operator {op.kind} at {_where(op)} cannot be taken over: {error}.") from None
            except (KeyError, TypeError, ValueError, RuntimeError, IndexError, AttributeError, AssertionError) as error:
                reason = (str(error).strip().splitlines() or [""])[0][:120].rstrip(".")
                raise BadModel(
                    f"The operator {op.kind} at {_where(op)} cannot be taken over ({type(error).__name__}: {reason})."
                ) from None
        output = self._made.get(self._x.output)
        if not isinstance(output, fx.Node):
            raise BadModel("The exported network gives nothing that it computes from the picture.")
        return self._builder.finish(output).eval()

    def _step(self, op: Op) -> None:
        kind = op.kind.removesuffix("_") if op.kind not in aten.SAME | aten.CHECKS else op.kind
        args = {name: self._value(value) for name, value in op.args.items()}
        if kind in aten.CHECKS:
            return
        if not any(isinstance(v, fx.Node) for v in _flat(args.values())):
            self._give(op, self._on_constants(op, kind))
            return
        subject = next(v for v in op.args.values())
        made = self._new(op, kind, args, subject)
        if kind in aten.VIEWS and isinstance(subject, Ref):
            for name in (op.name, *op.outputs):
                self._seen_from[name] = subject.name
        self._give(op, made)
        if op.kind.endswith("_") and kind != op.kind and isinstance(subject, Ref):
            self._rewrite(subject.name, made)

    def _rewrite(self, written: str, made: Any) -> None:
        """What was written in place is read as the new value from here on."""
        root = self._root(written)
        others = [n for n in {*self._seen_from, root} if n != written and self._root(n) == root]
        if any(self._last_read.get(name, -1) > self._at for name in others):
            raise BadModel("it writes into a part of a value that is read again")
        self._made[written] = made

    def _root(self, name: str) -> str:
        """A view's name -> the value it is a view of."""
        while name in self._seen_from:
            name = self._seen_from[name]
        return name

    def _new(self, op: Op, kind: str, args: dict[str, Any], subject: Any) -> Any:
        first = next(iter(args.values()))
        if kind in aten.SAME:
            return first
        if kind == "getitem":
            return self._item(op, first, args["index"])
        if kind == "sym_size":
            shape = self._builder.call(f"{op.name}_shape", getattr, first, "shape")
            return self._call(op, operator.getitem, (shape, args["dim"]), {})
        if kind in aten.LAYERS and isinstance(first, fx.Node):
            if any(isinstance(v, torch.Tensor) and not v.numel() for v in args.values()):
                raise BadModel("its weights hold no number")
            layer = aten.LAYERS[kind](self._settings(args, subject))
            if layer is not None:
                node = self._builder.layer(self._layer_name(op, kind), layer, first)
                return (node,) if kind in aten.TUPLES else node
        if kind in aten.CALLS:
            if kind in ("view", "reshape", "_unsafe_view"):
                args = self._freed(op, args, subject)
            function, given, named = aten.CALLS[kind](args)
            return self._call(op, function, given, named)
        raise BadModel("it is not on Cutaway's list")

    def _item(self, op: Op, values: Any, index: Any) -> Any:
        """One of several values; None for those a layer does not give (the places of a pooling's maxima)."""
        if not isinstance(values, tuple):
            return self._call(op, operator.getitem, (values, index), {})
        return values[index] if index < len(values) else None

    def _settings(self, args: dict[str, Any], subject: Any) -> dict[str, Any]:
        shape = self._x.shapes.get(subject.name) if isinstance(subject, Ref) else None
        return {**args, "axes": len(shape)} if shape else args

    def _freed(self, op: Op, args: dict[str, Any], subject: Any) -> dict[str, Any]:
        """[1, 58, 2, 28, 28] exported with a batch of 1 -> the batch of what comes in."""
        name = "size" if "size" in args else "shape"
        size = list(args[name])
        before = self._x.shapes.get(subject.name, ()) if isinstance(subject, Ref) else ()
        if self._x.batch is None or not size or size[0] != self._x.batch or tuple(before[:1]) != (self._x.batch,):
            return args
        if -1 not in size[1:]:
            size[0] = -1
        else:
            whole = self._shape_value(op)
            size[0] = whole
        return {**args, name: size}

    def _shape_value(self, op: Op) -> fx.Node:
        shape = self._builder.call(f"{op.name}_shape", getattr, self._first, "shape")
        return self._builder.call(f"{op.name}_batch", operator.getitem, shape, 0)

    def _call(self, op: Op, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Node:
        name = op.kind.rstrip("_")
        return self._builder.call(f"{op.module}.{name}" if op.module else name, function, *self._read(args), **kwargs)

    def _read(self, args: Any) -> Any:
        """Stored arrays among a call's arguments -> nodes that read them."""
        if isinstance(args, torch.Tensor):
            return self._builder.constant("stored", args)
        return type(args)(map(self._read, args)) if isinstance(args, list | tuple) else args

    def _layer_name(self, op: Op, kind: str) -> str:
        """The module that holds its weights; without weights the module it ran in, where that is a layer of its own."""
        for name in ("weight", "running_mean"):
            value = op.args.get(name)
            path = self._x.arrays[value.name][0] if isinstance(value, Ref) and value.name in self._x.arrays else ""
            if path.endswith(f".{name}"):
                return path.removesuffix(f".{name}")
        return op.module if op.leaf else f"{op.module}.{kind}".lstrip(".")

    def _value(self, value: Any) -> Any:
        if isinstance(value, Ref):
            if value.name in self._made:
                return self._made[value.name]
            if value.name in self._x.arrays:
                return self._x.arrays[value.name][1].detach()
            raise BadModel(f"it reads {value.name[:60]!r}, which nothing computes before")
        if isinstance(value, list | tuple):
            return [self._value(v) for v in value]
        return value

    def _give(self, op: Op, value: Any) -> None:
        self._made[op.name] = value
        for place, name in enumerate(op.outputs):
            if isinstance(value, tuple | list):
                self._made[name] = value[place] if place < len(value) else None
            elif name != op.name:
                self._made[name] = self._builder.call(name, operator.getitem, value, place)

    def _on_constants(self, op: Op, kind: str) -> Any:
        """An operator on stored numbers alone -> its value, worked out now."""
        if kind not in aten.ON_CONSTANTS:
            raise BadModel("it computes something that is not on Cutaway's list from stored numbers")
        args = {name: self._value(value) for name, value in op.args.items()}
        if kind in aten.SAME:
            return next(iter(args.values()))
        with torch.no_grad():
            if kind in ("reshape_as", "view_as"):
                return args["self"].reshape(args["other"].shape)
            if kind in ("ones_like", "zeros_like"):
                return torch.ones_like(args["self"]) if kind == "ones_like" else torch.zeros_like(args["self"])
            if "batch_norm" in kind:
                names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
                return F.batch_norm(args["input"], **{name: args[name] for name in names if name in args})
            function, given, named = aten.CALLS[kind](args)
            self._stored += numbers_of(function, given, named)
            if self._stored > _MOST_STORED:
                raise BadModel(f"it would make more than {_MOST_STORED:,} numbers of stored ones")
            return function(*given, **named)


def _refs(values: Any) -> list[Ref]:
    return [v for v in _flat(values) if isinstance(v, Ref)]


def _flat(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        found += _flat(value) if isinstance(value, list | tuple) else [value]
    return found


def _where(op: Op) -> str:
    return op.module or op.name
