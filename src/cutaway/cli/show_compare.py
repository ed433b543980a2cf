"""compare's result -> text: both models in a table, the layers that differ, and on pictures where they part."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cutaway.cli.columns import fitted
from cutaway.cli.show_open import amount, shape_text

_MOST = 40
_MOST_PICTURES = 20
_ALIKE = ("equal", "rounding")
_FOLDED = ("equal", "only a", "only b")
_FOLDS = {"layer": 30, "what differs": 24}  # characters that are enough where a line is short
_WRAPPED = ("a", "b", "picture", *_FOLDS)
_MEANINGS = {
    "largest": "greatest difference of a weight",
    "of norm": "the difference's norm over that of a's weights",
    "corr.": "correlation of the weights",
}


def show(console: Console, result: Any) -> None:
    """Compared -> printed."""
    found = result.found
    _sides(console, result)
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/]")
    for name, (a, b) in found.contract.items():
        console.print(f"Input differs: {escape(name)} is {escape(_short(a))} against {escape(_short(b))}.")
    console.print(escape(_sentence(found)))
    _layers(console, found)
    if found.pictures:
        console.print()
        _pictures(console, result)


def _sides(console: Console, result: Any) -> None:
    table = _table(("", "left"), ("a", "left"), ("b", "left"))
    a, b = result.found.a, result.found.b
    table.add_row("model", escape(_named(result.a)), escape(_named(result.b)))
    table.add_row("layers", f"{a.layers:,}", f"{b.layers:,}")
    table.add_row("parameters", f"{a.parameters:,}", f"{b.parameters:,}")
    table.add_row("multiply-adds", amount(a.multiply_adds, ""), amount(b.multiply_adds, ""))
    table.add_row("classes", *(escape(_classes(side.classes)) for side in (a, b)))
    table.add_row("input", escape(a.input), escape(b.input) if a.input != b.input else "the same")
    console.print(table)


def _named(name: str) -> str:
    """Long paths by their last two parts, which tell a run or an export from another."""
    return "/".join(Path(name).parts[-2:])


def _classes(classes: tuple[str, ...]) -> str:
    return f"{len(classes)}: {', '.join(classes[:6])}{', ...' if len(classes) > 6 else ''}"


def _sentence(found: Any) -> str:
    equal, total = found.counted("equal"), len(found.pairs)
    if equal == total:
        return f"All {total:,} layers are equal, weights included, bit for bit."
    parts = [
        f"{equal:,} of {total:,} layers are equal",
        _counted(found.counted("rounding"), "is equal but for rounding", "are equal but for rounding"),
        _counted(found.counted("weights"), "differs in weights only", "differ in weights only"),
        _counted(found.counted("settings"), "differs in settings", "differ in settings"),
        _counted(found.counted("only a"), "is only in a", "are only in a"),
        _counted(found.counted("only b"), "is only in b", "are only in b"),
    ]
    return ", ".join(part for part in parts if part) + "."


def _counted(number: int, one: str, more: str) -> str:
    return "" if not number else f"{number:,} {one if number == 1 else more}"


def _layers(console: Console, found: Any) -> None:
    listed = sum(pair.status not in _ALIKE for pair in found.pairs)
    if not listed:
        return
    figures = ["largest", "of norm", "corr."] if any(pair.weights for pair in found.pairs) else []
    figures += ["values"] if found.pictures else []
    lines: list[tuple[str, ...]] = []
    for status, group in itertools.groupby(found.pairs, key=lambda p: "equal" if p.status in _ALIKE else p.status):
        run = list(group)
        if status in _FOLDED and len(run) > 1:
            lines.append((*_folded(run, status), *_figures(run[-1], figures, None)))
            continue
        for pair in run:
            cells = (_both(pair), pair.kind, shape_text(pair.shape), _what(pair))
            lines.append((*cells, *_figures(pair, figures, pair.weights)))
    names = ("layer", "kind", "output", "what differs", *figures)
    columns = dict(zip(names, zip(*lines[:_MOST], strict=True), strict=True))
    kept = fitted(columns, console.width, ("corr.", "of norm", "kind", "output"), _FOLDS)
    table = _table(*((name, "left" if name in ("layer", "kind", "what differs") else "right") for name in kept))
    for line in zip(*kept.values(), strict=True):
        table.add_row(*map(escape, line))
    console.print()
    console.print(table)
    if len(lines) > _MOST:
        console.print(f"[dim]The first {_MOST} lines; {listed:,} layers differ in all, --json lists every one.[/]")
    if said := [f"{name}: {meaning}" for name, meaning in _MEANINGS.items() if name in kept]:
        console.print(f"[dim]{'; '.join(said)}.[/]")


def _folded(run: list[Any], status: str) -> tuple[str, str, str, str]:
    """A run of layers of one status -> one line."""
    first, last = (_both(pair) for pair in (run[0], run[-1]))
    rounded = any(pair.status == "rounding" for pair in run)
    what = "equal but for rounding" if rounded else status
    return f"{len(run):,} layers, {first} to {last}", "", shape_text(run[-1].shape), what


def _figures(pair: Any, figures: list[str], weights: Any) -> list[str]:
    """What stands in the columns of numbers; `weights` None leaves theirs empty."""
    cells = dict.fromkeys(figures, "")
    if weights is not None and weights.largest == weights.largest:
        cells["largest"], cells["of norm"] = f"{weights.largest:.3g}", f"{weights.relative:.2%}"
        cells["corr."] = "" if weights.correlation is None else f"{weights.correlation:.3f}"
    if "values" in cells:
        cells["values"] = _apart(pair.activation)
    return list(cells.values())


def _both(pair: Any) -> str:
    """One name where both have the same or only one has the layer, otherwise both."""
    return str(pair.a or pair.b) if pair.a == pair.b or not (pair.a and pair.b) else f"{pair.a} | {pair.b}"


def _what(pair: Any) -> str:
    said = [f"{name} {_short(a)} | {_short(b)}" for name, (a, b) in pair.settings.items()]
    weights = pair.weights
    if weights is not None:
        lacking = [(name, "a" if a else "b") for name, (a, b) in weights.shapes.items() if not (a and b)]
        said += [f"{name} only in {side}" for name, side in lacking]
        said += ["weights"] if weights.largest > 0 else []
    return "; ".join(said) or str(pair.status)


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " x ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _apart(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}" if value else "0"


def _pictures(console: Console, result: Any) -> None:
    found = result.found
    table = _table(("picture", "left"), ("a", "left"), ("b", "left"), ("difference", "right"))
    alike = bool(set(found.a.classes) & set(found.b.classes))
    for p in found.pictures[:_MOST_PICTURES]:
        style = "[yellow]{}[/]" if alike and p.a[0] != p.b[0] else "{}"
        cells = [style.format(escape(f"{name} {probability:.1%}")) for name, probability in (p.a, p.b)]
        table.add_row(escape(_named(p.name)), *cells, "" if p.difference is None else f"{p.difference:.2g}")
    console.print(table)
    if len(found.pictures) > _MOST_PICTURES:
        console.print(f"[dim]... and {len(found.pictures) - _MOST_PICTURES:,} pictures more[/]")
    other = sum(p.a[0] != p.b[0] for p in found.pictures)
    known = [p.difference for p in found.pictures if p.difference is not None]
    largest = f"; probabilities differ by {max(known):.2g} at most" if known else ""
    answers = f"The likeliest class differs on {other:,} of {len(found.pictures):,} pictures{largest}."
    console.print(
        answers if alike else "No class has the same name in both, so their answers cannot be set side by side."
    )
    where = f"Their values part at {found.parts_at}" if found.parts_at else "Their values never part"
    console.print(f"{escape(where)} [dim](values: difference over a's, parted from 0.001 on).[/]")
    for name in result.unreadable:
        console.print(f"[red]{escape(name)}[/]")


def _table(*columns: tuple[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in columns:
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name not in _WRAPPED)
    return table
