"""watch on the terminal: the shown layers with their numbers, the answer, the sheet's path."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cutaway.cli.columns import fitted
from cutaway.cli.show_why import show_why

_NAME = 30  # characters of a name that are enough


def show(console: Console, result: Any) -> None:
    """WatchResult -> printed."""
    columns = {
        "layer": [row.name for row in result.layers],
        "kind": [row.kind for row in result.layers],
        "output": [" x ".join(map(str, row.shape)) for row in result.layers],
    }
    for what in ("min", "mean", "max"):
        columns[what] = [f"{getattr(row, what):.3g}" for row in result.layers]
    columns["silent"] = [f"{len(row.silent)} of {row.shape[0]}" if len(row.shape) == 3 else "" for row in result.layers]
    kept = fitted(columns, console.width, ("kind", "mean"), {"layer": _NAME})
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in kept:
        left = name in ("layer", "kind")
        table.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=name != "layer")
    for cells in zip(*kept.values(), strict=True):
        table.add_row(*map(escape, cells))
    console.print(table)
    show_why(console, result.layers)
    best, *rest = (f"{name} {share:.1%}" for name, share in result.top[:3])
    after = f", {', '.join(rest)}" if rest else ""
    console.print(f"{escape(result.picture)}: [bold]{escape(best)}[/]{escape(after)}", emoji=False)
    for row in result.layers:
        if row.not_finite:
            console.print(f"[red]{escape(row.name)} holds {row.not_finite:,} values that are not finite.[/]")
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)
