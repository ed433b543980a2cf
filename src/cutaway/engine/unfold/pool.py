"""Pooling: the largest or the mean of a window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cutaway.engine.unfold.place import Place
from cutaway.engine.unfold.reach import Reach, adaptive, reach
from cutaway.engine.unfold.terms import OUTSIDE, Arithmetic, Line


def max_pool(place: Place) -> Arithmetic:
    """MaxPool1d, MaxPool2d, adaptive ones and F.max_pool2d."""
    return _largest(place, read_at(place))


def mean_pool(place: Place) -> Arithmetic:
    """AvgPool1d, AvgPool2d, adaptive and 'same' ones: padding counts or not, windows over the edge are cut."""
    read = read_at(place)
    count = math.prod(len(r.at) for r in read)
    fixed = None if "Adaptive" in place.kind else _setting(place, "divisor_override", 6, None)
    said = f"{count:,} cells" + (" (padding counts)" if any(any(r.padded) for r in read) else "")
    return _mean(place, read, fixed or count, f"{fixed}, as set" if fixed else said)


def read_at(place: Place) -> list[Reach]:
    """A cell of a pooling layer -> what counts along each spatial axis."""
    sizes, cell = place.shape(place.input)[2:], place.at[2:]
    if "adaptive" in place.kind.lower():
        return [adaptive(i, n, out) for i, n, out in zip(cell, sizes, place.shape(place.node)[2:])]
    kernel, stride, padding, dilation = _settings(place, len(sizes))
    if "max" in place.kind.lower():
        each = zip(cell, sizes, kernel, stride, padding, dilation)
        return [_drop_outside(reach(i, n, k, s, p, d)) for i, n, k, s, p, d in each]
    behind = padding
    if "Same" in place.kind:
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(sizes, stride, kernel)]
        padding = tuple(t // 2 for t in totals)
        behind = tuple(t - t // 2 for t in totals)
    read = []
    for i, n, k, s, before, after in zip(cell, sizes, kernel, stride, padding, behind):
        whole = reach(i, n, k, s, before, 1)
        kept = max(0, min(k, n + after - (i * s - before)))  # ceil_mode: what lies beyond the padding is not there
        read.append(Reach(whole.at[:kept], whole.padded[:kept]))
    if place.kind == "AvgPool2dSame":
        return read  # timm's pads before it pools, so its padding always counts
    counts = place.kind != "SamePool2d" and _setting(place, "count_include_pad", 5, True)
    return read if counts else [_drop_outside(r) for r in read]


def _mean(place: Place, read: list[Reach], divisor: int, said: str) -> Arithmetic:
    weights = np.full(tuple(len(r.at) for r in read), 1.0 / divisor)
    axes = (*((c,) for c in place.at[:2]), *(r.at for r in read))
    padded = ((False,), (False,), *(r.padded for r in read))
    window = place.window(place.input, axes, weights, padded=padded, label=f"channel {place.at[1]}")
    summed = float(window.values.sum())
    lines = [
        Line("sum of the window", summed),
        Line(f"divided by {said}", summed / divisor, f"{summed:.6g} / {divisor}"),
    ]
    return place.found(
        summed / divisor, "mean of the window: sum / number of cells",
        windows=[window], lines=lines, leads_to=[place.source(place.input, axes)],
    )  # fmt: skip


def _largest(place: Place, read: list[Reach]) -> Arithmetic:
    axes = (*((c,) for c in place.at[:2]), *(r.at for r in read))
    window = place.window(place.input, axes, label=f"channel {place.at[1]}")
    picked = tuple(int(i) for i in np.unravel_index(int(window.values.argmax()), window.values.shape))
    window = place.window(place.input, axes, label=f"channel {place.at[1]}", picked=picked)
    total = float(window.values[picked])
    from_cell = tuple(axis[i] for axis, i in zip(window.axes, picked))
    lines = [Line(f"largest of {window.values.size}", total, f"the cell [{', '.join(map(str, from_cell))}]")]
    full = (place.at[0], *from_cell) if len(from_cell) < len(axes) else from_cell
    return place.found(
        total, "the largest value of the window",
        windows=[window], lines=lines, leads_to=[place.cell(place.input, full)],
    )  # fmt: skip


def _drop_outside(r: Reach) -> Reach:
    kept = tuple(c for c in r.at if c != OUTSIDE)
    return Reach(kept, (False,) * len(kept))


def _settings(place: Place, axes: int) -> tuple[tuple[int, ...], ...]:
    kernel = _each(_setting(place, "kernel_size", 1, None), axes)
    stride = _each(_setting(place, "stride", 2, None) or kernel, axes)
    return kernel, stride, _each(_setting(place, "padding", 3, 0), axes), _each(_dilation(place), axes)


def _dilation(place: Place) -> Any:
    return _setting(place, "dilation", 4, 1) if "max" in place.kind.lower() else 1


def _setting(place: Place, name: str, position: int, default: Any) -> Any:
    if place.node.op == "call_module":
        return getattr(place.module, name, default)
    return place.settled(place.argument(position, name, default))


def _each(value: Any, axes: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) * (axes if len(value) == 1 else 1)
