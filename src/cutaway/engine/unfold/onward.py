"""Onward: which cells of the steps that follow are made of a cell."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.trace import Trace
from cutaway.engine.unfold import combine, conv, dense, move, norm, pointwise, pool
from cutaway.engine.unfold.place import Place, has_batch, place_at
from cutaway.engine.unfold.reach import Reach, transposed
from cutaway.engine.unfold.table import cell_of, unfold, way_of
from cutaway.errors import CutawayError
from cutaway.graph.names import names_of


@dataclass(frozen=True, slots=True)
class Reader:
    """A step that reads a cell: how many of its cells do, and the one of them that it weighs most in (else the middle).

    `count` 0, `index` (): the step reads its neighbours and strides over this cell. None: not counted.
    """

    step: str
    kind: str
    index: tuple[int, ...]
    count: int | None


_Found = tuple[tuple[int, ...], int | None]  # index with the batch axis, count


def readers(
    graph: fx.GraphModule, trace: Trace, name: str, index: Sequence[int], picture: int = 0
) -> tuple[Reader, ...]:
    """Graph, trace of all steps, step, index -> the steps that follow and read this cell, in running order.

    Steps of which that cannot be told (matrix products between two maps) are left out. Raises as `unfold`.
    """
    here = cell_of(graph, trace, name, index, picture)
    names = {node: k for k, node in names_of(graph).items()}
    found = []
    for node in here.node.users:
        known = names.get(node)
        if known is None or known not in trace or not trace[known].ndim:
            continue
        start = place_at(graph, trace, node, known, (0,) * trace[known].ndim)
        answer = _answer(start, here)
        if answer is not None:
            at, count = answer
            found.append(Reader(known, start.kind, start.bare(node, at) if count != 0 else (), count))
    return tuple(found)


def _answer(there: Place, here: Place) -> _Found | None:
    """A following step (at its first cell), the cell -> where and how often it is read there; None: not known."""
    way = way_of(there.graph, there.node)
    if way is conv.conv:
        return _convolved(there, here.at)
    if way is conv.conv_transposed:
        return _spread(there, here.at)
    if way in (pool.max_pool, pool.mean_pool):
        return _pooled(there, here.at)
    if way is dense.linear:
        weight, _ = dense.linear_numbers(there)
        unit = int(np.abs(weight[:, here.at[-1]]).argmax())
        return (*here.at[:-1], unit), len(weight)
    if way is move.moved:
        return _moved(there, here)
    return _same_place(there, here, way)


def _convolved(there: Place, at: tuple[int, ...]) -> _Found:
    kernel = conv.kernel_of(there)
    sizes, outputs = there.shape(there.input)[2:], there.shape(there.node)[2:]
    picture, channel, *cell = at
    every = [
        _hits([conv.reaches(kernel, (i,) * len(sizes), sizes)[axis] for i in range(n)], c)
        for axis, (n, c) in enumerate(zip(outputs, cell))
    ]
    if not all(every):
        return (), 0
    inputs = kernel.weight.shape[1]
    each = kernel.weight.shape[0] // kernel.groups
    first = channel // inputs * each
    middle = [hits[len(hits) // 2] for hits in every]
    weights = kernel.weight[(slice(first, first + each), channel % inputs, *(k for _, k in middle))]
    return _heaviest(picture, first, weights, middle, every)


def _spread(there: Place, at: tuple[int, ...]) -> _Found:
    """Transposed convolutions: the kernel (in, out / groups, ...) is laid over the output around the cell."""
    kernel = conv.kernel_of(there)
    sizes, outputs = there.shape(there.input)[2:], there.shape(there.node)[2:]
    picture, channel, *cell = at
    every = []
    for axis, (n, c) in enumerate(zip(outputs, cell)):
        setting = (sizes[axis], kernel.size[axis], kernel.stride[axis], kernel.before[axis], kernel.dilation[axis])
        reached = [transposed(i, *setting) for i in range(n)]
        every.append([(i, places[r.at.index(c)]) for i, (r, places) in enumerate(reached) if c in r.at])
    if not all(every):
        return (), 0
    each = kernel.weight.shape[1]
    first = channel // (kernel.weight.shape[0] // kernel.groups) * each
    middle = [hits[len(hits) // 2] for hits in every]
    weights = kernel.weight[channel][(slice(None), *(k for _, k in middle))]
    return _heaviest(picture, first, weights, middle, every)


def _heaviest(
    picture: int, first: int, weights: NDArray[Any], middle: list[tuple[int, int]], every: list[list[tuple[int, int]]]
) -> _Found:
    """The weights that the output channels from `first` on have for this cell -> the place of the largest."""
    best = first + int(np.abs(weights).argmax())
    return (picture, best, *(i for i, _ in middle)), len(weights) * math.prod(map(len, every))


def _pooled(there: Place, at: tuple[int, ...]) -> _Found:
    outputs = there.shape(there.node)[2:]
    every = []
    for axis, (n, c) in enumerate(zip(outputs, at[2:])):
        moved = [dataclasses.replace(there, at=(*at[:2], *[i] * len(outputs))) for i in range(n)]
        every.append(_hits([pool.read_at(place)[axis] for place in moved], c))
    if not all(every):
        return (), 0
    return (*at[:2], *(hits[len(hits) // 2][0] for hits in every)), math.prod(map(len, every))


def _hits(reaches: list[Reach], c: int) -> list[tuple[int, int]]:
    """What each output coordinate reads -> those that read c, each with its place in the kernel."""
    return [(i, next(k for k, (a, p) in enumerate(zip(r.at, r.padded)) if a == c and not p))
            for i, r in enumerate(reaches) if any(a == c and not p for a, p in zip(r.at, r.padded))]  # fmt: skip


def _moved(there: Place, here: Place) -> _Found | None:
    """Flatten, cat, pad: the step is run on numbered cells, and this one's number is looked for."""
    inputs = move.cells_read(there, there.node)
    if here.node not in inputs:
        return None
    sizes = [there.result(node).numel() for node in inputs]
    before = sum(sizes[: inputs.index(here.node)])
    number = 1 + before + int(np.ravel_multi_index(here.at, there.shape(here.node)))
    first, second = (move.positions(there, inputs, shift) for shift in (0, sum(sizes)))
    places = np.argwhere((first == number) & (second == number + sum(sizes)))
    if not len(places):
        return (), 0
    return tuple(int(i) for i in places[len(places) // 2]), len(places)


def _same_place(there: Place, here: Place, way: Any) -> _Found | None:
    """Steps that keep the place, or fold some axes: what fits is tried, and holds if unfolding it leads back here."""
    shape, own = there.shape(there.node), here.at
    if len(shape) < len(own):
        tries = _without(own, here, len(own) - len(shape))
        stretch = 1
    else:
        sizes = (*[1] * (len(shape) - len(own)), *there.shape(here.node))
        shifted = (*[0] * (len(shape) - len(own)), *own)
        tries = [tuple(c if n > 1 else 0 for c, n in zip(shifted, shape))]
        stretch = math.prod(n for n, m in zip(shape, sizes) if m == 1)
    for at in tries:
        if all(c < n for c, n in zip(at, shape)) and _leads_back(there, here, at):
            return at, stretch if way in _COUNTED else None
    return None


def _without(at: tuple[int, ...], here: Place, gone: int) -> list[tuple[int, ...]]:
    """An index -> the same with `gone` neighbouring axes left out, the last ones first; the batch axis stays."""
    lead = 1 if has_batch(here.node, here.shape(here.node), here.pictures) else 0
    return [at[:i] + at[i + gone :] for i in range(len(at) - gone, lead - 1, -1)]


def _leads_back(there: Place, here: Place, at: tuple[int, ...]) -> bool:
    index = there.bare(there.node, at)
    own = here.bare(here.node, here.at)
    try:
        told = unfold(there.graph, there.trace, there.name, index, at[0] if len(index) < len(at) else 0)
    except CutawayError:
        return False
    return any(
        s.step == here.name and len(s.axes) == len(own) and all(c in axis for c, axis in zip(own, s.axes))
        for s in told.leads_to
    )


_COUNTED = frozenset(
    [combine.pair, combine.reduced, move.copy, norm.batch_norm, pointwise.activation, pointwise.prelu,
     pointwise.rescale, pointwise.scale_channels, pointwise.always_dropout, pointwise.plain, pointwise.softplus,
     pointwise.clamp]
)  # fmt: skip
"""Ways that read each cell once for every cell of theirs that it is stretched to."""
