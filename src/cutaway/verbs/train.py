"""train: a folder of photos in, an honest classifier and its report out."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.verbs.run import Run


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Train a classifier on photos: checks them, splits honestly, trains, measures once, writes a report."""

    data: str
    """Folder (one folder per class, or train/val/test folders), zip, tar, CSV, Parquet, or a name: digits, faces."""
    network: str | None = None
    """Network to train from scratch, by name; see `cutaway networks`."""
    backbone: str | None = None
    """Trained network to build on: a name (its published weights), a run, or any model file Cutaway opens."""
    mode: str | None = None
    """scratch; frozen: only a new head learns; finetune: head first, then everything. Default: by what was given."""
    out: str | None = None
    """Folder for the run; default runs/NAME-1, NAME-2, ..."""
    epochs: int | None = None
    """Passes over the training pictures."""
    batch_size: int | None = None
    """Pictures per step."""
    lr: float | None = None
    """Highest learning rate of the one-cycle schedule."""
    optimizer: str | None = None
    """muon (kernels; the rest by AdamW), adamw or sgd."""
    weight_decay: float | None = None
    """Pull of every weight towards 0 per step, as a share of the learning rate."""
    label_smoothing: float | None = None
    """Share of each target spread over all classes."""
    dropout: float | None = None
    """Share of features dropped at random while training."""
    hidden: int | None = None
    """Units of a hidden layer in a new head; 0: none."""
    augment: str = "auto"
    """none, light, medium, strong; auto: the fewer pictures, the stronger."""
    flip: bool | None = None
    """Mirror pictures left-right when augmenting; default: unless class names look like digits, letters or sides."""
    patience: int | None = None
    """Epochs without a lower validation loss before stopping."""
    precision: str = "auto"
    """float32, bfloat16, or auto: bfloat16 where the processor has it."""
    compile: str = "auto"
    """on, off, or auto: torch.compile on a GPU for long runs, where it earns back its half minute."""
    size: int | None = None
    """Input side in pixels, for networks that allow it."""
    val: float = 0.15
    """Share of the pictures that picks the best epoch, where the data has no validation fold."""
    test: float = 0.15
    """Share of the pictures that is looked at once, at the end, where the data has no test fold."""
    exclude: str | None = None
    """quarantine.csv of `cutaway check`: the pictures it excludes are left out."""
    seed: int = 0
    """Starting point of every random choice."""
    threads: int | None = None
    """Processor threads; default: as many as train fastest now. The same number gives the same weights again."""
    preview: bool = False
    """Only write a picture of augmented samples (preview.png) and stop before training."""

    def __post_init__(self) -> None:
        from cutaway.errors import BadInput, must_be

        if self.network and self.backbone:
            raise BadInput(
                f"--network {self.network} trains from scratch and --backbone {self.backbone} builds on a trained one; "
                "give one of the two."
            )
        for name in ("val", "test"):
            if not 0 < getattr(self, name) <= 0.5:
                raise must_be(name, "above 0 and at most 0.5", getattr(self, name))
        if self.threads is not None and self.threads < 1:
            raise must_be("threads", "at least 1", self.threads)
        if self.size is not None and not 8 <= self.size <= 2048:
            raise must_be("size", "between 8 and 2048", self.size)


def _run(options: TrainOptions) -> Generator[Event, None, Run]:
    from cutaway.verbs.training_run import start

    return (yield from start(options))


train = Verb("train", TrainOptions, _run)


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """Continue a run that was stopped or killed; it ends with the weights it would have had."""

    run: str
    """Run folder, its name under runs/, or last."""


def _resume(options: ResumeOptions) -> Generator[Event, None, Run]:
    from cutaway.verbs.training_run import resume_run

    return (yield from resume_run(Path(options.run)))


resume = Verb("resume", ResumeOptions, _resume)
