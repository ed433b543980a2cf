"""Trials of a sweep -> a page: accuracy against training time and parameters, and a table to sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cutaway.draw.html import Book, page
from cutaway.draw.scale import percent, plain, seconds, short_count
from cutaway.draw.scatter import Point, scatter


@dataclass(frozen=True, slots=True)
class Trial:
    """One finished trial: the knobs that were varied, accuracy in [0, 1] with its interval, what it cost."""

    settings: Mapping[str, str]
    accuracy: float
    low: float
    high: float
    seconds: float
    parameters: int
    note: str = field(default="")

    @property
    def name(self) -> str:
        return ", ".join(f"{knob} {value}" for knob, value in self.settings.items())


def sweep_page(
    trials: Sequence[Trial], *, title: str, photos: int, fold: str = "validation", command: str = "", created: str = ""
) -> str:
    """Trials measured on `photos` pictures of `fold` -> the text of one self-contained HTML file."""
    from markupsafe import Markup

    knobs = list(dict.fromkeys(knob for t in trials for knob in t.settings))
    by_seconds, by_parameters = (Markup(svg) for svg in sweep_charts(trials))
    return page(
        "sweep.html.j2", Book({}), {},
        title=title, sections=(("cost", "Cost"), ("trials", "Trials")), footer=created, created=created,
        command=command, lead=lead(trials, photos, fold), trials=trials, knobs=knobs,
        notes=any(t.note for t in trials), photos=photos, fold=fold,
        kinds={k: "number" if all(_is_number(t.settings.get(k, "0")) for t in trials) else "text" for k in knobs},
        by_seconds=by_seconds, by_parameters=by_parameters,
    )  # fmt: skip


def sweep_charts(trials: Sequence[Trial]) -> tuple[str, str]:
    """Trials -> SVG of accuracy against seconds, and against parameters, both on logarithmic axes."""
    return (
        scatter(
            [Point(t.name, t.seconds, t.accuracy, t.low, t.high) for t in trials],
            title="Accuracy against training time", x_label="training time (logarithmic)", write=seconds,
        ),
        scatter(
            [Point(t.name, float(t.parameters), t.accuracy, t.low, t.high) for t in trials],
            title="Accuracy against parameters", x_label="parameters (logarithmic)", write=short_count,
        ),
    )  # fmt: skip


def lead(trials: Sequence[Trial], photos: int, fold: str) -> str:
    """Trials -> the sweep's result in one sentence."""
    if not trials:
        return "No trial was finished."
    best = max(trials, key=lambda t: (t.accuracy, -t.seconds))
    level = [t for t in trials if t.high >= best.accuracy]
    cheapest = min(level, key=lambda t: t.seconds)
    first = (
        f"{len(trials)} trial{'s' if len(trials) > 1 else ''}: {best.name or 'the only setting'} answers "
        f"{percent(best.accuracy, 1)} of {plain(photos)} {fold} photos rightly (95 % interval {100 * best.low:.1f}–"
        f"{100 * best.high:.1f}) after {seconds(best.seconds)} of training"
    )
    if cheapest is best:
        return f"{first}; nothing faster comes within its noise."
    return f"{first}; {cheapest.name} is within the noise of that and takes {seconds(cheapest.seconds)}."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
