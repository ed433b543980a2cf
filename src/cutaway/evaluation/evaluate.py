"""Model and labelled pictures -> logits, and what they say about it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from cutaway.events import Progress
from cutaway.model import Model
from cutaway.reports import Measured
from cutaway.reports.metrics import measure

BATCH = 32
Rows = Callable[[NDArray[np.int64]], NDArray[np.uint8]]


def answers(
    model: Model, rows: Rows, at: NDArray[np.int64], task: str = "answer"
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Model, reader of fitted pictures and their positions -> float32 logits (N, K), temperature not applied."""
    logits = np.empty((len(at), len(model.classes)), np.float32)
    for start in range(0, len(at), BATCH):
        part = slice(start, start + BATCH)
        logits[part] = model.logits(rows(at[part])).numpy()
        yield Progress(task, min(start + BATCH, len(at)), len(at), "pictures")
    return logits


def measured(
    fold: str, model: Model, names: Sequence[str], labels: NDArray[np.int64], logits: NDArray[np.float32]
) -> Measured:
    """Logits of one fold -> accuracy with interval, per class, confusion, calibration at the model's temperature."""
    return measure(fold, names, labels, logits, model.classes, temperature=model.temperature)
