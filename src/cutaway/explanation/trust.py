"""Methods over many pictures -> what their checks say on the whole: running means, in the memory of one picture."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cutaway.engine.prepare import prepare
from cutaway.errors import CutawayError
from cutaway.events import Progress
from cutaway.explanation.checks import Controls, check, controls
from cutaway.explanation.explanation import Checks, Verdict, explained
from cutaway.explanation.method import Method
from cutaway.explanation.question import Question, ask
from cutaway.explanation.randomise import untrained
from cutaway.explanation.verdict import Figures, Gains, number, verdict
from cutaway.model import Model

Rows = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
Result = TypeVar("Result")
LEVELS = ("passes", "doubtful", "fails")
_FIRST = 8
"""Pictures that the norms of the network with random weights are set by."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over `n` pictures with its 95 % interval (Student's t); no interval for one picture."""

    value: float
    low: float | None
    high: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        ends = (None if v is None else round(v, 5) for v in (self.low, self.high))
        return {"mean": round(self.value, 5), "low": next(ends), "high": next(ends), "n": self.n}


@dataclass(slots=True)
class Sum:
    """Numbers one by one -> their mean and spread, without keeping them (Welford 1962)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        step = value - self.mean
        self.mean += step / self.n
        self.squares += step * (value - self.mean)

    def told(self) -> Mean | None:
        """-> their Mean; None for no number."""
        from scipy.stats import t

        if self.n < 2:
            return Mean(self.mean, None, None, self.n) if self.n else None
        half = float(t.ppf(0.975, self.n - 1)) * math.sqrt(self.squares / (self.n - 1) / self.n)
        return Mean(self.mean, self.mean - half, self.mean + half, self.n)


@dataclass(slots=True)
class Tally:
    """One method's sums by figure, its verdicts picture by picture, its seconds without and with checks."""

    sums: dict[str, Sum] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    seconds: float = 0.0
    with_checks: float = 0.0
    layer: str = ""

    def add(self, checks: Checks, seconds: float, layer: str) -> None:
        figures = figures_of(checks)
        if figures.completeness is not None:  # a share of nearly nothing would outweigh all other pictures
            figures = dataclasses.replace(figures, completeness=min(figures.completeness, 1.0))
        found = dataclasses.asdict(figures) | {"over_lot": figures.over_lot, "over_edges": figures.over_edges}
        for name, value in found.items():
            if value is not None:
                self.sums.setdefault(name, Sum()).add(float(value))
        self.levels[checks.verdict.level] += 1
        self.seconds += seconds
        self.with_checks += seconds + checks.seconds
        self.layer = layer

    @property
    def figures(self) -> Figures:
        """The means, as one map's Figures."""
        means: dict[str, Any] = {f.name: self._mean(f.name) for f in dataclasses.fields(Figures)}
        return Figures(**means)

    def verdict(self, title: str) -> Verdict:
        """Of the method on these pictures: that of its mean figures, if chance could not bring them."""
        gains = Gains(self._mean("over_lot"), self._mean("over_edges"))
        gain = self.sums["over_lot"].told() if "over_lot" in self.sums else None
        found = verdict(title, self.figures, gain.n if gain else 1, gains)
        if found.level != "passes" or gain is None or gain.low is None or gain.high is None or gain.low > 0:
            return found
        return Verdict(
            "doubtful",
            f"{title} may beat pixels picked at random by luck alone: {gain.n} pictures leave the gain "
            f"between {number(gain.low)} and {number(gain.high)} of the probability; take more.",
        )

    def _mean(self, name: str) -> float | None:
        return self.sums[name].mean if name in self.sums else None


@dataclass(slots=True)
class Standing:
    """After `done` pictures: each method's Tally by name, and why methods were left out."""

    done: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def figures_of(checks: Checks) -> Figures:
    """Checks -> the Figures their verdict was made of."""
    same = {f.name: getattr(checks, f.name) for f in dataclasses.fields(Figures) if f.name in Checks.__slots__}
    lost = checks.deletion_curve[0] - checks.deletion_curve[-1]
    blurred = checks.insertion_curve[-1] - checks.insertion_curve[0]
    return Figures(**same, deletion_span=lost, insertion_span=blurred)


def trusting(
    model: Model,
    methods: Sequence[Method],
    rows: Rows,
    order: NDArray[np.int64],
    target: int | None = None,
    start: Standing | None = None,
    keep: Callable[[Standing], None] = lambda _: None,
    settings: Mapping[str, Any] | None = None,
) -> Generator[Progress, None, Standing]:
    """Model, methods, reader of fitted pictures and which of them -> what stands at the end.

    Each picture is explained for `target`, else for its likeliest class; a method takes `settings[its name]`, else its
    own. `keep` is handed what stands after every picture. A method that cannot work on this model is left out with its
    reason. Ctrl-C (a KeyboardInterrupt where Progress is yielded) ends it early: what stands then is returned.
    """
    standing = start or Standing()
    asked = ask(model, rows(order[:_FIRST]))
    random = untrained(asked)
    total = len(order) * len(methods)

    def progress(number: int) -> Progress:
        return Progress("trust", standing.done * len(methods) + number, total, "maps")

    try:
        while standing.done < len(order):
            yield progress(0)
            question = _about(asked, rows(order[standing.done : standing.done + 1]), target)
            against = yield from _told(controls(question, random), progress(0))
            found = []
            for number, method in enumerate(methods):
                if method.name not in standing.left_out:
                    yield progress(number)
                    given = (settings or {}).get(method.name, method.settings())
                    one = _one(method, given, question, against, standing)
                    found.append((yield from _told(one, progress(number))))
            for name, made in filter(None, found):
                standing.tallies.setdefault(name, Tally()).add(*made)
            standing.done += 1
            keep(standing)
        yield progress(0)
    except KeyboardInterrupt:
        keep(standing)
    return standing


Made = tuple[str, tuple[Checks, float, str]]


def _one(
    method: Method, settings: Any, question: Question, against: Controls, standing: Standing
) -> Generator[Progress, None, Made | None]:
    try:
        answer, seconds = yield from explained(method, question, settings)
        (checks,) = yield from check(method, question, settings, answer, against)
    except CutawayError as refused:
        standing.left_out[method.name] = str(refused)
        standing.tallies.pop(method.name, None)
        return None
    return method.name, (checks, seconds, answer.layer)


def _about(asked: Question, pixels: NDArray[np.uint8], target: int | None) -> Question:
    """-> the question about another picture, put to the same network."""
    x = prepare(pixels, asked.contract)
    classes = asked.logits(x).argmax(1)
    if target is not None:
        classes.fill_(target)
    return asked.with_(pixels=pixels, x=x, classes=classes.clone())


def _told(inner: Generator[Any, None, Result], instead: Progress) -> Generator[Progress, None, Result]:
    """Runs work out, telling where the whole stands in place of its own events."""
    while True:
        try:
            next(inner)
        except StopIteration as end:
            found: Result = end.value
            return found
        yield instead
