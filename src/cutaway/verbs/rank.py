"""rank: what each channel, layer or block of a network is worth on a data set."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.surgery.worth import Whole, Worth


@dataclass(frozen=True, slots=True)
class RankOptions:
    """Rank the channels, layers or blocks of a network by what leaving each out costs on your photos.

    A channel is set to zero after its layer's activation; a layer or block is bypassed where the shapes allow it.
    Ctrl-C keeps what is counted: the same command goes on from there.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    data: str
    """Labelled photos; without labels the model's own answers are what must stay the same."""
    by: Literal["channel", "layer", "block"] = "channel"
    """What is left out one by one: channel, layer or block."""
    layers: str = ""
    """Names separated by commas, a family (conv), or blocks' names with --by block; default all."""
    fold: str = "auto"
    """train, val, test or all; auto: the test fold where the data has one, else all."""
    most: int | None = None
    """At most so many pictures, chosen evenly; default all of them."""
    own_answers: bool = False
    """Judge by the model's own answers even where pictures have labels."""
    threads: int | None = None
    """Processor threads; default: all that torch takes."""
    out: str = ""
    """The table, .csv, .parquet or .json, and beside it the chart; default rank-MODEL.csv in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if self.by not in ("channel", "layer", "block"):
            raise must_be("by", "channel, layer or block", self.by)
        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)
        if self.most is not None and self.most < 1:
            raise must_be("most", "at least 1", self.most)
        if self.threads is not None and self.threads < 1:
            raise must_be("threads", "at least 1", self.threads)


@dataclass(frozen=True, slots=True)
class RankResult:
    """The whole network and every part, in running order; over `whole.pictures` of `of` pictures.

    `judged` is "labels", or "own answers": then accuracy is the share of pictures that keep the model's own answer, and
    loss is measured against that answer. `refused`: (name, why) of layers or blocks that cannot be left out. `stopped`:
    Ctrl-C ended it; `path` then is the file that the same command goes on from, and there is no chart.
    """

    model: str
    data: str
    by: str
    judged: str
    of: int
    whole: Whole
    rows: tuple[Worth, ...]
    refused: tuple[tuple[str, str], ...]
    unreadable: tuple[tuple[str, str], ...]
    stopped: bool
    path: Path
    chart: Path | None

    @property
    def ranked(self) -> tuple[Worth, ...]:
        """The rows, what is worth most first."""
        from cutaway.surgery.worth import most_worth_first

        return most_worth_first(self.rows)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data, "by": self.by, "judged_by": self.judged, "of": self.of,
            "whole": self.whole.to_dict(), "parts": [row.to_dict() for row in self.ranked],
            "refused": [{"name": name, "why": why} for name, why in self.refused],
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable],
            "stopped": self.stopped, "path": str(self.path), "chart": str(self.chart) if self.chart else None,
        }  # fmt: skip


def _run(options: RankOptions) -> Generator[Event, None, RankResult]:
    from cutaway.verbs.rank_run import rank_on

    return (yield from rank_on(options))


rank = Verb("rank", RankOptions, _run)
