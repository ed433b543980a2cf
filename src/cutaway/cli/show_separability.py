"""separability on the terminal: both accuracies of every layer with their intervals, the curve's path."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cutaway.cli.columns import fitted

_FOLDS = {"layer": 34}


def show(console: Console, result: Any) -> None:
    """SeparabilityResult -> printed."""
    best = max(result.layers, key=lambda row: row.found.probe)
    n = result.pictures
    fold = "" if result.fold == "all" else f" of the {result.fold} fold"
    console.print(
        f"{n:,} photos{fold} of {len(result.classes)} classes; a linear classifier on [bold]{escape(best.name)}[/] "
        f"names [bold]{best.found.probe / n:.1%}[/] of them rightly."
    )
    columns: dict[str, list[str]] = {
        "": [str(i) for i in range(len(result.layers))],
        "layer": [row.name for row in result.layers],
        "kind": [row.kind for row in result.layers],
        "numbers": [f"{row.found.width:,}" for row in result.layers],
        "linear probe": [f"{row.found.probe / n:.1%}" for row in result.layers],
        "95 %": [_interval(row, row.found.probe) for row in result.layers],
        f"{result.k} nearest": [f"{row.found.knn / n:.1%}" for row in result.layers],
        "95 % ": [_interval(row, row.found.knn) for row in result.layers],
    }
    kept = fitted(columns, console.width, ("kind", "95 % ", "numbers", "95 %"), _FOLDS)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in kept:
        table.add_column(
            name, justify="left" if name in ("layer", "kind") else "right", overflow="fold", no_wrap=name not in _FOLDS
        )
    for cells in zip(*kept.values(), strict=True):
        table.add_row(*map(escape, cells))
    console.print(table)
    known = f"largest class {result.majority:.1%}"
    if result.model_right is not None:
        known += f"; the model itself {result.model_right / n:.1%}"
    console.print(f"Known beside it: {known}.")
    console.print(
        f"[dim]Each photo is answered by photos of the other of {result.folds} folds, copies kept together; maps are "
        "averaged over their places. The probe is a logistic regression on standardised numbers, neighbours are by "
        "cosine.[/]"
    )
    if not all(row.found.converged for row in result.layers):
        console.print("[dim]Some probes were stopped after 300 steps; their accuracy may be a little low.[/]")
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)


def _interval(row: Any, right: int) -> str:
    low, high = row.found.interval(right)
    return f"{100 * low:.1f} to {100 * high:.1f}"
