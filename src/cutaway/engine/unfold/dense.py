"""Fully connected layers, matrix products and softmax."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import torch

from cutaway.engine.unfold.place import Place, as_numpy
from cutaway.engine.unfold.terms import Arithmetic, Axes, Line


def linear(place: Place) -> Arithmetic:
    """Linear and F.linear: every input times its weight, summed, plus bias; the largest products are named."""
    weight, bias = linear_numbers(place)
    out = place.at[-1]
    axes: Axes = (*((c,) for c in place.at[:-1]), tuple(range(weight.shape[1])))
    window = place.window(place.input, axes, weight[out], label=f"{weight.shape[1]:,} inputs")
    b = 0.0 if bias is None else float(bias[out])
    assert window.terms is not None
    flat = window.terms.reshape(-1)
    order = np.argsort(-np.abs(flat), kind="stable")[:3]
    biggest = ", ".join(f"{flat[i]:.4g} from input {i}" for i in order)
    lines = [Line(f"sum of {flat.size:,} products", window.sum, f"largest: {biggest}")]
    if bias is not None:
        lines.append(Line(f"bias of unit {out}", b))
    lines.append(Line("total", window.sum + b))
    formula = "sum of (input × weight)" + ("" if bias is None else " + bias")
    return place.found(
        window.sum + b, formula, windows=[window], lines=lines, parameters={} if bias is None else {"bias": b},
        leads_to=[place.source(place.input, axes)],
    )  # fmt: skip


def matmul(place: Place) -> Arithmetic:
    """Matrix product: a row of the first times a column of the second."""
    first, second = place.argument(0, "input"), place.argument(1, "other")
    shapes = place.shape(first), place.shape(second)
    if min(len(s) for s in shapes) < 2:
        return unreadable(place)
    inner = tuple(range(shapes[0][-1]))
    lead = place.at[:-2]
    row: Axes = (*_aligned(lead, shapes[0]), (place.at[-2],), inner)
    column: Axes = (*_aligned(lead, shapes[1]), inner, (place.at[-1],))
    weights = place.window(second, column).values.reshape(-1)
    window = place.window(first, row, weights, label=f"row × column of {place.name_of(second)}")
    return place.found(
        window.sum, "row × column: sum of the products", windows=[window],
        lines=[Line(f"sum of {len(inner):,} products", window.sum)],
        leads_to=[place.source(first, row), place.source(second, column)],
    )  # fmt: skip


def softmax(place: Place) -> Arithmetic:
    """Softmax: its exponential divided by the sum of all; the largest is taken off first, which changes nothing."""
    axis = _softmax_axis(place)
    at = place.at
    axes = tuple(tuple(range(n)) if i == axis else (at[i],) for i, n in enumerate(place.shape(place.input)))
    window = place.window(place.input, axes, label="all values of the axis")
    top = float(window.values.max())
    powers = np.exp(window.values - top)
    window = dataclasses.replace(window, terms=powers)
    own = math.exp(place.single(place.input, at) - top)
    whole = float(powers.sum())
    lines = [
        Line("largest of all", top),
        Line("e^(x - largest)", own, f"x = {place.single(place.input, at):.6g}"),
        Line(f"sum of {powers.size:,} exponentials", whole),
    ]
    source = [place.source(place.input, axes)]
    if place.kind == "LogSoftmax":
        total = place.single(place.input, at) - top - math.log(whole)
        lines.append(Line("x - largest - ln(sum)", total))
        return place.found(
            total, "x - largest - ln(sum of e^(x - largest))", windows=[window], lines=lines, leads_to=source
        )
    total = own / whole
    lines.append(Line("share", total, f"{own:.6g} / {whole:.6g}"))
    formula = "e^(x - largest) / sum of e^(x - largest) over all"
    return place.found(total, formula, windows=[window], lines=lines, leads_to=source)


def unreadable(place: Place) -> Arithmetic:
    """A step that is not taken apart: its number, and the sentence that says so."""
    said = f"{place.kind} is not taken apart into terms; this step's number is read, not unfolded."
    sources = []
    for node in place.node.all_input_nodes:
        if isinstance(value := place.result(node), torch.Tensor):
            sources.append(place.source(node, tuple(tuple(range(n)) for n in value.shape)))
    return place.found(place.value, "read from the network", leads_to=sources, note=said, unfolded=False)


def linear_numbers(place: Place) -> tuple[Any, Any]:
    """A dense layer, or a call of F.linear -> its weight (out, in) and its bias or None."""
    if place.node.op == "call_module":
        weight, bias = place.module.weight, place.module.bias
    else:
        weight, bias = place.settled(place.argument(1, "weight")), place.settled(place.argument(2, "bias"))
    return as_numpy(weight), None if bias is None else as_numpy(bias)


def _aligned(lead: tuple[int, ...], shape: tuple[int, ...]) -> Axes:
    """Leading coordinates of a product -> those of one factor, whose axes of size 1 are stretched."""
    own = shape[:-2]
    used = lead[len(lead) - len(own) :]
    return tuple((0,) if n == 1 else (c,) for c, n in zip(used, own))


def _softmax_axis(place: Place) -> int:
    axis = place.module.dim if place.node.op == "call_module" else place.settled(place.argument(1, "dim"))
    n = len(place.at)
    if axis is None:  # torch's own rule where no axis is named
        axis = 0 if n in (0, 1, 3) else 1
    return int(axis) % n
