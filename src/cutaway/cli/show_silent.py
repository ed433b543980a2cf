"""silent on the terminal: how many channels never fire, the layers they are in, the chart's path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cutaway.cli.columns import fitted
from cutaway.cli.show_why import show_why

_SHOWN = 6
_FOLDS = {"layer": 36, "which are silent": 34}  # characters that are enough where a line is short
_FAILURES = 3
_RULES = {
    "zero": "never above the threshold",
    "constant": "always the same value (within 0.001 % of the layer's largest)",
}


def show(console: Console, result: Any) -> None:
    """SilentResult -> printed."""
    layers = f"{len(result.layers)} layer{'s' * (len(result.layers) != 1)}"
    share = result.silent / result.channels
    console.print(
        f"[bold]{result.silent:,}[/] of {result.channels:,} channels in {layers} never fire ({share:.1%}) "
        f"on {result.pictures:,} picture{'s' * (result.pictures != 1)}."
    )
    worth = [row for row in result.layers if row.silent or row.rare]
    if worth:
        console.print(_table(worth, console.width))
    quiet = len(result.layers) - len(worth)
    if worth and quiet:
        console.print(f"In the other {quiet} layer{'s' * (quiet != 1)} every channel fires.")
    for rule in dict.fromkeys(row.rule for row in result.layers):
        console.print(f"[dim]Rule {rule}: silent is {_RULES[rule]}.[/]")
    show_why(console, worth)
    if any(row.rare is not None for row in result.layers):
        console.print("[dim]Rare: fires on fewer than 1 % of the pictures.[/]")
    if result.non_finite:
        console.print(
            f"[red]{escape(result.non_finite)} gives values that are not finite; nothing behind it counts.[/]"
        )
    if result.stopped:
        console.print(f"Stopped after {result.pictures:,} of {result.of:,} pictures.")
    if result.unreadable:
        named = "; ".join(f"{escape(_printable(n))} ({escape(why)})" for n, why in result.unreadable[:_FAILURES])
        more = f"; and {len(result.unreadable) - _FAILURES} more" if len(result.unreadable) > _FAILURES else ""
        console.print(f"{len(result.unreadable):,} could not be read and were left out: {named}{more}.")
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)


def _table(rows: Sequence[Any], width: int) -> Table:
    columns = {
        "layer": [row.name for row in rows],
        "kind": [row.kind for row in rows],
        "rule": [row.rule for row in rows],
        "channels": [str(row.channels) for row in rows],
        "silent": [str(len(row.silent)) for row in rows],
        "rare": ["" if row.rare is None else str(len(row.rare)) for row in rows],
        "which are silent": [_numbers(row.silent) for row in rows],
    }
    kept = fitted(columns, width, ("rule", "kind", "rare"), _FOLDS)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in kept:
        right = name in ("channels", "silent", "rare")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name not in _FOLDS)
    for cells in zip(*kept.values(), strict=True):
        table.add_row(*map(escape, cells))
    return table


def _numbers(channels: Sequence[int]) -> str:
    shown = ", ".join(map(str, channels[:_SHOWN]))
    return shown + (f" and {len(channels) - _SHOWN} more" if len(channels) > _SHOWN else "")


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
