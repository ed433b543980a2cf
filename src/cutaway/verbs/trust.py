"""trust: which ways of explaining can be believed on a model, over a data set."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.explanation.trust import Mean


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """Find out which explanations of a model can be believed: every check of every method, over your photos.

    Ctrl-C keeps what is measured: the same command goes on from there.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    data: str
    """Photos, with or without labels."""
    method: tuple[str, ...] = ()
    """Methods such as gradcam,occlusion, or once for each; all for all; default: those that take no minutes."""
    layer: str = ""
    """The step whose maps are weighed, for the methods that have one (gradcam, ...); default by size of its maps."""
    set: tuple[str, ...] = ()
    """A setting of the methods, samples=50, or of one, rise.samples=500; once for each."""
    target: str = ""
    """Class to explain on every photo, by name or number; default each photo's likeliest."""
    fold: str = "auto"
    """train, val, test or all; auto: the test fold where the data has one, else all."""
    most: int = 40
    """At most so many pictures, chosen evenly."""
    threads: int | None = None
    """Processor threads; default: all that torch takes."""
    out: str = ""
    """The table, .csv, .parquet or .json, and beside it the chart; default trust-MODEL.csv in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if bad := [text for text in self.set if not text.partition("=")[0].strip() or "=" not in text]:
            raise must_be("set", "NAME=VALUE, such as samples=50 or rise.samples=500", bad[0])
        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)
        if self.most < 1:
            raise must_be("most", "at least 1", self.most)
        if self.threads is not None and self.threads < 1:
            raise must_be("threads", "at least 1", self.threads)


@dataclass(frozen=True, slots=True)
class Trust:
    """One method on these pictures: the means of its checks, the verdict on them, and how many single maps passed.

    `over_lot` and `over_edges`: by how much of the probability at stake its order of pixels beats one drawn by lot,
    and an edge detector's. `seconds` for a map, `with_checks` for a map and its checks.
    """

    name: str
    title: str
    layer: str
    checks: dict[str, Mean | None]
    level: str
    sentence: str
    passes: int
    doubtful: int
    fails: int
    seconds: float
    with_checks: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.name, "verdict": self.level, "sentence": self.sentence, "layer": self.layer or None,
            "checks": {name: mean.to_dict() if mean else None for name, mean in self.checks.items()},
            "passes": self.passes, "doubtful": self.doubtful, "fails": self.fails,
            "seconds": {"map": round(self.seconds, 3), "with_checks": round(self.with_checks, 3)},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrustResult:
    """Every method over `pictures` of `of` pictures; `left_out`: (method, why) of those that cannot work on this model.

    `stopped`: Ctrl-C ended it; `path` then is the file that the same command goes on from, and there is no chart.
    """

    model: str
    data: str
    target: str
    of: int
    pictures: int
    rows: tuple[Trust, ...]
    left_out: tuple[tuple[str, str], ...]
    unreadable: tuple[tuple[str, str], ...]
    stopped: bool
    path: Path
    chart: Path | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data, "target": self.target or None, "of": self.of,
            "pictures": self.pictures, "methods": [row.to_dict() for row in self.rows],
            "left_out": [{"method": name, "why": why} for name, why in self.left_out],
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable],
            "stopped": self.stopped, "path": str(self.path), "chart": str(self.chart) if self.chart else None,
        }  # fmt: skip


def _run(options: TrustOptions) -> Generator[Event, None, TrustResult]:
    from cutaway.verbs.trust_run import trust_on

    return (yield from trust_on(options))


trust = Verb("trust", TrustOptions, _run)
