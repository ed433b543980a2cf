"""shift on the terminal: the likeliest classes at each step, how little the answer follows, the chart's path."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_CLASSES = 3


def show(console: Console, result: Any) -> None:
    """ShiftResult -> printed."""
    rows = result.probabilities
    peaks = sorted(range(len(result.classes)), key=lambda k: -max(row[k] for row in rows))[:_CLASSES]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(result.unit, justify="right", no_wrap=True)
    for k in peaks:
        table.add_column(escape(result.classes[k]), justify="right", overflow="fold")
    for i, (amount, row) in enumerate(zip(result.amounts, rows, strict=True)):
        best = max(range(len(row)), key=row.__getitem__)
        cells = [f"[bold]{row[k]:.1%}[/]" if k == best else f"{row[k]:.1%}" for k in peaks]
        table.add_row(f"{amount:.4g}" + ("  unmoved" if i == result.start else ""), *cells)
    console.print(table)
    answer = escape(result.classes[max(range(len(result.classes)), key=rows[result.start].__getitem__)])
    console.print(f"[bold]Invariance {result.invariance:.3f}[/] (1: the probabilities never change).")
    if result.turns:
        where = " and ".join(f"{a:.4g}" for a in result.turns)
        console.print(f"{answer} is the likeliest in {result.kept:.0%} of the moved steps; first lost at {where}.")
    else:
        console.print(f"{answer} stays the likeliest at every step.")
    console.print(f"[dim]Invariance is {escape(result.formula)}.[/]")
    also = f" and {escape(result.table)}" if result.table else ""
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]{also}", soft_wrap=True)
