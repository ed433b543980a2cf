"""Past trainings and trainings that go on: the table of them, one of them, several beside each other."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from cutaway.reports import EpochRow, Report

RunState = Literal["training", "unfinished", "stopped", "finished"]


class RunLine(BaseModel):
    """A row of the table. `accuracy` with its 95 % interval is of `fold`; `curve`: validation accuracy by epoch; `of`:
    epochs that were asked for (0: unknown); `state` "training": something was written a moment ago."""

    name: str
    path: str
    made: float
    state: RunState
    data: str
    network: str
    mode: str
    classes: int
    fold: str
    accuracy: float | None
    low: float | None
    high: float | None
    parameters: int | None
    epochs: int
    of: int
    seconds: float
    curve: tuple[float, ...]


class Runs(BaseModel):
    """All runs below the folder that the studio was started in, newest first."""

    folder: str
    runs: tuple[RunLine, ...]


class Fact(BaseModel):
    """A number in words: its name, its value, small print."""

    name: str
    value: str
    small: str = ""


class RunWords(BaseModel):
    """What the numbers of a report say, as its page says it."""

    lead: str
    facts: tuple[Fact, ...]
    calibration: str
    calibration_facts: tuple[Fact, ...]
    looks: str
    worst: str
    timings: tuple[Fact, ...]


class RunDrawings(BaseModel):
    """The drawings of a report as SVG, the same as on its page; "" where there is nothing to draw. In `confusion` the
    cells are buttons with data-cell="t,p"."""

    rivals: str
    confusion: str
    reliability: str


class RunDetail(BaseModel):
    """One run. `report`, `words` and `drawings` are null until it has ended; `settings`: all that it was trained with;
    `resumable`: it can go on; `page`: there is a report.html."""

    line: RunLine
    command: str
    curve_words: str
    epochs: tuple[EpochRow, ...]
    settings: tuple[Fact, ...]
    report: Report | None
    words: RunWords | None
    drawings: RunDrawings | None
    resumable: bool
    page: bool


class RunEpochs(BaseModel):
    """The epochs of a run so far, and whether more will come."""

    state: RunState
    epochs: tuple[EpochRow, ...]
    of: int


class Compared(BaseModel):
    """One setting or result of each run, in their order; `best`: which of them is best, null where none is or it is no
    matter of better."""

    name: str
    values: tuple[str, ...]
    best: int | None = None


class RunCurve(BaseModel):
    """One run of a comparison."""

    line: RunLine
    epochs: tuple[EpochRow, ...]


class RunComparison(BaseModel):
    """Runs in the order asked for; what is set differently in them, how many settings are the same, what came out, and
    what may be concluded from it, in sentences. `colours`: of the runs, by theme."""

    runs: tuple[RunCurve, ...]
    settings: tuple[Compared, ...]
    same: int
    results: tuple[Compared, ...]
    notes: tuple[str, ...]
    colours: dict[str, tuple[str, ...]]
