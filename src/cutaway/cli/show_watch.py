"""watch on the terminal: the shown layers with their numbers, the answer, the sheet's path."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(console: Console, result: Any) -> None:
    """WatchResult -> printed."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("layer", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for column in ("output", "min", "mean", "max", "silent"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in result.layers:
        shape = " x ".join(map(str, row.shape))
        silent = f"{len(row.silent)} of {row.shape[0]}" if len(row.shape) == 3 else ""
        numbers = (f"{value:.3g}" for value in (row.min, row.mean, row.max))
        table.add_row(escape(row.name), escape(row.kind), shape, *numbers, silent)
    console.print(table)
    best, *rest = (f"{name} {share:.1%}" for name, share in result.top[:3])
    after = f", {', '.join(rest)}" if rest else ""
    console.print(f"{escape(result.picture)}: [bold]{escape(best)}[/]{escape(after)}", emoji=False)
    for row in result.layers:
        if row.not_finite:
            console.print(f"[red]{escape(row.name)} holds {row.not_finite:,} values that are not finite.[/]")
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)
