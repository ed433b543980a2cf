"""neuron on the terminal: one line a unit with what it sees and reaches, what follows below, the page's path."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(console: Console, result: Any) -> None:
    """NeuronResult -> printed."""
    photos = bool(result.data)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("unit", overflow="fold")
    table.add_column("sees", no_wrap=True)
    for name in (["best photo", "value", "above zero"] if photos else []) + ["made picture"]:
        table.add_column(name, justify="left" if name == "best photo" else "right", overflow="fold")
    for unit in result.units:
        table.add_row(escape(unit.name), escape(unit.sees), *(_on_photos(unit) if photos else ()), _made(unit))
    console.print(table)
    for unit in result.units:
        if unit.says:
            console.print(f"[bold]{escape(unit.name)}[/]: {escape(' '.join((*unit.says, unit.why)).strip())}")
    if any(u.strongest == () for u in result.units) and photos:
        console.print(f"[dim]cutaway silent {escape(result.model)} {escape(result.data)} lists all that never fire.[/]")
    if result.unreadable:
        first, why = result.unreadable[0]
        console.print(f"{len(result.unreadable):,} could not be read (the first: {escape(first)}, {escape(why)}).")
    if result.path is not None:
        console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)


def _on_photos(unit: Any) -> tuple[str, str, str]:
    fires = "" if unit.fires is None else f"{unit.fires:.1%}"
    if not unit.strongest:
        return "[yellow]none[/]", "", fires
    best = unit.strongest[0]
    return escape(best.name), f"{best.value:.3g}", fires


def _made(unit: Any) -> str:
    if unit.picture is None:
        return ""
    times = f" ({unit.times:.2g} x)" if unit.times is not None else ""
    return f"[bold]{unit.picture.value:.3g}[/]{times}"
