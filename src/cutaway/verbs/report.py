"""report: what a run measured, told again from its numbers, and where its page lies."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.verbs.run import Run


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Show what a run measured, and where its page lies. Looks at no test picture again."""

    run: str = "last"
    """Run folder, its name under runs/, or last."""


def _run(options: ReportOptions) -> Generator[Event, None, Run]:
    from cutaway.errors import BadInput
    from cutaway.events import Note
    from cutaway.reports.codec import from_json
    from cutaway.training.log import read_metrics
    from cutaway.training.run_folder import find_run
    from cutaway.verbs.run import Run

    folder = find_run(options.run)
    if not folder.numbers.exists():
        epochs = len(read_metrics(folder.path))
        raise BadInput(
            f"The run {folder.path} has no report yet ({epochs} epochs done); finish it: cutaway resume {folder.path}."
        )
    report = from_json(folder.numbers.read_text(encoding="utf-8", errors="surrogateescape"))
    yield Note(f"Report: {folder.report}")
    return Run(folder.path, report, report.recipe.get("ended", "finished"))


report = Verb("report", ReportOptions, _run)
