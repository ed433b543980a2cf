"""sweep: which knob is worth its seconds."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.draw.sweep import Trial


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """Train the same photos with different settings: validation accuracy against seconds and parameters, as a plot."""

    data: str
    """Folder, zip, tar, CSV, Parquet, or a data set's name."""
    vary: tuple[str, ...] = ()
    """KNOB=VALUES, again for each knob: depth=2..6, filters=16,32,64, lr=1e-4..1e-2, augment=none,light."""
    network: str = "small-cnn"
    """Network to vary; small-cnn knows depth, filters, kernel_size and dropout."""
    epochs: int = 8
    """Passes over the training pictures, for every setting."""
    trials: int | None = None
    """How many settings to try; default: every combination. Fewer: Optuna picks those that promise most."""
    size: int | None = None
    """Input side in pixels, for networks that allow it."""
    out: str | None = None
    """Folder for results; default sweeps/NAME. Run again with the same folder to go on where it stopped."""
    seed: int = 0
    """Starting point of every random choice."""
    threads: int | None = None
    """Processor threads; default: all."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        for name in ("epochs", "trials", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise must_be(name, "at least 1", value)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Finished trials, and the folder with results.csv, results.json, sweep.html and the two plots as SVG."""

    folder: str
    trials: tuple[Trial, ...]


def _run(options: SweepOptions) -> Generator[Event, None, SweepResult]:
    from cutaway.verbs.sweep_run import sweep_over

    return (yield from sweep_over(options))


sweep = Verb("sweep", SweepOptions, _run)
