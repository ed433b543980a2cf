"""Model and labelled pictures -> logits, and what they say about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from cutaway.engine.fast import BATCH, fast_twin
from cutaway.errors import BadModel
from cutaway.events import Progress
from cutaway.model import Model
from cutaway.reports import Measured
from cutaway.reports.metrics import measure

Rows = Callable[[NDArray[np.int64]], NDArray[np.uint8]]


def answers(
    model: Model, rows: Rows, at: NDArray[np.int64], task: str = "answer"
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Model, reader of fitted pictures and their positions -> float32 logits (N, K), temperature not applied.

    Through engine.fast's twin: equal to Model.logits within rounding. Raises BadModel where the model has not as many
    outputs as class names.
    """
    model = dataclasses.replace(model, graph=fast_twin(model.graph))
    logits = np.empty((len(at), len(model.classes)), np.float32)
    for start in range(0, len(at), BATCH):
        part = slice(start, start + BATCH)
        answer = model.logits(rows(at[part])).numpy()
        if answer.shape[1:] != logits.shape[1:]:
            raise BadModel(
                f"The model gives {answer.shape[1]} numbers for each picture and has {len(model.classes)} class names; "
                "it needs one name for each number."
            )
        logits[part] = answer
        yield Progress(task, min(start + BATCH, len(at)), len(at), "pictures")
    return logits


def measured(
    fold: str, model: Model, names: Sequence[str], labels: NDArray[np.int64], logits: NDArray[np.float32]
) -> Measured:
    """Logits of one fold -> accuracy with interval, per class, confusion, calibration at the model's temperature."""
    return measure(fold, names, labels, logits, model.classes, temperature=model.temperature)
