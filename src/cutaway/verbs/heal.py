"""heal: what an edit left untrained learns again, in a few epochs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.reports import EpochRow, Measured


@dataclass(frozen=True, slots=True)
class HealOptions:
    """Train an edited model for a few epochs: only what the edits left untrained, and the last layer.

    The photos are split as `cutaway train` splits them; accuracy before and after is that on the pictures held out.
    """

    model: str
    """The edited model: a file that `cutaway edit` wrote, a run, or any model file."""
    data: str
    """Labelled photos: folder, zip, tar, CSV, Parquet, or a name. Their classes must be the model's."""
    epochs: int = 2
    """Passes over the training pictures."""
    all: bool = False
    """Every layer learns, early ones more slowly."""
    lr: float | None = None
    """Highest learning rate; default 0.001."""
    batch_size: int | None = None
    """Pictures per step; default 32."""
    augment: str = "auto"
    """none, light, medium, strong, or auto: by the number of training pictures."""
    flip: bool | None = None
    """Whether pictures may be mirrored; default: unless class names are digits, letters or sides."""
    val: float = 0.15
    """Share of the photos to choose the best epoch by, where they come without folds."""
    test: float = 0.15
    """Share of the photos held out for the accuracy, where they come without folds."""
    seed: int = 0
    """The same seed gives the same folds and, on as many threads, the same weights."""
    threads: int | None = None
    """Processor threads; default: all that torch takes."""
    out: str = ""
    """The healed model, .safetensors; default heal-MODEL.safetensors in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if self.epochs < 1:
            raise must_be("epochs", "at least 1", self.epochs)
        if self.threads is not None and self.threads < 1:
            raise must_be("threads", "at least 1", self.threads)


@dataclass(frozen=True, slots=True)
class HealResult:
    """`learned`: (layer, why it learned); `before` and `after` on the same held-out pictures of the fold they name.

    `ended`: "finished", "stopped" (Ctrl-C), or why training ended early; the weights are the best epoch's.
    """

    model: str
    data: str
    learned: tuple[tuple[str, str], ...]
    weights: int
    """How many numbers learned."""
    epochs: tuple[EpochRow, ...]
    best_epoch: int
    ended: str
    before: Measured
    after: Measured
    pictures: int
    """Training pictures."""
    path: Path

    def to_dict(self) -> dict[str, Any]:
        import dataclasses

        return {
            "model": self.model, "data": self.data,
            "learned": [{"layer": name, "why": why} for name, why in self.learned], "weights": self.weights,
            "training_pictures": self.pictures, "epochs": [dataclasses.asdict(row) for row in self.epochs],
            "best_epoch": self.best_epoch, "ended": self.ended, "fold": self.after.fold, "held_out": self.after.n,
            "before": _numbers(self.before), "after": _numbers(self.after), "path": str(self.path),
        }  # fmt: skip


def _numbers(seen: Measured) -> dict[str, Any]:
    return {
        "accuracy": seen.accuracy, "low": seen.low, "high": seen.high, "loss": seen.loss,
        "recall": {score.name: score.recall for score in seen.classes if score.support},
    }  # fmt: skip


def _run(options: HealOptions) -> Generator[Event, None, HealResult]:
    from cutaway.verbs.heal_run import heal_on

    return (yield from heal_on(options))


heal = Verb("heal", HealOptions, _run)
