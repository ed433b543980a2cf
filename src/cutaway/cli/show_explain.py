"""explain on the terminal: for each photo a table of the methods, their checks and verdicts; the page's path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cutaway.cli.columns import fitted

_MARKS = {"passes": "[green]✓ passes[/]", "doubtful": "[yellow]? doubtful[/]", "fails": "[red]✗ fails[/]"}
_YIELDS = ("sum", "value", "shift", "adds up", "insertion", "deletion", "layer", "random")
_NAME = 24  # characters of a name that are enough
_FAILURES = 3


def show(console: Console, result: Any) -> None:
    """ExplainResult -> printed."""
    for picture in result.pictures:
        found = [e for e in result.explanations if e.picture == picture.name]
        if found:
            _picture(console, picture, found)
    if any(e.checks for e in result.explanations):
        console.print(
            "[dim]value: score of the class; deletion: area while pixels go (low is good); insertion: while they come "
            "back (high is good); random: rank correlation with the map of random weights (low is good); shift: with "
            "that of the photo moved by one pixel (high is good); adds up: what the map's sum misses.[/]"
        )
    for name, why in result.left_out:
        console.print(f"Left out: [bold]{escape(name)}[/]. {escape(why)}")
    if result.unreadable:
        named = "; ".join(f"{escape(_printable(n))} ({escape(why)})" for n, why in result.unreadable[:_FAILURES])
        more = f"; and {len(result.unreadable) - _FAILURES} more" if len(result.unreadable) > _FAILURES else ""
        console.print(f"{len(result.unreadable):,} could not be read and were left out: {named}{more}.")
    if result.stopped:
        console.print("Stopped; these explanations were done.")
    for path in (result.npz, result.path):
        if path is not None:
            console.print(f"Wrote [bold]{escape(str(path))}[/]", soft_wrap=True)


def _picture(console: Console, picture: Any, found: Sequence[Any]) -> None:
    console.print()
    best, *rest = (f"{name} {share:.1%}" for name, share in picture.top[:3])
    after = f", {', '.join(rest)}" if rest else ""
    console.print(f"{escape(_printable(picture.name))}: [bold]{escape(best)}[/]{escape(after)}", emoji=False)
    questions = list(dict.fromkeys(e.question for e in found))
    if len(questions) == 1:
        console.print(f"Why [bold]{escape(questions[0])}[/]:")
    console.print(_table(found, console.width, several=len(questions) > 1))
    for e in found:
        for sentence in e.notes:
            console.print(f"[dim]{escape(_who(e, questions))}: {escape(sentence)}[/]")
        if e.checks and e.checks.verdict.level != "passes":
            console.print(f"{escape(_who(e, questions))}: {escape(e.checks.verdict.sentence)}")


def _who(e: Any, questions: Sequence[str]) -> str:
    return f"{e.method}, {e.question}" if len(questions) > 1 else str(e.method)


def _table(found: Sequence[Any], width: int, *, several: bool) -> Table:
    columns: dict[str, list[str]] = {"method": [e.method for e in found]}
    if several:
        columns["class"] = [e.question for e in found]
    if any(e.layer for e in found):
        columns["layer"] = [e.layer for e in found]
    columns["value"] = [f"{e.value:.3g}" for e in found]
    columns["sum"] = [f"{float(e.map.sum(dtype='float64')):.3g}" for e in found]
    checks = [e.checks for e in found]
    if any(checks):
        columns["deletion"] = [f"{c.deletion:.2f}" if c else "" for c in checks]
        columns["insertion"] = [f"{c.insertion:.2f}" if c else "" for c in checks]
        columns["random"] = [_number(c.randomised if c else None) for c in checks]
        columns["shift"] = [_number(c.shifted if c else None) for c in checks]
        if any(c and c.completeness is not None for c in checks):
            columns["adds up"] = [f"{c.completeness:.1%}" if c and c.completeness is not None else "" for c in checks]
        columns["verdict"] = [f"  {c.verdict.level}" if c else "" for c in checks]
    columns["s"] = [f"{e.seconds:.2f}" if e.seconds < 10 else f"{e.seconds:.0f}" for e in found]
    kept = fitted(columns, width, _YIELDS, {"layer": _NAME, "class": _NAME})
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in kept:
        left = name in ("method", "class", "layer", "verdict")
        table.add_column(
            name, justify="left" if left else "right", overflow="fold", no_wrap=name not in ("layer", "class")
        )
    for cells in zip(*kept.values(), strict=True):
        row = dict(zip(kept, cells, strict=True))
        table.add_row(
            *(_MARKS[cell.strip()] if name == "verdict" and cell else escape(cell) for name, cell in row.items())
        )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
