"""Arithmetic: how one number came about, in terms that add up to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Axes = tuple[tuple[int, ...], ...]
OUTSIDE = -1
"""Coordinate of a window's row or column that lies outside the map: a padding cell, which holds a constant."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The cells of one earlier step that were read, and what was made of each.

    `axes`: the coordinates read along every axis of that step (batch axis left out), OUTSIDE where padding was read;
    the window is their product. `padded`: True where a coordinate is padding, be it a constant or a mirrored cell.
    `values`, `weights` (None: nothing is multiplied) and `terms` (None: nothing is added up, as in max pooling) have
    the shape of the window, float64. `picked`: place in the window of the one value that counts (max pooling).
    """

    step: str
    axes: Axes
    values: Numbers
    weights: Numbers | None = None
    terms: Numbers | None = None
    padded: tuple[tuple[bool, ...], ...] = ()
    picked: tuple[int, ...] | None = None
    label: str = ""

    @property
    def sum(self) -> float:
        return float(self.terms.sum()) if self.terms is not None else 0.0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns when laid out flat: the last two axes, or one row."""
        shape = self.values.shape
        kept = shape[-2:] if len(shape) >= 3 else shape[-1:]
        return (int(kept[0]), int(kept[1])) if len(kept) == 2 else (1, int(kept[0]))

    def is_outside(self) -> NDArray[np.bool_]:
        """True at the window's cells that are padding, shape of `values`."""
        marks = self.padded or tuple(tuple(c == OUTSIDE for c in axis) for axis in self.axes)
        out = np.zeros(self.values.shape, bool)
        for axis, row in enumerate(marks):
            shape = [1] * out.ndim
            shape[axis] = -1
            out |= np.array(row, bool).reshape(shape)
        return out

    def to_dict(self) -> dict[str, Any]:
        outside = self.is_outside()
        return {
            "step": self.step,
            "label": self.label,
            "axes": [list(axis) for axis in self.axes],
            "values": _flat(self, self.values),
            "weights": None if self.weights is None else _flat(self, self.weights),
            "terms": None if self.terms is None else _flat(self, self.terms),
            "padding": _flat(self, outside) if outside.any() else None,
            "picked": None if self.picked is None else list(self.picked),
            "sum": None if self.terms is None else number(self.sum),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One step of the calculation after the windows: what it is, how it is worked out in numbers, what it gives."""

    label: str
    value: float
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"label": self.label, "value": number(self.value), "text": self.text}


@dataclass(frozen=True, slots=True)
class Source:
    """Cells of an earlier step that the number came from: the product of `axes` (batch axis left out)."""

    step: str
    axes: Axes

    def to_dict(self) -> dict[str, Any]:
        return {"step": self.step, "axes": [list(axis) for axis in self.axes]}


@dataclass(frozen=True, slots=True, eq=False)
class Arithmetic:
    """How one cell of one step came about.

    `value` is what the network computed (float32), `total` what the terms here give (float64 on the same inputs).
    `unfolded` False: the number was only read, `note` says why. `parameters`: stored numbers used besides the kernels.
    """

    step: str
    kind: str
    index: tuple[int, ...]
    shape: tuple[int, ...]
    value: float
    total: float
    formula: str
    windows: tuple[Window, ...] = ()
    lines: tuple[Line, ...] = ()
    parameters: tuple[tuple[str, float], ...] = ()
    leads_to: tuple[Source, ...] = ()
    note: str = ""
    unfolded: bool = True

    @property
    def difference(self) -> float:
        """|total - value|; 0 where both are the same infinity or both no number."""
        if self.total == self.value or (math.isnan(self.total) and math.isnan(self.value)):
            return 0.0
        return abs(self.total - self.value)

    def to_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "kind": self.kind,
            "index": list(self.index),
            "shape": list(self.shape),
            "value": number(self.value),
            "total": number(self.total),
            "difference": number(self.difference),
            "formula": self.formula,
            "windows": [window.to_dict() for window in self.windows],
            "lines": [line.to_dict() for line in self.lines],
            "parameters": {name: number(value) for name, value in self.parameters},
            "leads_to": [source.to_dict() for source in self.leads_to],
            "note": self.note,
            "unfolded": self.unfolded,
        }


def number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def _flat(window: Window, numbers: NDArray[Any]) -> Any:
    rows, columns = window.grid
    laid: NDArray[Any] = numbers.reshape(-1, columns) if rows * columns != numbers.size else numbers.reshape(rows, -1)
    return [[number(v) if laid.dtype != bool else bool(v) for v in row] for row in laid]
