"""The files of a run -> what the page shows of it. What another process writes at this moment may be half there."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import BadInput, BadModel, one_line
from cutaway.reports import EpochRow, Report
from cutaway.studio.schemas.runs import Fact, RunDetail, RunDrawings, RunEpochs, RunLine, RunState, RunWords
from cutaway.training.log import read_metrics
from cutaway.training.run_folder import RUNS, RunFolder

QUIET_SECONDS = 90
"""A run without a report whose files have not changed for so long is not being trained."""


@dataclass(frozen=True, slots=True, eq=False)
class RunFiles:
    """A run's folder, its config.json, its epochs so far, its report where it has one."""

    folder: RunFolder
    config: dict[str, Any]
    epochs: tuple[EpochRow, ...]
    report: Report | None

    @property
    def state(self) -> RunState:
        if self.report is not None:
            return "stopped" if self.report.recipe.get("ended") == "stopped" else "finished"
        return "training" if time.time() - _changed(self.folder.path) < QUIET_SECONDS else "unfinished"

    def option(self, name: str) -> Any:
        options = self.config.get("options")
        return options.get(name) if isinstance(options, dict) else None

    @property
    def recipe(self) -> dict[str, Any]:
        found = self.config.get("recipe")
        return found if isinstance(found, dict) else {}

    @property
    def of(self) -> int:
        """Epochs that were asked for, those of a new head before a fine-tuning included."""
        whole = self.recipe.get("epochs")
        before = self.recipe.get("head_epochs") if self.recipe.get("mode") == "finetune" else 0
        return int(whole) + int(before or 0) if isinstance(whole, int) else 0


def all_runs(home: Path) -> tuple[RunFiles, ...]:
    """Folder that the studio works in -> the runs below its runs/, newest first. Damaged ones are left out."""
    found = []
    for config in (home / RUNS).glob("*/config.json"):
        try:
            found.append((config.stat().st_mtime, files_of(config.parent)))
        except (BadInput, BadModel, OSError):
            continue
    return tuple(run for _, run in sorted(found, key=lambda pair: -pair[0]))


def run_named(home: Path, name: str) -> RunFiles:
    """Folder that the studio works in, a run's name or its path as a terminal has it -> its files.

    Raises BadInput, BadModel.
    """
    if (home / name).parent == home / RUNS:
        name = Path(name).name
    folder = home / RUNS / name
    if name in ("", ".", "..") or Path(name).name != name or not (folder / "config.json").is_file():
        there = ", ".join(run.folder.path.name for run in all_runs(home)[:5]) or "none yet"
        raise BadInput(f"There is no run {one_line(name, 80)!r} here; runs here: {there}.")
    return files_of(folder)


def files_of(path: Path) -> RunFiles:
    folder = RunFolder(path)
    config = folder.read_json(folder.config)
    report = None
    if folder.numbers.is_file():
        about = folder.numbers.stat()
        report = _report(folder.numbers, about.st_mtime_ns, about.st_size)
    return RunFiles(folder, config, read_metrics(path), report)


@functools.lru_cache(200)
def _report(path: Path, _changed_ns: int, _size: int) -> Report:
    from cutaway.reports.codec import from_json

    return from_json(path.read_text(encoding="utf-8", errors="surrogateescape"))


def _changed(folder: Path) -> float:
    """When anything of an unfinished run was last written."""
    times = [0.0]
    for file in (folder, folder / "config.json", folder / "metrics.jsonl", *folder.glob("checkpoints/*")):
        try:
            times.append(file.stat().st_mtime)
        except OSError:
            continue
    return max(times)


def line_of(run: RunFiles) -> RunLine:
    """Run -> its row of the table."""
    report = run.report
    seen = (report.test or report.val) if report else None
    epochs = report.epochs if report else run.epochs
    try:
        made = run.folder.config.stat().st_mtime
    except OSError:
        made = 0.0
    return RunLine(
        name=run.folder.path.name, path=str(run.folder.path), made=made, state=run.state,
        data=str(run.option("data") or ""), network=str(run.config.get("network") or ""),
        mode=str(run.recipe.get("mode") or ""), classes=len(run.config.get("classes") or ()),
        fold=seen.fold if seen else "", accuracy=seen.accuracy if seen else None, low=seen.low if seen else None,
        high=seen.high if seen else None, parameters=report.parameters if report else None, epochs=len(epochs),
        of=run.of, seconds=report.timings.get("total", 0.0) if report else sum(e.seconds for e in epochs),
        curve=tuple(e.val_accuracy for e in epochs),
    )  # fmt: skip


def epochs_of(run: RunFiles) -> RunEpochs:
    return RunEpochs(state=run.state, epochs=run.report.epochs if run.report else run.epochs, of=run.of)


def detail_of(run: RunFiles) -> RunDetail:
    """Run -> all that its page shows."""
    from cutaway.draw.page import curve_words

    epochs = run.report.epochs if run.report else run.epochs
    return RunDetail(
        line=line_of(run), command=str(run.config.get("command") or ""),
        curve_words=curve_words(epochs) if epochs else "No epoch has ended yet.", epochs=epochs,
        settings=tuple(Fact(name=name, value=value) for name, value in settings_of(run).items()), report=run.report,
        words=words_of(run.report) if run.report else None, drawings=drawings_of(run.report) if run.report else None,
        resumable=run.state in ("unfinished", "stopped"),
        page=run.folder.report.is_file(),
    )  # fmt: skip


def drawings_of(report: Report) -> RunDrawings:
    """Report -> its drawings, the same as on its page."""
    from cutaway.draw.page import charts

    made = charts(report, report.test or report.val)
    return RunDrawings(
        rivals=str(made["rivals"]), confusion=str(made["confusion"]), reliability=str(made["reliability"])
    )


def settings_of(run: RunFiles) -> dict[str, str]:
    """Run -> name and value of all it was trained with: what was settled on before what was asked for."""
    options = run.config.get("options")
    asked = options if isinstance(options, dict) else {}
    found = {"data": asked.get("data"), "network": run.config.get("network"), "backbone": asked.get("backbone")}
    found |= run.recipe
    found |= {name: value for name, value in asked.items() if name not in found and name not in ("out", "preview")}
    return {name: _said(value) for name, value in found.items()}


def _said(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def words_of(report: Report) -> RunWords:
    """Report -> its sentences, the same as on its page."""
    from cutaway.draw.confusion import worst
    from cutaway.draw.page import calibration_pairs, calibration_words, facts, lead, looks_words, timing_pairs

    seen = report.test or report.val
    calibration = seen.calibration if seen else None
    pairs = calibration_pairs(calibration) if calibration else ()
    return RunWords(
        lead=lead(report), facts=tuple(Fact(name=n, value=v, small=s) for n, v, s in facts(report)),
        calibration=calibration_words(seen) if seen and calibration else "",
        calibration_facts=tuple(Fact(name=n, value=v) for n, v in pairs),
        looks=looks_words(report.looks), worst=worst(seen.confusion, report.classes) if seen else "none",
        timings=tuple(Fact(name=n, value=v) for n, v in timing_pairs(report)),
    )  # fmt: skip
