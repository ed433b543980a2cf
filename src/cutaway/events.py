"""What a long verb tells while it works: the command line draws it, the studio streams it, Python iterates over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Result = TypeVar("Result", covariant=True)


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence worth reading now (what was chosen and why, what was skipped)."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` `unit`s of `task` are finished; `total` is None while it is unknown."""

    task: str
    done: int
    total: int | None
    unit: str = "items"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One finished pass over the training fold; losses are mean cross-entropy in nats, accuracies lie in [0, 1]."""

    number: int
    of: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    best: bool
    phase: str = "train"


@dataclass(frozen=True, slots=True)
class Found:
    """Something about the data a person should look at: kind (see dataset.check), sentence, the files it is about."""

    kind: str
    text: str
    names: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """The verb has ended; `result` is what calling it from Python returns."""

    result: Result


Event = Note | Progress | Epoch | Found
