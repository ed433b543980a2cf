"""Place: one cell of one step, and the reading of the steps and settings it was computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from cutaway.engine.trace import Trace
from cutaway.engine.unfold.terms import OUTSIDE, Arithmetic, Axes, Line, Numbers, Source, Window
from cutaway.graph.names import names_of


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One cell: `at` is its index with the batch axis (where the step has one), `value` the number there."""

    graph: fx.GraphModule
    trace: Trace
    node: fx.Node
    name: str
    at: tuple[int, ...]
    value: float
    pictures: int
    _names: dict[fx.Node, str]

    # -- what the step is made of ------------------------------------------------------------------------------------
    @property
    def module(self) -> Any:
        return self.graph.get_submodule(str(self.node.target))

    @property
    def input(self) -> fx.Node:
        """The step's first input."""
        return self.node.all_input_nodes[0]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument of a function or method call, by place or by name, its nodes left as they are."""
        if name in self.node.kwargs:
            return self.node.kwargs[name]
        return self.node.args[position] if len(self.node.args) > position else default

    def settled(self, argument: Any) -> Any:
        """An argument with every node in it replaced by its value (sizes, tuples, tensors)."""
        return fx.map_arg(argument, self.result)

    def result(self, node: fx.Node) -> Any:
        """Node -> its value: from the trace, from the graph, or (sizes, chunks) worked out again."""
        name = self._names.get(node, node.name)
        if name in self.trace:
            return self.trace[name]
        if node.op == "get_attr":
            return _attribute(self.graph, str(node.target))
        if node.op in ("call_function", "call_method"):
            return run_call(node, self.settled(node.args), self.settled(node.kwargs))
        return self.trace[name]  # says which layer is missing

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        return tuple(self.result(node).shape)

    def name_of(self, node: fx.Node) -> str:
        return self._names.get(node, node.name)

    def array(self, node: fx.Node) -> NDArray[Any]:
        """Node -> its whole value as numpy, batch axis and all, without copying where that is possible."""
        return as_numpy(self.result(node))

    def single(self, node: fx.Node, at: tuple[int, ...]) -> float:
        return float(self.array(node)[at])

    # -- what a unfolded step is told in -----------------------------------------------------------------------------
    def bare(self, node: fx.Node, at: tuple[Any, ...]) -> tuple[Any, ...]:
        """Coordinates with the batch axis -> without it, where the step has one."""
        return at[1:] if has_batch(node, self.shape(node), self.pictures) else at

    def window(
        self,
        node: fx.Node,
        axes: Axes,
        weights: NDArray[Any] | None = None,
        *,
        fill: float = 0.0,
        padded: tuple[tuple[bool, ...], ...] = (),
        label: str = "",
        picked: tuple[int, ...] | None = None,
    ) -> Window:
        """Coordinates along every axis of `node` (batch axis included) -> the Window with its values and products."""
        values = gather(self.array(node), axes, fill)
        seen = values.reshape(values.shape[1:]) if len(self.bare(node, axes)) < len(axes) else values
        factors = None if weights is None else np.asarray(weights, np.float64).reshape(seen.shape)
        terms = None if factors is None else seen * factors
        marks = self.bare(node, padded) if padded else ()
        return Window(self.name_of(node), self.bare(node, axes), seen, factors, terms, marks, picked, label)

    def source(self, node: fx.Node, axes: Axes) -> Source:
        """Coordinates along every axis -> the cells inside the step's map that they name."""
        inside = tuple(tuple(sorted({c for c in axis if c != OUTSIDE})) for axis in axes)
        return Source(self.name_of(node), self.bare(node, inside))

    def cell(self, node: fx.Node, at: tuple[int, ...]) -> Source:
        return self.source(node, tuple((c,) for c in at))

    def found(
        self,
        total: float,
        formula: str,
        *,
        windows: Sequence[Window] = (),
        lines: Sequence[Line] = (),
        parameters: dict[str, float] | None = None,
        leads_to: Sequence[Source] = (),
        note: str = "",
        unfolded: bool = True,
    ) -> Arithmetic:
        return Arithmetic(
            self.name, self.kind, self.bare(self.node, self.at), self.bare(self.node, self.shape(self.node)),
            self.value, float(total), formula, tuple(windows), tuple(lines), tuple((parameters or {}).items()),
            tuple(leads_to), note, unfolded,
        )  # fmt: skip

    @property
    def kind(self) -> str:
        return kind_of(self.graph, self.node)


def kind_of(graph: fx.GraphModule, node: fx.Node) -> str:
    """Graph, node -> the layer's class, the function's or method's name, "input"."""
    if node.op == "call_module":
        return type(graph.get_submodule(str(node.target))).__name__
    if node.op == "placeholder":
        return "input"
    return str(getattr(node.target, "__name__", node.target))


def place_at(graph: fx.GraphModule, trace: Trace, node: fx.Node, name: str, at: tuple[int, ...]) -> Place:
    """Node and index with the batch axis -> its Place."""
    names = {n: k for k, n in names_of(graph).items()}
    pictures = int(trace.output.shape[0]) if trace.output.ndim else 1
    return Place(graph, trace, node, name, at, float(trace[name].detach()[at]), pictures, names)


def has_batch(node: fx.Node, shape: tuple[int, ...], pictures: int) -> bool:
    """Whether a value's first axis is the pictures: stored numbers and merged axes (windows x pictures) have none."""
    return node.op != "get_attr" and len(shape) > 1 and shape[0] == pictures


def gather(array: NDArray[Any], axes: Axes, fill: float) -> Numbers:
    """Array, coordinates along every axis -> float64 values of their product, `fill` where one is OUTSIDE."""
    wanted = [np.array(axis, np.intp) for axis in axes]
    values = array[np.ix_(*[np.maximum(axis, 0) for axis in wanted])].astype(np.float64)
    for axis, row in enumerate(wanted):
        if (row == OUTSIDE).any():
            values[(slice(None),) * axis + (row == OUTSIDE,)] = fill
    return values


def as_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    bare = tensor.detach().cpu()
    return bare.float().numpy() if bare.dtype is torch.bfloat16 else bare.numpy()


def run_call(node: fx.Node, args: Any, kwargs: Any) -> Any:
    """A function or method node done again on these arguments."""
    if node.op == "call_function":
        return node.target(*args, **kwargs)  # type: ignore[operator]
    this, *others = args
    return getattr(this, str(node.target))(*others, **kwargs)


def _attribute(graph: fx.GraphModule, path: str) -> torch.Tensor:
    parent, _, last = path.rpartition(".")
    owner: nn.Module = graph.get_submodule(parent)
    found = getattr(owner, last)
    assert isinstance(found, torch.Tensor)
    return found


def short(value: float) -> str:
    """A number in words of a calculation: 4 digits, negative ones in brackets."""
    return f"{value:.4g}" if value >= 0 or value != value else f"({value:.4g})"
