"""A verb's result -> text on the terminal: what a person wants to know first, then where to read on."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SEVERITY = {"stop": "[red]stop[/]", "warn": "[yellow]warn[/]", "info": "[dim]info[/]"}
_NAMES_SHOWN = 3


def show(name: str, result: Any, *, as_csv: bool = False) -> None:
    """Verb's name and its result -> printed."""
    console = Console(highlight=False, soft_wrap=True)
    if as_csv:
        _predictions_csv(result)
        return
    shows: dict[str, Callable[[Console, Any], None]] = {
        "train": _run,
        "resume": _run,
        "report": _run,
        "check": _check,
        "predict": _predictions,
        "evaluate": _evaluation,
        "networks": _networks,
        "sweep": _sweep,
    }
    shows[name](console, result)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        left = column in {"", "picture", "what", "class", "network", "library", "weights", "note", "answer", "input"}
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    return table


def _run(console: Console, run: Any) -> None:
    if run.ended == "preview":
        console.print(f"Augmented samples: {escape(str(run.folder / 'preview.png'))}")
        return
    report = run.report
    if report is None:
        return
    seen = report.test or report.val
    fold = "test" if report.test else "validation"
    console.print()
    console.print(f"[bold]{seen.accuracy:.1%}[/] of {seen.n:,} {fold} pictures right "
                  f"(95 % interval {seen.low:.1%} to {seen.high:.1%})", end="")  # fmt: skip
    console.print(f"; this test fold has been looked at {_times(report.looks)}." if report.looks else ".")
    table = _table("", "accuracy", "95 % interval", "n")
    table.add_row(escape(report.network_name), f"{seen.accuracy:.1%}", _interval(seen), f"{seen.n:,}")
    for rival in report.baselines:
        table.add_row(escape(rival.name), f"{rival.accuracy:.1%}", _interval(rival), f"{rival.n:,}")
    console.print(table)
    for diagnosis in report.diagnoses:
        console.print(f"{_SEVERITY[diagnosis.severity]}  {escape(diagnosis.text)}")
        if diagnosis.next:
            console.print(f"      next: [cyan]{escape(diagnosis.next)}[/]")
    seconds = report.timings.get("total", 0.0)
    console.print(f"{seconds:.1f} s, {report.peak_memory_mb:,.0f} MB at most; ended: {escape(run.ended)}.")
    console.print(f"Open [bold]{escape(str(run.folder / 'report.html'))}[/]")


def _interval(measured: Any) -> str:
    return f"{measured.low:.1%} to {measured.high:.1%}"


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _check(console: Console, result: Any) -> None:
    shown = escape(", ".join(result.classes[:12])) + (", ..." if len(result.classes) > 12 else "")
    console.print(f"{result.pictures:,} pictures of {len(result.classes)} classes: {shown}")
    for finding in result.findings:
        console.print(f"{_SEVERITY[finding.severity]}  {escape(finding.text)}")
        names = [" = ".join(pair) for pair in finding.pairs] or list(finding.names)
        for name in names[:_NAMES_SHOWN]:
            console.print(f"        {escape(_printable(name))}")
        if len(names) > _NAMES_SHOWN:
            console.print(f"        ... and {len(names) - _NAMES_SHOWN} more")
    if not result.findings:
        console.print("Nothing wrong was found.")
    console.print(f"List to edit: {escape(result.quarantine)}; leave its pictures out with --exclude.")
    console.print(f"Open [bold]{escape(result.page)}[/]")


def _predictions(console: Console, result: Any) -> None:
    table = _table("picture", "answer", "")
    for prediction in result:
        if prediction.error:
            table.add_row(escape(_printable(prediction.name)), f"[red]{escape(prediction.error)}[/]", "")
            continue
        (best, p), *rest = prediction.top
        others = ", ".join(f"{name} {q:.1%}" for name, q in rest)
        table.add_row(escape(_printable(prediction.name)), f"[bold]{escape(best)}[/] {p:.1%}", escape(others))
    console.print(table)


def _predictions_csv(result: Any) -> None:
    most = max((len(p.top) for p in result), default=0)
    out = csv.writer(sys.stdout)
    out.writerow(
        ["picture", *(f"{what}_{i}" for i in range(1, most + 1) for what in ("class", "probability")), "error"]
    )
    for prediction in result:
        cells = [cell for name, p in prediction.top for cell in (name, f"{p:.6f}")]
        cells += [""] * (2 * most - len(cells))
        out.writerow([_printable(prediction.name), *cells, prediction.error])


def _evaluation(console: Console, result: Any) -> None:
    seen = result.measured
    looks = f"; looked at {_times(result.looks)} from here" if result.looks else ""
    console.print(
        f"[bold]{seen.accuracy:.1%}[/] of {seen.n:,} pictures right (95 % interval {_interval(seen)}){looks}."
    )
    table = _table("class", "pictures", "precision", "recall", "95 % interval")
    for score in seen.classes:
        interval = f"{score.recall_low:.1%} to {score.recall_high:.1%}"
        row = (f"{score.support:,}", f"{score.precision:.1%}", f"{score.recall:.1%}", interval)
        table.add_row(escape(score.name), *row)
    console.print(table)
    console.print(f"Open [bold]{escape(result.page)}[/]")


def _networks(console: Console, rows: Any) -> None:
    table = _table("network", "library", "input", "parameters", "weights", "note")
    for row in rows:
        parameters = f"{row.parameters:,}" if row.parameters else ""
        size = f"{row.size[0]} x {row.size[1]}"
        table.add_row(escape(row.name), row.library, size, parameters, escape(row.weights), escape(row.note))
    console.print(table)
    console.print(f"{len(rows):,} networks." if rows else "No network has that in its name.")


def _sweep(console: Console, result: Any) -> None:
    knobs = list(result.trials[0].settings) if result.trials else []
    table = _table(*knobs, "val accuracy", "95 % interval", "seconds", "parameters")
    for t in sorted(result.trials, key=lambda t: -t.accuracy):
        cost = (f"{t.seconds:.1f}", f"{t.parameters:,}")
        table.add_row(*(escape(str(t.settings[k])) for k in knobs), f"{t.accuracy:.1%}", _interval(t), *cost)
    console.print(table)
    console.print(f"Open [bold]{escape(str(Path(result.folder) / 'sweep.html'))}[/]")


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
