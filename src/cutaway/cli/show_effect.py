"""effect on the terminal: the answer before and after, the layers that changed, and on data sets what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cutaway.cli.show_edit import size

_ROWS = 30
_CLASSES = 5
_FLIPS = 12
_FAILURES = 3


def show(console: Console, result: Any) -> None:
    """EffectResult -> printed."""
    for sentence in result.edits:
        console.print(f"  {escape(sentence[:1].upper() + sentence[1:])}.")
    for found in result.pictures:
        _picture(console, found)
    for found in result.data:
        _data(console, found)
    if result.unreadable:
        named = "; ".join(f"{escape(_printable(n))} ({escape(why)})" for n, why in result.unreadable[:_FAILURES])
        more = f"; and {len(result.unreadable) - _FAILURES} more" if len(result.unreadable) > _FAILURES else ""
        console.print(f"{len(result.unreadable):,} could not be read and were left out: {named}{more}.")
    if result.path is not None:
        console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)


def _picture(console: Console, found: Any) -> None:
    console.print()
    console.print(f"[bold]{escape(_printable(found.picture))}[/]")
    if found.non_finite:
        console.print(f"[red]{escape(found.non_finite)} gives values that are not finite; nothing behind it counts.[/]")
    changed = found.changed
    if changed:
        console.print(_layers(changed))
        if len(changed) > _ROWS:
            console.print(f"[dim]... {len(changed)} layers changed in all; --json lists every one.[/]")
        console.print(
            "[dim]changed: norm of the difference over the norm before; largest: greatest difference; corr.: "
            "correlation of the values.[/]"
        )
    else:
        console.print("No layer gives other values.")
    again, steps = len(set(found.ran) & set(found.after.trace)), len(found.after.trace)
    console.print(f"{len(changed)} of {len(found.layers)} steps changed; {again} of {steps} were run again.")
    console.print(_classes(found))


def _layers(changed: Sequence[Any]) -> Table:
    table = _table(("layer", "left"), ("before", "right"), ("after", "right"), ("changed", "right"),
                   ("largest", "right"), ("corr.", "right"))  # fmt: skip
    for row in _few(changed):
        if row is None:
            table.add_row("...")
            continue
        numbers = ("", "", "") if row.relative is None else (
            _share(row.relative), f"{row.largest:.3g}", "" if row.correlation is None else f"{row.correlation:.3f}"
        )  # fmt: skip
        after = "" if row.after == row.before else size(row.after)
        table.add_row(escape(row.name), size(row.before), after, *numbers)
    return table


def _few(rows: Sequence[Any]) -> list[Any]:
    """The first and the last, with None for what lies between."""
    half = _ROWS // 2
    return list(rows) if len(rows) <= _ROWS else [*rows[:half], None, *rows[-half:]]


def _share(value: float) -> str:
    if value != value:
        return "not finite"
    if value == float("inf"):
        return "from zero"
    return f"{value:.3g} x" if value >= 10 else f"{value:.1%}" if value >= 0.001 else f"{value:.1e}"


def _classes(found: Any) -> Table:
    first, then = found.answers
    table = _table(("class", "left"), ("before", "right"), ("after", "right"))
    ranked = sorted(found.classes, key=lambda c: -max(_known(c.before), _known(c.after)))
    for row in ranked[:_CLASSES]:
        cells = [
            f"[bold]{_percent(share)}[/]" if row is best else _percent(share)
            for share, best in ((row.before, first), (row.after, then))
        ]
        table.add_row(escape(row.name), *cells)
    return table


def _known(share: float | None) -> float:
    return -1.0 if share is None or share != share else share


def _percent(share: float | None) -> str:
    return "–" if share is None or share != share else f"{share:.1%}"


def _data(console: Console, found: Any) -> None:
    console.print()
    if found.before is None:
        console.print(
            f"[bold]{escape(found.data)}[/]: {len(found.flips):,} of {found.n:,} pictures get another answer; "
            f"{found.agreement:.1%} agree."
        )
    else:
        _measured(console, found)
    console.print(f"[dim]Mean total variation distance of the probabilities: {found.apart:.3f}.[/]")
    if found.flips:
        table = _table(("picture", "left"), ("before", "left"), ("after", "left"), ("", "left"))
        for flip in found.flips[:_FLIPS]:
            sides = [f"{escape(name)} {share:.1%}" for name, share in (flip.before, flip.after)]
            word = {None: "", flip.before[0]: "[yellow]now wrong[/]", flip.after[0]: "[green]now right[/]"}
            table.add_row(escape(_printable(flip.name)), *sides, word.get(flip.true, "wrong in both"))
        console.print(table)
        if len(found.flips) > _FLIPS:
            console.print(f"[dim]... and {len(found.flips) - _FLIPS:,} more; --json lists every one.[/]")


def _measured(console: Console, found: Any) -> None:
    before, after = found.before, found.after
    console.print(
        f"[bold]{escape(found.data)}[/]: accuracy "
        f"{before.accuracy:.1%} -> [bold]{after.accuracy:.1%}[/] of {found.n:,} pictures (95 % intervals "
        f"{before.low:.1%} to {before.high:.1%}, {after.low:.1%} to {after.high:.1%}), "
        f"loss {before.loss:.3f} -> {after.loss:.3f}; {found.won:,} became right, {found.lost:,} wrong."
    )
    table = _table(("class", "left"), ("pictures", "right"), ("recall before", "right"), ("after", "right"))
    for one, two in zip(before.classes, after.classes, strict=True):
        if one.support:
            table.add_row(escape(one.name), f"{one.support:,}", f"{one.recall:.1%}", f"{two.recall:.1%}")
    console.print(table)


def _table(*columns: tuple[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in columns:
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name not in ("layer", "picture", "class"))
    return table


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
