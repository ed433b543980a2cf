"""unfold on the terminal: patch, kernel and products side by side, then the sums, the bias and what comes after."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WINDOWS = 4
"""Input channels shown, those with the largest sums."""
WIDEST = 9
"""Columns of a window that is shown as a grid; a longer row is a list of its largest terms."""
TERMS = 10


def show(console: Console, result: Any) -> None:
    """UnfoldResult -> printed."""
    for number, told in enumerate(result.steps):
        _step(console, told, then=number > 0)
        console.print()
    first = result.steps[0]
    if result.box is not None:
        (top, bottom), (left, right) = result.box
        high, wide = result.size
        seen = f"rows {top} to {bottom} and columns {left} to {right} of {escape(result.picture)}"
        console.print(f"It sees {seen} at {high} x {wide} px.")
    if first.leads_to:
        console.print(f"Made of {escape('; '.join(_source(s) for s in first.leads_to[:3]))}.")
    if result.chosen:
        console.print("No cell was named: this is the largest. Name one: --at " + escape(f"'{_name(first)}'"))
    if result.path is not None:
        console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)


def _step(console: Console, told: Any, *, then: bool) -> None:
    shape = " x ".join(map(str, told.shape))
    console.print(f"{'then ' if then else ''}[bold]{escape(_name(told))}[/] [dim]{escape(told.kind)}, {shape}[/]")
    console.print(f"[dim]{escape(told.formula)}[/]")
    if told.note:
        console.print(f"[dim]{escape(told.note)}[/]")
    _windows(console, told.windows)
    _lines(console, told)


def _windows(console: Console, windows: Sequence[Any]) -> None:
    ordered = sorted(windows, key=lambda w: -abs(w.sum)) if windows and windows[0].terms is not None else list(windows)
    for window in ordered[:WINDOWS]:
        console.print(f"[dim]{escape(_where(window))}[/]")
        rows, columns = window.grid
        if columns > WIDEST or rows > WIDEST:
            _list(console, window)
        else:
            _grids(console, window)
    if len(ordered) > WINDOWS:
        rest = sum(w.sum for w in ordered[WINDOWS:])
        console.print(f"  the other {len(ordered) - WINDOWS} channels, whose sums are smaller: {_full(rest)} together")


def _grids(console: Console, window: Any) -> None:
    """values × weights = terms, cell under cell."""
    rows, columns = window.grid
    outside = window.is_outside().reshape(rows, columns)
    picked = _picked(window)
    values = _cells(window.values.reshape(rows, columns), outside, picked)
    blocks = [values]
    signs = []
    if window.weights is not None:
        blocks.append(_cells(window.weights.reshape(rows, columns)))
        signs.append("×")
    if window.terms is not None:
        blocks.append(_cells(window.terms.reshape(rows, columns)))
        signs.append("=" if window.weights is not None else "→")
    for r in range(rows):
        line = "  " + blocks[0][r]
        for sign, block in zip(signs, blocks[1:], strict=True):
            line += f"  {sign if r == rows // 2 else ' '}  {block[r]}"
        if window.terms is not None and r == rows // 2:
            line += f"   sum {_full(window.sum)}"
        console.print(escape(line), soft_wrap=True, no_wrap=True, overflow="ignore")
    if outside.any():
        console.print("  [dim](..) is padding[/]")


def _cells(numbers: Any, outside: Any = None, picked: tuple[int, int] | None = None) -> list[str]:
    """(R, C) -> a line of aligned numbers for each row; padding in brackets, the picked one starred."""
    words = [[_short(float(v)) for v in row] for row in numbers]
    if outside is not None:
        words = [[f"({w})" if outside[r, c] else w for c, w in enumerate(row)] for r, row in enumerate(words)]
    if picked is not None:
        words[picked[0]][picked[1]] = "*" + words[picked[0]][picked[1]]
    wide = max(len(w) for row in words for w in row)
    return ["  ".join(w.rjust(wide) for w in row) for row in words]


def _list(console: Console, window: Any) -> None:
    """A large window: its largest terms."""
    values = window.values.ravel()
    terms = None if window.terms is None else window.terms.ravel()
    weights = None if window.weights is None else window.weights.ravel()
    by = np.abs(np.nan_to_num(values if terms is None else terms))
    order = np.argsort(-by, kind="stable")[:TERMS]
    places = [", ".join(str(axis[i]) for axis, i in zip(window.axes, np.unravel_index(n, window.values.shape)))
              for n in order]  # fmt: skip
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    heads = ["  cell", "value", "weight" if weights is not None else "", "term" if terms is not None else ""]
    for head in filter(None, heads):
        table.add_column(head, justify="right", no_wrap=True)
    for n, place in zip(order, places, strict=True):
        cells = (c for c in (values, weights, terms) if c is not None)
        table.add_row(escape(f"  [{place}]"), *(_short(float(c[n])) for c in cells))
    console.print(table)
    if terms is not None and len(terms) > TERMS:
        rest = float(terms.sum() - terms[order].sum())
        console.print(f"  the other {len(terms) - TERMS:,} together: {_full(rest)}")


def _lines(console: Console, told: Any) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for line in told.lines:
        table.add_row("  " + escape(line.label), _full(line.value), escape(line.text))
    table.add_row(f"  [bold]{escape(_name(told))}[/]", f"[bold]{_full(told.total)}[/]", _checked(told))
    console.print(table)


def _checked(told: Any) -> str:
    if not told.unfolded:
        return "read"
    return f"the network computed {_full(told.value)}; difference {told.difference:.1g}"


def _name(told: Any) -> str:
    return f"{told.step}[{','.join(map(str, told.index))}]"


def _where(window: Any) -> str:
    cells = f"{window.step}[{', '.join(_span(axis) for axis in window.axes)}]"
    return f"{window.label}: {cells}" if window.label else cells


def _source(source: Any) -> str:
    return f"{source.step}[{', '.join(_span(axis) for axis in source.axes)}]"


def _span(axis: Iterable[int]) -> str:
    inside = [c for c in axis if c >= 0]
    if not inside:
        return "padding"
    return str(inside[0]) if min(inside) == max(inside) else f"{min(inside)}..{max(inside)}"


def _picked(window: Any) -> tuple[int, int] | None:
    if window.picked is None:
        return None
    flat = int(np.ravel_multi_index(window.picked, window.values.shape))
    return flat // window.grid[1], flat % window.grid[1]


def _short(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 0.0005:
        return f"{value:.0e}" if value else "0.000"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def _full(value: float) -> str:
    return f"{value:.6g}"
