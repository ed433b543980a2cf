"""Epoch after epoch -> metrics.jsonl (one JSON line each, diffable) and TensorBoard event files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from cutaway.reports import EpochRow


class MetricsLog:
    """Appends to RUN/metrics.jsonl and RUN/tensorboard; on resume drops lines after the checkpoint's epoch."""

    def __init__(self, folder: Path, keep: tuple[EpochRow, ...] = ()) -> None:
        from tensorboardX import SummaryWriter

        self._file = folder / "metrics.jsonl"
        self._file.write_text("".join(_line(row) for row in keep), encoding="utf-8")
        self._board: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=len(keep))

    def add(self, row: EpochRow) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr"):
            self._board.add_scalar(name, getattr(row, name), row.epoch)
        self._board.flush()

    def close(self) -> None:
        self._board.close()


def read_metrics(folder: Path) -> tuple[EpochRow, ...]:
    """Run folder -> its epochs; a last line cut short by a kill is left out."""
    rows = []
    file = folder / "metrics.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            rows.append(EpochRow(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            break
    return tuple(rows)


def _line(row: EpochRow) -> str:
    return json.dumps(dataclasses.asdict(row)) + "\n"
