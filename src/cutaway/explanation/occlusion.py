"""Occlusion: cover a part of the picture and see how far the answer falls; every part in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.bfloat16 import native_bfloat16
from cutaway.errors import must_be
from cutaway.events import Progress
from cutaway.explanation.baseline import Baseline, baseline
from cutaway.explanation.covering.covering import Covering
from cutaway.explanation.covering.halved import NOT_NATIVE, halved
from cutaway.explanation.covering.plan import Line, Network, crossed
from cutaway.explanation.covering.span import Cells
from cutaway.explanation.covering.windows import Places, places
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question

_SHARE = 14
_CHECKED = 4
AGREES = 0.99
"""The least correlation with float32 at which bfloat16 is used."""


@dataclass(frozen=True, slots=True)
class OcclusionSettings:
    """How a window is moved over the picture."""

    window: int = 0
    """Side of the square that is covered, in pixels; 0: one fourteenth of the picture's shorter side."""
    stride: int = 0
    """Pixels from one place of the square to the next; 0: half of the window."""
    baseline: Baseline = "grey"
    """What covered pixels become: black, white, grey, mean (the picture's mean colour), blur or zero."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """float32 is exact; bfloat16 is quicker where the processor has it, and used only where 16 windows agree."""


@dataclass(frozen=True, slots=True, eq=False)
class Impression:
    """What is known so far of one picture: f(x) - f(window covered) for each of `done` windows of the grid of places.

    `falls` (n, m) holds for the others what the nearest of a few windows spread over the picture gave.
    """

    rows: Places
    columns: Places
    falls: NDArray[np.float64]  # (n, m)
    done: int

    @property
    def map(self) -> NDArray[np.float64]:
        """(H, W): the mean over the windows that cover a pixel."""
        return averaged(self.falls, self.rows, self.columns)


def occlusion(question: Question, settings: OcclusionSettings) -> Generator[Progress, None, Answer]:
    """Question -> the mean of f(x) - f(x with the window covered) over the windows that cover a pixel.

    Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2. Windows and means as
    captum's Occlusion: all channels covered at once, the last window of a line cut off at the border. In float32 equal
    to running every covered picture, within rounding. Raises BadInput for a window or stride that leaves pixels
    uncovered.
    """
    grid, notes = _prepared(question, settings)
    each, maps = len(grid.rows) * len(grid.columns), []
    for row in range(len(question)):
        yield Progress("Covering", row * each, each * len(question), "windows")
        for impression in _impressions(question, row, grid, coarse=False):
            yield Progress("Covering", row * each + impression.done, each * len(question), "windows")
        maps.append(impression.map)
    return Answer(np.stack(maps).astype(np.float32), notes=notes)


def impressions(question: Question, row: int, settings: OcclusionSettings) -> Iterator[Impression]:
    """Question, number of the picture -> its map coarse to fine: first from up to 25 windows spread over the picture,
    then exact part by part; the last is what `occlusion` gives. Raises BadInput as it does."""
    grid, _ = _prepared(question, settings)
    yield from _impressions(question, row, grid, coarse=True)


def averaged(values: NDArray[np.float64], rows: Places, columns: Places) -> NDArray[np.float64]:
    """One value for each window (n, m) -> (H, W): the mean over the windows that cover a pixel."""
    size = int(rows.last.max()) + 1, int(columns.last.max()) + 1
    total, count = np.zeros(size), np.zeros(size)
    for i, (top, bottom) in enumerate(zip(rows.first, rows.last, strict=True)):
        for j, (left, right) in enumerate(zip(columns.first, columns.last, strict=True)):
            part = np.s_[top : bottom + 1, left : right + 1]
            total[part] += values[i, j]
            count[part] += 1
    mean: NDArray[np.float64] = total / count
    return mean


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The places of the window, and the network that answers, with what covers each picture."""

    rows: Places
    columns: Places
    network: Network
    cover: torch.Tensor

    def line(self, axis: int, which: Cells) -> Line:
        """Axis, numbers of some places along it -> the windows there."""
        side = (self.rows, self.columns)[axis]
        return Line.of(self.network, axis, side.first[which], side.last[which])


def _prepared(question: Question, settings: OcclusionSettings) -> tuple[_Grid, tuple[str, ...]]:
    window, stride = _sizes(question, settings)
    rows, columns = (places(side, window, stride) for side in question.size)
    first = question.x[:1]

    def known(graph: fx.GraphModule) -> tuple[Network, torch.Tensor]:
        network = Network.of(graph, first)
        return network, network.run(first, ())[1]

    grid = _Grid(rows, columns, question.many_run(known), baseline(question, settings.baseline))
    if settings.precision == "float32":
        return grid, ()
    return _halved(question, grid) if native_bfloat16(question.x.device) else (grid, (NOT_NATIVE,))


def _impressions(question: Question, row: int, grid: _Grid, coarse: bool) -> Iterator[Impression]:
    rows, columns = grid.rows, grid.columns
    covering = Covering(grid.network, question.x[row : row + 1], grid.cover[row : row + 1])
    parts = [(down, across) for down in rows.groups for across in columns.groups]
    lines = [[grid.line(axis, group) for group in side.groups] for axis, side in enumerate((rows, columns))]
    # A corner's windows reach least and cut from the most maps: both corners' are about all that any group wants.
    covering.keep(crossed(lines[0][at], lines[1][at]) for at in (0, -1))
    whole = float(question.values_at(row, covering.logits().float())[0])
    falls, known = np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns)), bool)
    if coarse:
        few = whole - _values(question, row, grid, covering, rows.coarse, columns.coarse)
        falls = few[np.ix_(_nearest(rows), _nearest(columns))]
        yield Impression(rows, columns, falls.copy(), 0)
    plans = (crossed(down, across) for down in lines[0] for across in lines[1])
    for (down, across), logits in zip(parts, covering.side_by_side(plans), strict=True):
        at = np.ix_(down, across)
        falls[at], known[at] = whole - _shaped(question, row, logits, down, across), True
        yield Impression(rows, columns, falls.copy(), int(known.sum()))


def _nearest(places: Places) -> Cells:
    """-> for each place the number of the coarse one nearest to it."""
    apart = np.abs(np.arange(len(places))[:, None] - places.coarse[None])
    found: Cells = apart.argmin(1)
    return found


def _sizes(question: Question, settings: OcclusionSettings) -> tuple[int, int]:
    side = min(question.size)
    window = settings.window or max(round(side / _SHARE), 1)
    if not 1 <= window <= side:
        raise must_be("window", f"from 1 to {side}, the picture's shorter side", settings.window)
    stride = settings.stride or max(window // 2, 1)
    if not 1 <= stride <= window:
        raise must_be("stride", f"from 1 to the window's {window}, so that every pixel is covered", settings.stride)
    if settings.precision not in ("float32", "bfloat16"):
        raise must_be("precision", "float32 or bfloat16", settings.precision)
    return window, stride


def _values(
    question: Question, row: int, grid: _Grid, covering: Covering, down: Cells, across: Cells
) -> NDArray[np.float64]:
    """Which places of rows (a,) and columns (b,) -> f with the windows there covered (a, b)."""
    plan = crossed(grid.line(0, down), grid.line(1, across))
    return _shaped(question, row, covering.logits_of_grid(plan), down, across)


def _shaped(question: Question, row: int, logits: torch.Tensor, down: Cells, across: Cells) -> NDArray[np.float64]:
    return question.values_at(row, logits.double()).numpy().reshape(len(down), len(across))


def _halved(question: Question, grid: _Grid) -> tuple[_Grid, tuple[str, ...]]:
    """The network in bfloat16, where up to 16 windows of the first picture come out as in float32; else as it was."""
    x = question.x[:1]
    half = dataclasses.replace(grid, network=Network.of(halved(question.fast), x.to(torch.bfloat16)))
    down, across = (
        np.unique(np.linspace(0, len(axis) - 1, _CHECKED).round().astype(np.int64))
        for axis in (grid.rows, grid.columns)
    )
    exact, tried = (
        _values(question, 0, side, Covering(side.network, x, side.cover[:1]), down, across).ravel()
        for side in (grid, half)
    )
    alike = _correlation(exact, tried)
    if alike > AGREES:
        return half, (f"Computed in bfloat16: {len(exact)} windows agree with float32 to r = {alike:.4f}.",)
    return grid, (f"Computed in float32: in bfloat16 {len(exact)} windows agree only to r = {alike:.4f}.",)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's; 0 where one side does not vary."""
    if a.std() == 0 or b.std() == 0 or not np.isfinite(b).all():
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


METHOD = Method(
    name="occlusion",
    title="Occlusion",
    says="Covering this pixel lowers the answer (below zero: raises it).",
    paper="Zeiler, Fergus 2014: Visualizing and understanding convolutional networks",
    departs="The logit instead of the probability; windows that cover a pixel are averaged.",
    runs="729 covered pictures, of which only the cells are computed that a covered part can reach",
    explain=occlusion,
    settings=OcclusionSettings,
    cost="seconds",
    signed=True,
    needs_gradient=False,
)
