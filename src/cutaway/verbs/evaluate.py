"""evaluate: how good is this model on these photos, with an interval and the pictures it gets wrong."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.reports import Measured


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """Measure a model on labelled photos: accuracy with interval, per class, confusion, calibration, mistakes."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    data: str
    """Labelled photos: folder, zip, tar, CSV, Parquet, or a name. Their classes must be the model's."""
    fold: str = "auto"
    """train, val, test or all; auto: the test fold where the data has one, else all."""
    out: str | None = None
    """File for the page; default evaluation-NAME.html here."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, how often this fold has been looked at from here, and the page that shows it."""

    model: str
    data: str
    measured: Measured
    looks: int
    page: str


def _run(options: EvaluateOptions) -> Generator[Event, None, Evaluation]:
    from cutaway.verbs.evaluation_run import evaluate_on

    return (yield from evaluate_on(options))


evaluate = Verb("evaluate", EvaluateOptions, _run)
