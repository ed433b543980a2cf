"""heal on the terminal: what learned, accuracy before and after, the file."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SHOWN = 8


def show(console: Console, result: Any) -> None:
    """HealResult -> printed."""
    whole = sum(why == "--all" for _, why in result.learned)
    told = [(name, why) for name, why in result.learned if why != "--all"]
    for name, why in told[:_SHOWN]:
        console.print(f"[dim]learned[/]  {escape(name)}: {escape(why)}")
    if len(told) > _SHOWN:
        console.print(f"[dim]learned[/]  ... and {len(told) - _SHOWN} layers more")
    if whole:
        console.print(f"[dim]learned[/]  all other layers ({whole}), by --all")
    console.print(
        f"{result.weights:,} numbers learned from {result.pictures:,} pictures; ended: {escape(result.ended)}"
        f"{f', best epoch {result.best_epoch}' if result.best_epoch else ''}."
    )
    fold = "test" if result.after.fold == "test" else "validation"
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"{result.after.n:,} {fold} pictures")
    for column in ("accuracy", "95 % interval", "loss"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, seen in (("before", result.before), ("after", result.after)):
        table.add_row(name, f"[bold]{seen.accuracy:.1%}[/]", f"{seen.low:.1%} to {seen.high:.1%}", f"{seen.loss:.4f}")
    console.print(table)
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)
