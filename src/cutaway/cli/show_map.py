"""map on the terminal: what the map is worth, the photos that lie among another class, the files."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SHOWN = 8
_FAILURES = 3


def show(console: Console, result: Any) -> None:
    """MapResult -> printed."""
    from cutaway.verbs.map_run import figures_of, lead_of

    console.print(escape(lead_of(result)))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="bold")
    table.add_column(overflow="fold", style="dim")
    for name, value, small in figures_of(result):
        table.add_row(escape(name), value, escape(small))
    console.print(table)
    console.print(f"[dim]{escape(result.meaning)}[/]")
    if result.strangers:
        _strangers(console, result)
    if result.unreadable:
        named = "; ".join(f"{escape(_printable(n))} ({escape(why)})" for n, why in result.unreadable[:_FAILURES])
        more = f"; and {len(result.unreadable) - _FAILURES} more" if len(result.unreadable) > _FAILURES else ""
        console.print(f"{len(result.unreadable):,} could not be read and were left out: {named}{more}.")
    size = f"{result.page_bytes / 1e6:.1f} MB"
    console.print(f"Wrote {escape(str(result.picture))} and {escape(str(result.table))}", soft_wrap=True)
    console.print(f"Open [bold]{escape(str(result.page))}[/] ({size}, photos included)", soft_wrap=True)


def _strangers(console: Console, result: Any) -> None:
    count = len(result.strangers)
    console.print(
        f"[bold]{count:,}[/] photo{'s lie' if count != 1 else ' lies'} among another class: mislabelled, two things in "
        "one photo, or hard."
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("photo", "left"), ("label", "left"), ("among", "left"), ("answer", "left"), ("", "right")):
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != "photo")  # type: ignore[arg-type]
    for one in result.strangers[:_SHOWN]:
        cells = (_printable(one.name), one.label, one.among, one.predicted, f"{one.probability:.0%}")
        table.add_row(*map(escape, cells))
    console.print(table)
    if count > _SHOWN:
        console.print(f"[dim]and {count - _SHOWN:,} more on the page and in the table[/]")


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
