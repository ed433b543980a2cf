"""Report: numbers + settings + environment of one run, as plain data that JSON holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["stop", "warn", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the data: `kind` is one of dataset.check's, `names` the samples it is about.

    `pairs` holds name pairs for duplicates; `numbers` what the sentence rests on.
    """

    kind: str
    severity: Severity
    text: str
    names: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    numbers: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: precision, recall and F1 in [0, 1] (0 where undefined), recall's 95 % Wilson interval, pictures."""

    name: str
    support: int
    precision: float
    recall: float
    recall_low: float
    recall_high: float
    f1: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong answer: `confidence` is the probability given to `predicted`; `loss` is -log p(true), in nats."""

    name: str
    true: str
    predicted: str
    confidence: float
    loss: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence against accuracy: equal-width bins over [0, 1]; empty bins have count 0 and zeros.

    `ece` is the expected calibration error (Guo et al. 2017, equation 3) as shown, `ece_scaled` after dividing logits
    by `temperature`, which was fitted on the validation fold.
    """

    bin_count: tuple[int, ...]
    bin_confidence: tuple[float, ...]
    bin_accuracy: tuple[float, ...]
    ece: float
    temperature: float
    ece_scaled: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One fold seen by one model: accuracy with its 95 % Wilson interval, mean loss in nats, per class, confusion.

    `confusion[t][p]` counts samples of true class t answered p. `cells` holds, for every non-empty cell "t,p", the
    sample names in it (the worst-loss first, capped). `mistakes` are the most confidently wrong, loss descending.
    """

    fold: str
    n: int
    correct: int
    accuracy: float
    low: float
    high: float
    loss: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    cells: dict[str, tuple[str, ...]]
    mistakes: tuple[Mistake, ...]
    calibration: Calibration | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """A cheap rival measured on the same test fold: its accuracy in [0, 1] with 95 % interval, seconds to fit."""

    name: str
    accuracy: float
    low: float
    high: float
    n: int
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One line of metrics.jsonl: losses in nats, accuracies in [0, 1], wall seconds of this epoch."""

    epoch: int
    phase: str
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    best: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One rule that fired: what it means in a sentence, the numbers it rests on, the next command to try."""

    rule: str
    severity: Severity
    text: str
    numbers: dict[str, float]
    next: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one run measured.

    `counts[fold][class name]` are pictures used; `looks` is how often this test fold has been looked at, this look
    included (0: never); `environment` names versions, processor and threads; `timings` are wall seconds by stage.
    """

    title: str
    created: str
    command: str
    recipe: dict[str, str]
    network: str
    """The network as text: one line per layer with output shape and parameters."""
    network_name: str
    parameters: int
    trainable: int
    contract: str
    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    epochs: tuple[EpochRow, ...]
    val: Measured | None
    test: Measured | None
    looks: int
    baselines: tuple[Baseline, ...]
    diagnoses: tuple[Diagnosis, ...]
    environment: dict[str, str]
    timings: dict[str, float]
    peak_memory_mb: float
