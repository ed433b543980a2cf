"""The core's arithmetic of a cell -> what the page draws: cells as maps are drawn, the largest of long sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.studio.schemas.unfold import Link, Patch, Pixel, StepLine, Term, Terms, Unfolded, Unfolding

if TYPE_CHECKING:
    from cutaway.engine.unfold import Arithmetic, Window
    from cutaway.engine.unfold.terms import Line
    from cutaway.graph.shapes import LayerRow
    from cutaway.model import Model
    from cutaway.studio.desk import Ran

LONG_ROW = 9
MOST_CELLS = 4096
"""A row longer than this, or a window with more cells than this, is told by its largest terms."""
TERMS = 3
"""Terms of a long row that are told for each patch that would be."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A network's run, and how its steps' values are laid out as maps."""

    ran: Ran
    rows: tuple[LayerRow, ...]
    """The layer table, which knows what every cell sees."""

    @property
    def model(self) -> Model:
        return self.ran.model

    def last(self, step: str) -> bool:
        """Whether this step's value is (H, W, C), which maps show as (C, H, W)."""
        from cutaway.engine.silent import channels_last
        from cutaway.graph.names import step_named

        value = self.ran.after.trace[step]
        return value.ndim == 4 and channels_last(self.model.graph, step_named(self.model.graph, step))

    def shape(self, step: str) -> tuple[int, ...]:
        """Step -> its value's shape without the batch axis, in the order of its own axes."""
        shape = tuple(int(n) for n in self.ran.after.trace[step].shape)
        return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape

    def grid(self, step: str) -> tuple[int, ...]:
        """Step -> the shape as maps are drawn: (C, H, W), (rows, columns) or (numbers,)."""
        return self.cell(step, self.shape(step))

    def cell(self, step: str, index: Sequence[int]) -> tuple[int, ...]:
        """Step, index (or shape) in the order of its axes -> as maps are drawn; maps of one place are a row."""
        turned = (index[2], index[0], index[1]) if self.last(step) else tuple(index)
        shape = self.shape(step)
        place = (shape[0], shape[1]) if self.last(step) else shape[1:]
        return turned[:1] if len(turned) == 3 and place == (1, 1) else turned

    def seen(self, step: str, cell: Sequence[int], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Step, cell -> first and last row, first and last column of the picture that it sees; None: none of it."""
        if step not in {row.name for row in self.rows}:  # the picture itself
            return (cell[1], cell[1], cell[2], cell[2]) if len(cell) == 3 else None
        field = next(row.receptive for row in self.rows if row.name == step)
        if field is None:
            return None
        place = (cell[1], cell[2]) if len(cell) == 3 else (cell[0], cell[0])
        top, left, bottom, right = field.window(*place, size)
        whole = field.whole or bottom < top or right < left
        return (0, size[0] - 1, 0, size[1] - 1) if whole else (top, bottom, left, right)

    def index(self, step: str, cell: Sequence[int]) -> tuple[int, ...]:
        """The other way round. A row may be named as the map of one row that it is drawn as. Raises BadInput."""
        shape, grid = self.shape(step), self.grid(step)
        cell, extra = tuple(cell), len(cell) - len(grid)
        if extra > 0 and not any(cell[:extra]):
            cell = cell[extra:]
        if len(cell) != len(grid) or not all(0 <= c < n for c, n in zip(cell, grid, strict=False)):
            ends = ", ".join(str(n - 1) for n in grid)
            asked = ", ".join(map(str, cell))
            raise BadInput(f"{step} has cells [{', '.join('0' * len(grid))}] to [{ends}]. Got [{asked}].")
        if len(grid) < len(shape):
            cell = (*cell, *[0] * (len(shape) - len(grid)))
        return (cell[1], cell[2], cell[0]) if self.last(step) else cell


def unfolded(view: View, layer: str, cell: Sequence[int] | None, most: int, pixels: NDArray[np.uint8]) -> Unfolded:
    """Run, layer, cell (None: its largest), patches told in full, the picture (H, W, 3) -> all the page shows of it."""
    from cutaway.engine.unfold import readers, slides

    graph, trace = view.model.graph, view.ran.after.trace
    index, steps = arithmetic(view, layer, cell)
    end = steps[-1]
    return Unfolded(
        layer=layer, cell=view.cell(layer, index), grid=view.grid(layer), chosen=cell is None,
        size=(pixels.shape[0], pixels.shape[1]),
        box=view.seen(layer, view.cell(layer, index), (pixels.shape[0], pixels.shape[1])),
        steps=tuple(_step(view, told, most) for told in steps),
        readers=tuple(
            Link(step=r.step, kind=r.kind, cell=view.cell(r.step, r.index) if r.index else (), count=r.count)
            for r in readers(graph, trace, end.step, end.index)
        ),
        pixel=_pixel(view, steps[0], pixels), input=next(iter(trace)), slides=slides(graph, layer),
    )  # fmt: skip


def arithmetic(view: View, layer: str, cell: Sequence[int] | None) -> tuple[tuple[int, ...], tuple[Arithmetic, ...]]:
    """Run, layer, cell (None: its largest number) -> its index, its arithmetic and that of what follows it."""
    from cutaway.engine.unfold import strongest, unfold_on
    from cutaway.graph.names import step_named

    graph, trace = view.model.graph, view.ran.after.trace
    step_named(graph, layer)
    index = strongest(trace, layer) if cell is None else view.index(layer, cell)
    return index, unfold_on(graph, trace, layer, index)


def _step(view: View, told: Arithmetic, most: int) -> Unfolding:
    from cutaway.engine.unfold import sentence

    long = _long(told)
    ranked = () if long else _ranked(told)
    patches = tuple(_patch(view, told, w) for w in ranked[:most])
    return Unfolding(
        step=told.step, kind=told.kind, cell=view.cell(told.step, told.index), index=told.index, shape=told.shape,
        last=view.last(told.step), value=number(told.value), total=number(told.total),
        difference=number(told.difference), formula=told.formula, sentence=sentence(told), patches=patches,
        patch_count=len(ranked), rest=number(sum(w.sum for w in ranked[most:])),
        terms=_terms(view, told.windows[0], TERMS * most) if long else None,
        lines=tuple(map(_line, told.lines)), parameters={k: number(v) for k, v in told.parameters},
        sources=_sources(view, told), note=told.note, unfolded=told.unfolded,
    )  # fmt: skip


def _long(told: Arithmetic) -> bool:
    """Whether the step reads one long row (a dense layer, softmax), or more than can be drawn."""
    if len(told.windows) != 1:
        return False
    window = told.windows[0]
    return window.values.size > MOST_CELLS or (
        window.grid[0] == 1 and window.values.size > LONG_ROW and "Conv" not in told.kind
    )


def _ranked(told: Arithmetic) -> tuple[Window, ...]:
    """The step's windows, those with the largest sums first; three or fewer (red, green, blue) stay as they are."""
    if len(told.windows) <= 3 or told.windows[0].terms is None:
        return told.windows
    return tuple(sorted(told.windows, key=lambda w: -abs(w.sum) if math.isfinite(w.sum) else -math.inf))


def _patch(view: View, told: Arithmetic, window: Window) -> Patch:
    last = view.last(window.step)
    axes = _turned(window.axes, last)
    outside = window.is_outside()
    channel = axes[0][0] if len(axes) == 3 and len(axes[0]) == 1 else None
    return Patch(
        step=window.step, channel=channel, label=_label(view, told, window, channel), last=last, axes=window.axes,
        values=_rows(window, window.values), weights=_rows(window, window.weights), terms=_rows(window, window.terms),
        padding=_laid(window, outside).tolist() if outside.any() else None,
        picked=_picked(window), window=_window(window, last),
        sum=None if window.terms is None else number(window.sum),
    )  # fmt: skip


def _label(view: View, told: Arithmetic, window: Window, channel: int | None) -> str:
    from cutaway.engine.kernels import colour_order
    from cutaway.engine.unfold import channel_names

    contract = view.model.contract
    if channel is None or "Conv" not in told.kind or view.shape(window.step)[0] != contract.in_channels:
        return window.label
    if colour_order(view.model.graph, told.step, contract) is None:
        return window.label
    return channel_names(contract)[channel]


def _terms(view: View, window: Window, most: int) -> Terms:
    values = window.values.ravel()
    terms = None if window.terms is None else window.terms.ravel()
    by = np.abs(np.nan_to_num(values if terms is None else terms))
    order = np.argsort(-by, kind="stable")[:most]
    weights = None if window.weights is None else window.weights.ravel()

    def one(i: int) -> Term:
        places = np.unravel_index(i, window.values.shape)
        index = tuple(axis[int(p)] for axis, p in zip(window.axes, places, strict=True))
        return Term(
            cell=view.cell(window.step, index) if min(index) >= 0 else (), value=number(values[i]),
            weight=None if weights is None else number(weights[i]), term=None if terms is None else number(terms[i]),
        )  # fmt: skip

    rest = None if terms is None else number(float(np.delete(terms, order).sum()))
    return Terms(
        step=window.step, label=window.label, count=len(values), largest=tuple(one(int(i)) for i in order), rest=rest,
        sum=None if terms is None else number(window.sum),
    )  # fmt: skip


def _sources(view: View, told: Arithmetic) -> tuple[Link, ...]:
    """Where the number came from: the step, and of its cells the one with the largest term (else the middle one)."""
    from cutaway.engine.unfold import kind_of
    from cutaway.graph.names import step_named

    graph = view.model.graph
    found = []
    for source in told.leads_to:
        count = math.prod(len(axis) for axis in source.axes)
        cell = _heaviest(told, source.step) or tuple(axis[len(axis) // 2] for axis in source.axes if axis)
        shown = view.cell(source.step, cell) if count and source.step in view.ran.after.trace else ()
        found.append(
            Link(step=source.step, kind=kind_of(graph, step_named(graph, source.step)), cell=shown, count=count)
        )
    return tuple(found)


def _heaviest(told: Arithmetic, step: str) -> tuple[int, ...]:
    """The cell of `step` whose term is largest, () where there are none."""
    best, found = -1.0, ()
    for window in told.windows:
        if window.step != step or window.terms is None:
            continue
        sizes = np.where(window.is_outside(), -1.0, np.abs(np.nan_to_num(window.terms)))
        if sizes.size and float(sizes.max()) > best:
            best = float(sizes.max())
            places = np.unravel_index(int(sizes.argmax()), sizes.shape)
            found = tuple(axis[int(p)] for axis, p in zip(window.axes, places, strict=True))  # type: ignore[assignment]
    return found


def _pixel(view: View, told: Arithmetic, pixels: NDArray[np.uint8]) -> Pixel | None:
    from cutaway.engine.unfold import pixel_lines

    if told.kind != "input" or len(told.index) != 3:
        return None
    channel, row, column = told.index
    levels = tuple(int(v) for v in pixels[row, column])
    lines = tuple(map(_line, pixel_lines(view.model.contract, levels, channel)))
    return Pixel(row=row, column=column, levels=levels, lines=lines)  # type: ignore[arg-type]


def _window(window: Window, last: bool) -> tuple[int, int, int, int] | None:
    """Where the patch lies on its map: first row, row behind the last, first column, column behind the last."""
    marks = window.padded or tuple(tuple(c < 0 for c in axis) for axis in window.axes)
    sides = [_span(axis, row) for axis, row in zip(_turned(window.axes, last), _turned(marks, last), strict=True)]
    sides = [(0, 1), *sides][-2:]
    return None if any(side is None for side in sides) else (*sides[0], *sides[1])  # type: ignore[misc]


def _span(axis: Sequence[int], padded: Sequence[bool]) -> tuple[int, int] | None:
    """Coordinates read and which are padding -> first and last + 1, padding counted on from the cells inside."""
    inside = [(k, c) for k, (c, mark) in enumerate(zip(axis, padded, strict=True)) if not mark]
    if not inside:
        return None
    (k, c), step = inside[0], 1
    if len(inside) > 1:
        step = (inside[-1][1] - c) // (inside[-1][0] - k)
    return c - k * step, c + (len(axis) - 1 - k) * step + 1


def _turned(axes: tuple[Any, ...], last: bool) -> tuple[Any, ...]:
    return (axes[2], axes[0], axes[1]) if last and len(axes) == 3 else axes


def _picked(window: Window) -> tuple[int, int] | None:
    if window.picked is None:
        return None
    flat = int(np.ravel_multi_index(window.picked, window.values.shape))
    columns = window.grid[1]
    return flat // columns, flat % columns


def _rows(window: Window, numbers: NDArray[Any] | None) -> Any:
    return None if numbers is None else tuple(tuple(map(number, row)) for row in _laid(window, numbers).tolist())


def _laid(window: Window, numbers: NDArray[Any]) -> NDArray[Any]:
    return numbers.reshape(-1, window.grid[1])


def _line(line: Line) -> StepLine:
    return StepLine(label=line.label, value=number(line.value), text=line.text)


def number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def plane(view: View, layer: str, channel: int) -> tuple[NDArray[np.float32], int, tuple[float, float]]:
    """Run, step, channel -> that channel (H, W), how many there are, the range of the whole step. Raises BadInput."""
    from cutaway.graph.names import step_named

    step_named(view.model.graph, layer)
    value = view.ran.after.trace[layer].float().numpy()
    whole = value.reshape(view.shape(layer))
    whole = (whole.transpose(2, 0, 1) if view.last(layer) else whole).reshape(view.grid(layer))
    maps = whole if whole.ndim == 3 else whole.reshape(1, -1, whole.shape[-1] if whole.ndim else 1)
    if not 0 <= channel < len(maps):
        raise BadInput(f"{layer} has channels 0 to {len(maps) - 1}. Got {channel}.")
    return np.ascontiguousarray(maps[channel], dtype="<f4"), len(maps), _range(maps[np.isfinite(maps)])


def _range(kept: NDArray[Any]) -> tuple[float, float]:
    return (float(kept.min()), float(kept.max())) if kept.size else (0.0, 0.0)
