"""From one number onwards (the normalisation and activation after it) and back (the picture's pixels it saw)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import fx

from cutaway.engine.trace import Trace
from cutaway.engine.unfold import move
from cutaway.engine.unfold.place import as_numpy
from cutaway.engine.unfold.pointwise import LAYERS as ACTIVATIONS
from cutaway.engine.unfold.table import cell_of, unfold, way_of
from cutaway.engine.unfold.terms import OUTSIDE, Arithmetic
from cutaway.errors import BadInput
from cutaway.graph.names import names_of, step_named

_CELL_BY_CELL = frozenset(ACTIVATIONS) | {
    "BatchNorm1d", "BatchNorm2d", "FrozenBatchNorm1d", "FrozenBatchNorm2d", "PReLU", "Dropout", "Dropout2d",
    "ScaleChannels",
}  # fmt: skip

Box = tuple[tuple[int, int], ...]
"""First and last coordinate along every axis of a step's value without the batch axis."""


def strongest(trace: Trace, name: str, picture: int = 0) -> tuple[int, ...]:
    """Trace, step name -> index of its largest value (of this picture), the batch axis left out."""
    value = trace[name]
    own = value[picture] if value.ndim > 1 and value.shape[0] == trace.output.shape[0] else value
    numbers = as_numpy(own).astype(np.float64)
    if not numbers.ndim:
        raise BadInput(f"{name} holds one number and no cells; name a layer that gives a map or a row.")
    place = int(np.where(np.isnan(numbers), -np.inf, numbers).argmax())
    return tuple(int(i) for i in np.unravel_index(place, numbers.shape))


def unfold_on(
    graph: fx.GraphModule, trace: Trace, name: str, index: Sequence[int], picture: int = 0
) -> tuple[Arithmetic, ...]:
    """Graph, trace of all steps, step, index -> the cell's arithmetic, then that of the same cell after the
    normalisation and activation that follow, as far as each step feeds only the next."""
    found = [unfold(graph, trace, name, index, picture)]
    names = {n: k for k, n in names_of(graph).items()}
    node = step_named(graph, name)
    while len(node.users) == 1:
        (node,) = node.users
        if node.op != "call_module" or type(graph.get_submodule(str(node.target))).__name__ not in _CELL_BY_CELL:
            break
        if names[node] not in trace:
            break
        found.append(unfold(graph, trace, names[node], index, picture))
    return tuple(found)


def picture_box(graph: fx.GraphModule, trace: Trace, name: str, index: Sequence[int], picture: int = 0) -> Box | None:
    """Graph, trace of all steps, one cell -> first and last row and column of the input that the cell can see.

    ((first row, last row), (first column, last column)) in input pixels; None where the input is not reached. Found
    by unfolding the corners of what is seen, step by step back to the input.
    """
    names = {n: k for k, n in names_of(graph).items()}
    start = step_named(graph, name)
    seen: dict[fx.Node, Box] = {start: tuple((i, i) for i in index)}
    for node in reversed(list(graph.graph.nodes)):
        if node not in seen:
            continue
        if node.op == "placeholder":
            return seen[node][-2:]
        if node.op == "get_attr":
            continue
        for before, box in _read_by(graph, trace, node, names, seen[node], picture).items():
            seen[before] = _joined(seen.get(before, box), box)
    return None


def _read_by(
    graph: fx.GraphModule, trace: Trace, node: fx.Node, names: dict[fx.Node, str], box: Box, picture: int
) -> dict[fx.Node, Box]:
    """A step and a box of its cells -> the boxes of the steps before that they were made of."""
    if way_of(graph, node) is move.moved:
        return _moved_box(graph, trace, node, names, box, picture)
    nodes = {k: n for n, k in names.items()}
    found: dict[fx.Node, Box] = {}
    for corner in (0, -1):
        told = unfold(graph, trace, names[node], [side[corner] for side in box], picture)
        read = [(s.step, s.axes) for s in told.leads_to] + [(w.step, w.axes) for w in told.windows]
        for step, axes in read:
            part = tuple(_span(axis) for axis in axes)
            before = nodes[step]
            if all(part):
                found[before] = _joined(found.get(before, part), part)  # type: ignore[arg-type]
    return found


def _moved_box(
    graph: fx.GraphModule, trace: Trace, node: fx.Node, names: dict[fx.Node, str], box: Box, picture: int
) -> dict[fx.Node, Box]:
    """Where a step only moves numbers, every cell of the box is asked: its corners may be padding."""
    place = cell_of(graph, trace, names[node], [low for low, _ in box], picture)
    spans = [range(low, high + 1) for low, high in box]
    axes = (*(range(c, c + 1) for c in place.at[: len(place.at) - len(box)]), *spans)
    return {
        before: place.bare(before, tuple((int(axis.min()), int(axis.max())) for axis in cells))
        for before, cells in move.origins(place, axes).items()
    }


def _span(axis: tuple[int, ...]) -> tuple[int, int] | None:
    inside = [c for c in axis if c != OUTSIDE]
    return (min(inside), max(inside)) if inside else None


def _joined(one: Box, other: Box) -> Box:
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other))
