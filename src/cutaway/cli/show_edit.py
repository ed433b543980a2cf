"""edit on the terminal: what was changed, what followed, what must learn again, the file, the command to go on with."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SHAPES = 12
_EDITS = 20


def show(console: Console, result: Any) -> None:
    """Edited -> printed."""
    for sentence in result.edits[:_EDITS]:
        console.print(f"  {escape(sentence[:1].upper() + sentence[1:])}.")
    if len(result.edits) > _EDITS:
        console.print(f"  ... and {len(result.edits) - _EDITS} more edits.")
    if result.adapted:
        console.print(f"[dim]Adapted:[/] {escape(result.adapted)}")
    _shapes(console, result)
    console.print(_sizes(result))
    if result.non_finite:
        console.print(
            f"[red]{escape(result.non_finite)} now gives values that are not finite; nothing behind it counts.[/]"
        )
    for layer, why in list(result.untrained.items())[:_SHAPES]:
        console.print(f"[yellow]untrained[/]  {escape(layer)}: {escape(why)}")
    if len(result.untrained) > _SHAPES:
        console.print(f"[yellow]untrained[/]  ... and {len(result.untrained) - _SHAPES} layers more")
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)
    if result.record:
        console.print(f"Wrote [bold]{escape(result.record)}[/]", soft_wrap=True)
    console.print(f"      next: [cyan]{escape(result.next)}[/]", soft_wrap=True)


def _shapes(console: Console, result: Any) -> None:
    if not result.shapes:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("layer", "before", "after"):
        table.add_column(column, overflow="fold")
    for name, before, after in result.shapes[:_SHAPES]:
        table.add_row(escape(name), size(before), size(after))
    console.print(table)
    if len(result.shapes) > _SHAPES:
        console.print(f"[dim]... {len(result.shapes)} of {result.steps} steps give other shapes than before.[/]")


def _sizes(result: Any) -> str:
    words = []
    for name, (before, after) in (("parameters", result.parameters), ("multiply-adds", result.multiply_adds)):
        same = before == after
        words.append(f"{after:,} {name} (as before)" if same else f"{after:,} {name} ({before:,} before)")
    return ", ".join(words) + "."


def size(shape: tuple[int, ...] | None) -> str:
    """(16, 112, 112) -> "16 x 112 x 112"; a step that is not there: "–"."""
    return " x ".join(map(str, shape)) if shape else "–"
