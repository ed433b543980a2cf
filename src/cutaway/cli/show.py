"""A verb's result -> text on the terminal: what a person wants to know first, then where to read on."""

from __future__ import annotations

import csv
import importlib
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SEVERITY = {"stop": "[red]stop[/]", "warn": "[yellow]warn[/]", "info": "[dim]info[/]"}
_NAMES_SHOWN = 3
_UNBROKEN = 10_000
_LEFT = {"", "picture", "what", "class", "network", "library", "weights", "note", "answer", "input"}
_WRAPPED = {"", "picture", "weights", "note", "class"}  # columns that give way where the terminal is narrow


def show(name: str, result: Any, *, as_csv: bool = False) -> None:
    """Verb's name and its result -> printed."""
    if as_csv:
        _predictions_csv(result)
        return
    # Lines break at words for a person; a file or another program gets them whole.
    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _UNBROKEN)
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
    if name not in shows:  # a verb with much to show has a file of its own
        importlib.import_module(f"cutaway.cli.show_{name}").show(console, result)
        return
    shows[name](console, result)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        justify: Any = "left" if column in _LEFT else "right"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column not in _WRAPPED)
    return table


def _told(console: Console, severity: str, text: str, next_command: str = "") -> None:
    """A finding: its weight, the sentence beside it; below, in one piece for copying, the command to try."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(_SEVERITY[severity], escape(text))
    console.print(grid)
    if next_command:
        console.print(f"      next: [cyan]{escape(next_command)}[/]", soft_wrap=True)


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
    looks = f"; this test fold has been looked at {_times(report.looks)}" if report.looks else ""
    console.print(
        f"[bold]{seen.accuracy:.1%}[/] of {seen.n:,} {fold} pictures right (95 % interval {_interval(seen)}){looks}."
    )
    table = _table("", "accuracy", "95 % interval", "n")
    table.add_row(escape(report.network_name), f"{seen.accuracy:.1%}", _interval(seen), f"{seen.n:,}")
    for rival in report.baselines:
        table.add_row(escape(rival.name), f"{rival.accuracy:.1%}", _interval(rival), f"{rival.n:,}")
    console.print(table)
    for diagnosis in report.diagnoses:
        _told(console, diagnosis.severity, diagnosis.text, diagnosis.next)
    seconds = report.timings.get("total", 0.0)
    console.print(f"{seconds:.1f} s, {report.peak_memory_mb:,.0f} MB at most; ended: {escape(run.ended)}.")
    console.print(f"Open [bold]{escape(str(run.folder / 'report.html'))}[/]", soft_wrap=True)
    console.print(f"See it at work: [bold]{escape(_studio(run.folder))}[/]", soft_wrap=True)


def _studio(folder: Path) -> str:
    """Run folder -> the command that opens it in the studio with a picture it was tested on."""
    from cutaway.verbs.example import example_picture

    picture = example_picture(folder)
    return shlex.join(["cutaway", "studio", str(folder), *(["--picture", picture] if picture else [])])


def _interval(measured: Any) -> str:
    return f"{measured.low:.1%} to {measured.high:.1%}"


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _check(console: Console, result: Any) -> None:
    shown = escape(", ".join(result.classes[:12])) + (", ..." if len(result.classes) > 12 else "")
    console.print(f"{result.pictures:,} pictures of {len(result.classes)} classes: {shown}")
    for finding in result.findings:
        _told(console, finding.severity, finding.text)
        between = " looks like " if finding.kind == "label-error" else " = "
        names = [between.join(pair) for pair in finding.pairs] or list(finding.names)
        for name in names[:_NAMES_SHOWN]:
            console.print(f"        {escape(_printable(name))}")
        if len(names) > _NAMES_SHOWN:
            console.print(f"        ... and {len(names) - _NAMES_SHOWN} more")
    if not result.findings:
        console.print("Nothing wrong was found.")
    console.print(f"List to edit: {escape(result.quarantine)}; leave its pictures out with --exclude.")
    console.print(f"Open [bold]{escape(result.page)}[/]", soft_wrap=True)


def _predictions(console: Console, result: Any) -> None:
    lines = [(_printable(p.name), *_answer(p), bool(p.error)) for p in result]
    longest = max((len(name) for name, *_ in lines), default=0)
    wide = min(longest, console.width // 2)  # a long name takes two lines rather than the answers' place
    answers = max((len(answer) for _, answer, *_ in lines), default=0)
    table = _table("picture", "answer", "")
    table.columns[0].width = max(wide, len("picture"))
    table.columns[2].max_width = max(10, console.width - wide - answers - 6)
    for name, answer, rest, failed in lines:
        table.add_row(escape(name), f"[{'red' if failed else 'bold'}]{escape(answer)}[/]", escape(rest))
    console.print(table)


def _answer(prediction: Any) -> tuple[str, str]:
    """Prediction -> its likeliest class, and the others; or why it has none, in a word and in full."""
    if prediction.error:
        code, _, detail = prediction.error.partition(": ")
        return code, detail
    best, *rest = (f"{name} {p:.1%}" for name, p in prediction.top)
    return best, ", ".join(rest)


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
    console.print(f"Open [bold]{escape(result.page)}[/]", soft_wrap=True)


def _networks(console: Console, rows: Any) -> None:
    table = {
        "network": [row.name for row in rows],
        "library": [row.library for row in rows],
        "input": [f"{row.size[0]} x {row.size[1]}" for row in rows],
        "parameters": [f"{row.parameters:,}" if row.parameters else "" for row in rows],
        "weights": [row.weights for row in rows],
        "note": [row.note for row in rows],
    }
    least = {name: max(len(cell) for cell in (name, *cells)) + 2 for name, cells in table.items()}
    least.update({name: min(least[name], wide) for name, wide in (("weights", 14), ("note", 24))})  # these two wrap
    for name in ("note", "weights", "library", "parameters"):
        if sum(least.values()) > console.width:
            del table[name], least[name]
    shown = _table(*table)
    for cells in zip(*table.values(), strict=True):
        shown.add_row(*map(escape, cells))
    if rows:
        console.print(shown)
    console.print(f"{len(rows):,} network{'s' * (len(rows) != 1)}." if rows else "No network has that in its name.")


def _sweep(console: Console, result: Any) -> None:
    knobs = list(result.trials[0].settings) if result.trials else []
    table = _table(*knobs, "val accuracy", "95 % interval", "seconds", "parameters")
    for t in sorted(result.trials, key=lambda t: -t.accuracy):
        cost = (f"{t.seconds:.1f}", f"{t.parameters:,}")
        table.add_row(*(escape(str(t.settings[k])) for k in knobs), f"{t.accuracy:.1%}", _interval(t), *cost)
    console.print(table)
    console.print(f"Open [bold]{escape(str(Path(result.folder) / 'sweep.html'))}[/]", soft_wrap=True)


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
