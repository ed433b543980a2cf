"""vary: one knob of a model, or some, turned through their values: what each setting costs, as a table and a plot."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Done, Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.model import Model
    from cutaway.surgery.effect_data import DataEffect


@dataclass(frozen=True, slots=True)
class VaryOptions:
    """Turn knobs of a model through their values: accuracy, loss and changed answers of each setting, table and plot.

    On pictures without labels: the probability of the class that the model as it is finds likeliest.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    data: str
    """Labelled photos: folder, archive, table, name; or photos without labels, one photo, sample:NAME."""
    knob: tuple[str, ...] = ()
    """KNOB=VALUES, again for each knob: conv1.activation=relu,tanh, conv1.stride=1..3, "scale conv1[3]=0..2x5"."""
    fold: str = "auto"
    """train, val, test or all; auto: the test fold where the data has one, else all."""
    table: str = ""
    """File to write the figures to as well, .csv or .json."""
    out: str = ""
    """The plot, .png or .svg; default vary-MODEL.png in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)


@dataclass(frozen=True, slots=True)
class VaryRow:
    """One setting. `settings`: knob -> value, empty for the model as it is; `error`: why it cannot be measured.

    `share`: mean probability of the class that the model as it is finds likeliest, in [0, 1]; `answer`: on one picture
    the likeliest class. `effect` holds accuracy, loss and flipped photos against the model as it is.
    """

    settings: dict[str, str]
    effect: DataEffect | None
    share: float | None
    answer: str = ""
    parameters: int = 0
    untrained: tuple[str, ...] = ()
    error: str = ""

    @property
    def name(self) -> str:
        return ", ".join(f"{knob}={value}" for knob, value in self.settings.items()) or "as it is"

    def to_dict(self) -> dict[str, Any]:
        found = self.effect
        after = found.after if found else None
        return {
            "settings": self.settings,
            "accuracy": _six(after.accuracy if after else None), "low": _six(after.low if after else None),
            "high": _six(after.high if after else None), "loss": _six(after.loss if after else None),
            "share": _six(self.share), "answer": self.answer,
            "agreement": _six(found.agreement if found else None), "flips": len(found.flips) if found else None,
            "won": found.won if found and after else None, "lost": found.lost if found and after else None,
            "parameters": self.parameters, "untrained": list(self.untrained), "error": self.error,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class VaryResult:
    """`rows`: the model as it is first, then every setting; over `pictures` of the data."""

    model: str
    data: str
    pictures: int
    labelled: bool
    rows: tuple[VaryRow, ...]
    path: Path | None
    table: Path | None
    unreadable: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data, "pictures": self.pictures, "labelled": self.labelled,
            "rows": [row.to_dict() for row in self.rows], "path": self.path and str(self.path),
            "table": self.table and str(self.table),
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable],
        }  # fmt: skip


class VaryVerb(Verb[..., VaryResult]):
    """`vary(model, data, knob=...)`: the model by name, or a Model."""

    __slots__ = ()

    def __call__(self, model: Model | str, data: str, knob: str | Sequence[str] = (), **flags: Any) -> VaryResult:
        """Model, photos, KNOB=VALUES texts -> VaryResult. With a Model a plot is drawn only where `out` says so."""
        knobs = (knob,) if isinstance(knob, str) else tuple(knob)
        if isinstance(model, str):
            return super().__call__(model, data, knobs, **flags)
        options = VaryOptions("model", data, knobs, **flags)
        for event in _done(_work(options, model)):
            if isinstance(event, Done):
                result: VaryResult = event.result
        return result


def _done(work: Generator[Event, None, VaryResult]) -> Generator[Event | Done[VaryResult], None, None]:
    yield Done((yield from work))


def _run(options: VaryOptions) -> Generator[Event, None, VaryResult]:
    return (yield from _work(options, None))


def _work(options: VaryOptions, model: Model | None) -> Generator[Event, None, VaryResult]:
    from cutaway.surgery.knobs import read_knobs
    from cutaway.verbs.find import find_model
    from cutaway.verbs.picture_file import picture_file
    from cutaway.verbs.vary_run import vary_over

    knobs = read_knobs(options.knob)
    table = picture_file(options.table, "vary", options.model, (".csv", ".json")) if options.table else None
    wanted = options.out or model is None
    path = picture_file(options.out, "vary", options.model) if wanted else None
    return (yield from vary_over(options, model or find_model(options.model), knobs, path, table))


def _six(value: float | None) -> float | None:
    return None if value is None or value != value else round(float(value), 6)


vary = VaryVerb("vary", VaryOptions, _run)
