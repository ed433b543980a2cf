"""trust on the terminal: every method's checks, its verdict and why, where the table and chart are."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLOURS = {"passes": "green", "doubtful": "yellow", "fails": "red"}
_ORDER = ("passes", "doubtful", "fails")


def show(console: Console, result: Any) -> None:
    """TrustResult -> printed."""
    pictures = f"{result.pictures:,} picture{'s' * (result.pictures != 1)}"
    about = f"for {escape(result.target)}" if result.target else "for each picture's likeliest class"
    console.print(f"Explanations of {pictures}, {about}; means, ± half of the 95 % interval:")
    console.print(_table(result))
    console.print(
        "[dim]Better than chance, than edges: of the probability at stake, what removing and bringing back pixels in "
        "the map's order gains over a random order, and over an edge detector's. Random weights: rank correlation "
        "with the map of a network that has learned nothing (low is good). Shift: with the map of the picture moved "
        "by one pixel (high is good).[/]"
    )
    for row in sorted(result.rows, key=lambda r: _ORDER.index(r.level)):
        console.print(f"[{_COLOURS[row.level]}]{row.level}[/]  {escape(row.sentence)}")
    for name, why in result.left_out:
        console.print(f"[dim]Left out: {escape(name)} ({escape(why)})[/]")
    if result.unreadable:
        name, why = result.unreadable[0]
        shown = name.encode("utf-8", "replace").decode("utf-8")
        console.print(
            f"{len(result.unreadable):,} could not be read and were left out; the first: {escape(shown)} "
            f"({escape(why)})."
        )
    if result.stopped:
        console.print(
            f"Stopped after {result.pictures:,} of {result.of:,} pictures; the same command goes on from "
            f"[bold]{escape(str(result.path))}[/]",
            soft_wrap=True,
        )
        return
    console.print(f"Wrote [bold]{escape(str(result.path))}[/] and {escape(str(result.chart))}", soft_wrap=True)


def _table(result: Any) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("method", no_wrap=True)
    for name in ("than chance", "than edges", "random weights", "shift", "passed", "s a map"):
        table.add_column(name, justify="right")
    table.add_column("verdict", no_wrap=True)
    for row in result.rows:
        cells = [_mean(row.checks[name]) for name in ("over_lot", "over_edges", "randomised", "shifted")]
        table.add_row(
            escape(row.title), *cells, f"{row.passes}/{row.passes + row.doubtful + row.fails}", f"{row.seconds:.2f}",
            f"[{_COLOURS[row.level]}]{row.level}[/]",
        )  # fmt: skip
    return table


def _mean(mean: Any) -> str:
    if mean is None:
        return "–"
    around = f" [dim]±{(mean.high - mean.low) / 2:.2f}[/]" if mean.low is not None else ""
    return f"{mean.value:.2f}{around}"
