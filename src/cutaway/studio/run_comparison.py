"""Several runs -> where their settings differ, what came out, and what may be concluded from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cutaway.errors import BadInput, CutawayError
from cutaway.reports import Measured, Report
from cutaway.studio.run_files import RunFiles, epochs_of, line_of, settings_of
from cutaway.studio.schemas.runs import Compared, RunComparison, RunCurve

MOST = 8  # curves that can be told apart in one drawing
_APART = "–"


@dataclass(frozen=True, slots=True)
class _Result:
    """A row of results: number of a report (None: it has none), how it is written, whether more or less is better."""

    name: str
    number: Callable[[Report], float | None]
    write: Callable[[float], str]
    better: str = ""


def compared(runs: Sequence[RunFiles]) -> RunComparison:
    """Two to eight runs -> RunComparison. Raises BadInput for fewer or more."""
    if not 2 <= len(runs) <= MOST:
        raise BadInput(f"Runs are compared two to {MOST} at a time; {len(runs)} were chosen.")
    from cutaway.draw.points import COLOURS

    settings = [settings_of(run) for run in runs]
    names = list(dict.fromkeys(name for one in settings for name in one))
    rows = [Compared(name=name, values=tuple(one.get(name, _APART) for one in settings)) for name in names]
    differing = tuple(row for row in rows if len(set(row.values)) > 1)
    return RunComparison(
        runs=tuple(RunCurve(line=line_of(run), epochs=epochs_of(run).epochs) for run in runs),
        settings=differing, same=len(rows) - len(differing),
        results=tuple(row for made in _RESULTS if any((row := _row(made, runs)).values)), notes=_notes(runs),
        colours=dict(COLOURS),
    )  # fmt: skip


def _seen(report: Report) -> Measured | None:
    return report.test or report.val


def _accuracy(report: Report) -> float | None:
    seen = _seen(report)
    return seen.accuracy if seen else None


def _loss(report: Report) -> float | None:
    seen = _seen(report)
    return seen.loss if seen else None


def _ece(report: Report) -> float | None:
    seen = _seen(report)
    return seen.calibration.ece if seen and seen.calibration else None


def _best_validation(report: Report) -> float | None:
    return next((e.val_accuracy for e in reversed(report.epochs) if e.best), None)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


_RESULTS = (
    _Result("accuracy", _accuracy, _percent, "more"),
    _Result("mean loss (nats)", _loss, lambda v: f"{v:.3f}", "less"),
    _Result("calibration error (points)", _ece, lambda v: f"{100 * v:.1f}", "less"),
    _Result("validation accuracy of the kept epoch", _best_validation, _percent, "more"),
    _Result("epochs", lambda r: len(r.epochs), lambda v: f"{v:.0f}"),
    _Result("parameters", lambda r: r.parameters, lambda v: f"{v:,.0f}"),
    _Result("training (s)", lambda r: r.timings.get("train"), lambda v: f"{v:.1f}", "less"),
    _Result("peak memory (MB)", lambda r: r.peak_memory_mb or None, lambda v: f"{v:,.0f}"),
)


def _row(made: _Result, runs: Sequence[RunFiles]) -> Compared:
    numbers = [made.number(run.report) if run.report else None for run in runs]
    known = [number for number in numbers if number is not None]
    best = None
    if made.better and len(set(known)) > 1:
        best = numbers.index(max(known) if made.better == "more" else min(known))
    values = [_APART if number is None else made.write(number) for number in numbers]
    if made.name == "accuracy":
        values = [_with_interval(run, value) for run, value in zip(runs, values, strict=True)]
    return Compared(name=made.name, values=tuple(values), best=best)


def _with_interval(run: RunFiles, value: str) -> str:
    seen = _seen(run.report) if run.report else None
    if seen is None:
        return value
    return f"{value} ({100 * seen.low:.1f}–{100 * seen.high:.1f}) of {seen.n:,} {seen.fold}"


def _notes(runs: Sequence[RunFiles]) -> tuple[str, ...]:
    notes = []
    unfinished = [run.folder.path.name for run in runs if run.report is None]
    if unfinished:
        verb = "has" if len(unfinished) == 1 else "have"
        notes.append(f"{', '.join(unfinished)} {verb} no report yet: there are curves only.")
    prints = {_fingerprint(run) for run in runs}
    if len(prints) > 1 or "" in prints:
        notes.append(
            "The runs did not learn and test on the same photos in the same folds: their accuracies do not compare."
        )
    measured = [(run, seen) for run in runs if run.report and (seen := _seen(run.report))]
    if len(measured) > 1 and len(prints) == 1 and "" not in prints:
        best, top = max(measured, key=lambda pair: pair[1].accuracy)
        like = [run.folder.path.name for run, seen in measured if run is not best and seen.high >= top.low]
        name = best.folder.path.name
        if like:
            notes.append(
                f"{name} has the highest accuracy, but its 95 % interval overlaps that of {', '.join(like)}: "
                f"{top.n:,} photos may not tell them apart."
            )
        else:
            notes.append(f"{name} has the highest accuracy, and its 95 % interval lies above all the others'.")
    return tuple(notes)


def _fingerprint(run: RunFiles) -> str:
    try:
        return str(run.folder.read_json(run.folder.data).get("fingerprint", ""))
    except CutawayError:
        return ""
