"""rank on the terminal: what is worth most, what the network is better without, where the table and chart are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_TOP = 10
_HARMFUL = 3


def show(console: Console, result: Any) -> None:
    """RankResult -> printed."""
    whole, own = result.whole, result.judged == "own answers"
    pictures = f"{whole.pictures:,} picture{'s' * (whole.pictures != 1)}"
    if own:
        console.print(f"Against the model's own answers on {pictures}.")
    else:
        console.print(
            f"The whole network: [bold]{whole.accuracy:.1%}[/] of {pictures} right, loss {whole.loss:.4f}, "
            f"calibration error {whole.ece:.1%}."
        )
    ranked = result.ranked
    shown = min(_TOP, len(ranked))
    console.print(f"Worth most, {shown} of {len(ranked):,} {result.by}{'s' * (len(ranked) != 1)}:")
    console.print(_table(ranked[:shown], own))
    better = [row for row in reversed(ranked) if row.accuracy_cost < 0 or (own and row.loss_cost < 0)][:_HARMFUL]
    better = [row for row in better if row not in ranked[:shown]]
    if better and not own:
        console.print("The network is more often right without:")
        console.print(_table(better, own))
    idle = sum(row.changed == 0 for row in ranked)
    if idle:
        console.print(f"{idle:,} of {len(ranked):,} change no answer when left out alone.")
    if result.refused:
        name, why = result.refused[0]
        console.print(
            f"{len(result.refused)} {result.by}{'s' * (len(result.refused) != 1)} cannot be left out with the shapes "
            f"staying as they are; the first: {escape(name)} ({escape(why)})."
        )
    if result.unreadable:
        name, why = result.unreadable[0]
        console.print(
            f"{len(result.unreadable):,} could not be read and were left out; the first: {escape(_printable(name))} "
            f"({escape(why)})."
        )
    if result.stopped:
        console.print(
            f"Stopped after {whole.pictures:,} of {result.of:,} pictures; the same command goes on from "
            f"[bold]{escape(str(result.path))}[/]",
            soft_wrap=True,
        )
        return
    console.print(f"Wrote [bold]{escape(str(result.path))}[/] and {escape(str(result.chart))}", soft_wrap=True)


def _table(rows: Sequence[Any], own: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("left out", overflow="fold")
    accuracy = "answers kept" if own else "accuracy"
    columns = [accuracy, "loss"] if own else [accuracy, "", "loss", "", "calibration error", "", "broken", "mended"]
    for column in [*columns, *(["changed"] if own else [])]:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        name = escape(row.name)
        if own:
            table.add_row(name, f"{row.accuracy:.1%}", f"{row.loss_cost:+.4f}", f"{row.changed:,}")
            continue
        table.add_row(
            name, f"{row.accuracy:.1%}", _change(-100 * row.accuracy_cost, 1), f"{row.loss:.4f}",
            _change(row.loss_cost, 4), f"{row.ece:.1%}", _change(100 * row.ece_cost, 1), f"{row.broken:,}",
            f"{row.mended:,}",
        )  # fmt: skip
    return table


def _change(value: float, digits: int) -> str:
    return f"[dim]{value:+.{digits}f}[/]"


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
