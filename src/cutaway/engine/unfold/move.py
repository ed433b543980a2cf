"""Steps that only move or copy numbers: where the number came from is found by moving numbered cells instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.unfold.place import Place, as_numpy, run_call
from cutaway.engine.unfold.terms import Arithmetic, Line, Source


def copy(place: Place) -> Arithmetic:
    """Dropout while it sleeps, Identity, contiguous(): the same cell of the input."""
    x = place.single(place.input, place.at)
    return _copied(place, x, place.cell(place.input, place.at))


def moved(place: Place) -> Arithmetic:
    """Flatten, reshape, permute, cat, padding, pixel shuffle, getitem...: the cell the number was taken from.

    The step is run on the numbers 1, 2, 3... in place of its inputs' cells, and once more with them shifted: what
    shifts along is a cell, what stays is a constant that the step itself put there (padding).
    """
    cells = origins(place, tuple((c,) for c in place.at))
    for node, at in cells.items():
        cell = tuple(int(axis[0]) for axis in at)
        return _copied(place, place.single(node, cell), place.cell(node, cell))
    return _constant(place)


def origins(place: Place, axes: tuple[Sequence[int], ...]) -> dict[fx.Node, tuple[NDArray[np.intp], ...]]:
    """A box of the step's cells -> per input the coordinates, axis by axis, of the cells that were moved there."""
    inputs = cells_read(place, place.node)
    if place.result(place.node).is_floating_point():  # whole numbers beside them say where to look, and stay
        inputs = [node for node in inputs if place.result(node).is_floating_point()] or inputs
    count = sum(place.result(node).numel() for node in inputs)
    first, second = (positions(place, inputs, shift)[np.ix_(*axes)].ravel() for shift in (0, count))
    left = first[(first + count == second) & (first >= 1) & (first <= count)].astype(np.intp) - 1
    found: dict[fx.Node, tuple[NDArray[np.intp], ...]] = {}
    for node in inputs:
        shape = place.shape(node)
        size = int(np.prod(shape, dtype=np.int64))
        own = left[(left >= 0) & (left < size)]
        if own.size:
            found[node] = tuple(np.unravel_index(own, shape))
        left = left - size
    return found


def stretched(place: Place) -> Arithmetic:
    """Upsample and F.interpolate: a weighted mean of a few cells; the weights are the derivative of what is done."""
    picture, channel, *_ = place.at
    x = torch.from_numpy(place.array(place.input)[picture : picture + 1, channel : channel + 1].astype(np.float64))
    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone().requires_grad_()
        out = _again(place, {place.input: x})
        (slopes,) = torch.autograd.grad(out[(0, 0, *place.at[2:])], x)
    used = slopes[0, 0].nonzero()
    spans = [tuple(range(int(column.min()), int(column.max()) + 1)) for column in used.T]
    axes = ((picture,), (channel,), *spans)
    weights = slopes[0, 0].numpy()[np.ix_(*spans)]
    window = place.window(place.input, axes, weights, label=f"channel {channel}")
    lines = [Line(f"sum of {weights.size} weighted cells", window.sum)]
    return place.found(
        window.sum, "weighted mean of the nearest cells: sum of (cell × weight)",
        windows=[window], lines=lines, leads_to=[place.source(place.input, axes)],
    )  # fmt: skip


def cells_read(place: Place, node: fx.Node) -> list[fx.Node]:
    """The tensors a step reads, seen through chunks and other tuples on the way."""
    found: list[fx.Node] = []
    for before in node.all_input_nodes:
        value = place.result(before)
        if isinstance(value, torch.Tensor):
            found.append(before)
        elif isinstance(value, tuple | list) and any(isinstance(v, torch.Tensor) for v in value):
            found += cells_read(place, before)
    return list(dict.fromkeys(found))


def positions(place: Place, inputs: list[fx.Node], shift: int) -> NDArray[Any]:
    """The step's output when its inputs' cells hold 1 + shift, 2 + shift and so on, through all of them in turn."""
    stand_in: dict[fx.Node, Any] = {}
    start = 1 + shift
    for node in inputs:
        shape = place.shape(node)
        count = int(np.prod(shape, dtype=np.int64))
        stand_in[node] = torch.arange(start, start + count, dtype=torch.float64).reshape(shape)
        start += count
    return as_numpy(_again(place, stand_in))


def _again(place: Place, stand_in: dict[fx.Node, Any]) -> Any:
    """The step's output when these nodes have other values."""

    def value(node: fx.Node) -> Any:
        if node in stand_in:
            return stand_in[node]
        known = place.result(node)
        if isinstance(known, tuple | list) and node.op in ("call_function", "call_method"):
            return run_call(node, fx.map_arg(node.args, value), fx.map_arg(node.kwargs, value))
        return known

    args, kwargs = fx.map_arg(place.node.args, value), fx.map_arg(place.node.kwargs, value)
    if place.node.op == "call_module":
        return place.module(*args, **kwargs)
    return run_call(place.node, args, kwargs)


def _copied(place: Place, x: float, source: Source) -> Arithmetic:
    shown = ", ".join(str(axis[0]) for axis in source.axes)
    said = f"{source.step}[{shown}]" if shown else source.step
    return place.found(x, f"the same number as {said}", lines=[Line(said, x)], leads_to=[source])


def _constant(place: Place) -> Arithmetic:
    said = f"a number that {place.kind} puts there: the border it pads with"
    return place.found(place.value, said, lines=[Line("padding", place.value)])
