"""Slide: a convolution or pooling as a window that moves: what it reads at every place of one output channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.trace import Trace
from cutaway.engine.unfold import conv, pool
from cutaway.engine.unfold.place import Place, as_numpy, kind_of, place_at
from cutaway.engine.unfold.reach import Reach
from cutaway.engine.unfold.table import needed_steps
from cutaway.engine.unfold.terms import OUTSIDE
from cutaway.errors import BadInput
from cutaway.graph.names import step_named, steps_of

_CONV = frozenset(
    ["Conv1d", "Conv2d", "Conv2dSame", "StdConv2d", "StdConv2dSame", "ScaledStdConv2d", "ScaledStdConv2dSame", "conv2d"]
)
_POOL = {
    "MaxPool1d": "max", "MaxPool2d": "max", "max_pool2d": "max", "AdaptiveMaxPool1d": "max", "AdaptiveMaxPool2d": "max",
    "AvgPool1d": "mean", "AvgPool2d": "mean", "avg_pool2d": "mean", "AvgPool2dSame": "mean", "SamePool2d": "mean",
    "AdaptiveAvgPool1d": "mean", "AdaptiveAvgPool2d": "mean",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Slide:
    """One output channel of a layer as a moving window; a 1-D signal is a map of one row.

    `inputs` float64 (C, H, W): the channels read, numbered `channels`; `kernel` (C, kh, kw), None for pooling;
    `output` (H', W'). `rows[i]` are the input rows read for output row i, OUTSIDE for constant padding; `row_spans[i]`
    (first, last + 1) where the window lies, padding counted, so it may begin below 0. Columns alike.
    """

    step: str
    kind: str
    input_step: str
    channel: int
    channels: tuple[int, ...]
    inputs: NDArray[np.float64]
    kernel: NDArray[np.float64] | None
    bias: float | None
    output: NDArray[np.float64]
    rows: tuple[tuple[int, ...], ...]
    columns: tuple[tuple[int, ...], ...]
    row_spans: tuple[tuple[int, int], ...]
    column_spans: tuple[tuple[int, int], ...]
    does: Literal["sum", "max", "mean"]
    of_input: bool

    def patch(self, row: int, column: int) -> NDArray[np.float64]:
        """Output cell -> float64 (C, kh, kw) of what is read there, zeros where it is padding."""
        rows, columns = np.array(self.rows[row]), np.array(self.columns[column])
        values = self.inputs[:, np.maximum(rows, 0)][:, :, np.maximum(columns, 0)].copy()
        values[:, rows == OUTSIDE] = 0.0
        values[:, :, columns == OUTSIDE] = 0.0
        return values

    def outside(self, row: int, column: int) -> NDArray[np.bool_]:
        """Output cell -> (kh, kw), True where padding is read."""
        rows, columns = np.array(self.rows[row]), np.array(self.columns[column])
        marks: NDArray[np.bool_] = (rows == OUTSIDE)[:, None] | (columns == OUTSIDE)[None]
        return marks


def slide_of(graph: fx.GraphModule, trace: Trace, name: str, channel: int) -> Slide:
    """Graph, trace with the step and its input, a convolution or pooling, output channel -> its Slide.

    Raises BadInput for another kind of layer, naming some that slide, and for a channel that is not there.
    """
    node = step_named(graph, name)
    kind = kind_of(graph, node)
    if kind not in _CONV and kind not in _POOL:
        able = [n for n, other in steps_of(graph).items() if kind_of(graph, other) in _CONV | _POOL.keys()]
        those = f"layers that slide: {', '.join(able[:5])}" if able else "this network has no layer that slides"
        raise BadInput(f"{name} is of kind {kind}, which has no window that slides over a map; {those}.")
    value = trace[name]
    if not 0 <= channel < value.shape[1]:
        raise BadInput(f"{name} has channels 0 to {value.shape[1] - 1}. Got {channel}.")
    spatial = tuple(value.shape[2:])
    read = [_axis(graph, trace, node, name, channel, axis, spatial) for axis in range(len(spatial))]
    place = place_at(graph, trace, node, name, (0, channel, *[0] * len(spatial)))
    used = _used(place, kind, channel)
    flat = len(spatial) == 1
    source, read = _before_padding(graph, trace, place, read)
    inputs = as_numpy(trace[place.name_of(source)])[0][list(used)].astype(np.float64)
    kernel, bias = _numbers(place, kind, channel)
    if flat:
        read = [([Reach((0,), (False,))], [(0, 1)]), *read]
        inputs = inputs[:, None]
        kernel = None if kernel is None else kernel[:, None]
    (rows, row_spans), (columns, column_spans) = read
    output = as_numpy(value)[0, channel].astype(np.float64)
    return Slide(
        name, kind, place.name_of(source), channel, used, inputs, kernel, bias, output[None] if flat else output,
        tuple(r.at for r in rows), tuple(r.at for r in columns), tuple(row_spans), tuple(column_spans),
        "sum" if kind in _CONV else _POOL[kind], source.op == "placeholder",  # type: ignore[arg-type]
    )  # fmt: skip


def slides(graph: fx.GraphModule, name: str) -> bool:
    """Graph, step name -> whether `slide_of` can show it: a convolution or a pooling layer."""
    kind = kind_of(graph, step_named(graph, name))
    return kind in _CONV or kind in _POOL


def slide_steps(graph: fx.GraphModule, name: str) -> tuple[str, ...]:
    """Graph, step name -> the names a trace must hold for `slide_of`: what it reads, and what that was padded from."""
    before = [n for n in needed_steps(graph, name) if n != name]
    return tuple(dict.fromkeys([name, *before, *(n for b in before for n in needed_steps(graph, b))]))


def _axis(
    graph: fx.GraphModule, trace: Trace, node: fx.Node, name: str, channel: int, axis: int, spatial: Sequence[int]
) -> tuple[list[Reach], list[tuple[int, int]]]:
    """What is read along one axis at every output coordinate, and where the window lies, padding counted."""
    reaches, spans = [], []
    for i in range(spatial[axis]):
        at = (0, channel, *(i if a == axis else 0 for a in range(len(spatial))))
        found = read_at(place_at(graph, trace, node, name, at))[axis]
        reaches.append(found)
        spans.append(_span(found))
    return reaches, spans


_Sides = list[tuple[list[Reach], list[tuple[int, int]]]]


def _before_padding(graph: fx.GraphModule, trace: Trace, place: Place, read: _Sides) -> tuple[fx.Node, _Sides]:
    """The step that the layer reads; where that is a layer which only pads (Keras files have one), what it pads.

    The border is then part of the window's way over the map, as for a layer that pads by itself.
    """
    pad = place.input
    if len(read) != 2 or kind_of(graph, pad) not in ("ZeroPad2d", "SamePad2d") or not _is_held(trace, place, pad):
        return pad, read
    layer: Any = graph.get_submodule(str(pad.target))
    source = pad.all_input_nodes[0]
    sizes = trace[place.name_of(source)].shape[2:]
    grown = trace[place.name_of(pad)].shape[2:]
    if kind_of(graph, pad) == "ZeroPad2d":
        left, _, top, _ = layer.padding
    else:
        top, left = ((int(after) - int(n)) // 2 for n, after in zip(sizes, grown))
    if min(top, left) < 0 or min(after - n for n, after in zip(sizes, grown)) < 0:
        return pad, read
    return source, [_shifted(side, before, int(n)) for side, before, n in zip(read, (top, left), sizes)]


def _is_held(trace: Trace, place: Place, pad: fx.Node) -> bool:
    return place.name_of(pad.all_input_nodes[0]) in trace


def _shifted(
    side: tuple[list[Reach], list[tuple[int, int]]], before: int, size: int
) -> tuple[list[Reach], list[tuple[int, int]]]:
    """Coordinates on the padded map -> those on the map itself, OUTSIDE on its border."""
    reaches = []
    for found in side[0]:
        at = tuple(c - before if before <= c < before + size else OUTSIDE for c in found.at)
        reaches.append(Reach(at, tuple(c == OUTSIDE for c in at)))
    return reaches, [(first - before, last - before) for first, last in side[1]]


def read_at(place: Place) -> list[Reach]:
    """A cell of a convolution or pooling -> what is read along each spatial axis."""
    if place.kind in _CONV:
        return conv.reaches(conv.kernel_of(place), place.at[2:], place.shape(place.input)[2:])
    return pool.read_at(place)


def _span(found: Reach) -> tuple[int, int]:
    """First and last + 1 coordinate of a window, padding counted on from the first cell inside."""
    inside = [(k, c) for k, (c, padded) in enumerate(zip(found.at, found.padded)) if not padded]
    if not inside:
        return 0, len(found.at)
    (k, c), step = inside[0], 1
    if len(inside) > 1:
        step = (inside[-1][1] - c) // (inside[-1][0] - k)
    return c - k * step, c + (len(found.at) - 1 - k) * step + 1


def _used(place: Place, kind: str, channel: int) -> tuple[int, ...]:
    if kind in _POOL:
        return (channel,)
    kernel = conv.kernel_of(place)
    inputs = kernel.weight.shape[1]
    first = channel // (kernel.weight.shape[0] // kernel.groups) * inputs
    return tuple(range(first, first + inputs))


def _numbers(place: Place, kind: str, channel: int) -> tuple[NDArray[Any] | None, float | None]:
    if kind in _POOL:
        return None, None
    kernel = conv.kernel_of(place)
    bias = None if kernel.bias is None else float(kernel.bias[channel])
    return kernel.weight[channel].astype(np.float64), bias
