"""vary on the terminal: one row a setting, the model as it is first."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(console: Console, result: Any) -> None:
    """VaryResult -> printed."""
    knobs = list(dict.fromkeys(knob for row in result.rows for knob in row.settings))
    figures = ["accuracy", "95 % interval", "loss"] if result.labelled else ["first answer"]
    one = result.pictures == 1
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in knobs:
        table.add_column(escape(name), overflow="fold")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("answer" if one else "other answers", justify="left" if one else "right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in result.rows:
        table.add_row(*_names(row, knobs), *_figures(row, result.labelled, one), _note(row))
    console.print(table)
    if not result.labelled:
        console.print(
            "[dim]first answer: mean probability of the class that the model as it is finds likeliest; "
            "the photos have no labels of the model's classes.[/]"
        )
    if result.unreadable:
        first, why = result.unreadable[0]
        console.print(f"{len(result.unreadable):,} could not be read (the first: {escape(first)}, {escape(why)}).")
    for path in filter(None, (result.table, result.path)):
        console.print(f"Wrote [bold]{escape(str(path))}[/]", soft_wrap=True)


def _names(row: Any, knobs: list[str]) -> list[str]:
    if not row.settings:
        return ["[dim]as it is[/]", *[""] * (len(knobs) - 1)]
    return [escape(row.settings.get(name, "")) for name in knobs]


def _figures(row: Any, labelled: bool, one: bool) -> list[str]:
    found = row.effect
    if found is None:
        return [*[""] * (3 if labelled else 1), ""]
    last = escape(row.answer) if one else f"{len(found.flips):,}"
    if not labelled:
        return [f"{row.share:.1%}", last]
    after = found.after
    return [f"[bold]{after.accuracy:.1%}[/]", f"{after.low:.1%} to {after.high:.1%}", f"{after.loss:.3f}", last]


def _note(row: Any) -> str:
    if row.error:
        return f"[yellow]{escape(row.error)}[/]"
    return f"[yellow]untrained: {escape(', '.join(row.untrained[:3]))}[/]" if row.untrained else ""
