"""Epoch after epoch -> metrics.jsonl (one JSON line each, diffable) and TensorBoard event files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from cutaway.errors import BadInput
from cutaway.reports import EpochRow

_SCALARS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr")


class MetricsLog:
    """Writes RUN/metrics.jsonl and RUN/tensorboard anew: a resumed run tells the epochs of its checkpoint first."""

    def __init__(self, folder: Path, keep: tuple[EpochRow, ...] = ()) -> None:
        self._file = folder / "metrics.jsonl"
        self._write("w", "".join(_line(row) for row in keep))
        self._board = _Board(folder / "tensorboard")
        for row in keep:
            self._board.add(row)

    def add(self, row: EpochRow) -> None:
        """One epoch -> a line and five scalars, on disk when this returns. Raises BadInput where the disk is full."""
        self._write("a", _line(row))
        self._board.add(row)

    def close(self) -> None:
        self._board.close()

    def _write(self, mode: str, text: str) -> None:
        try:
            with self._file.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise BadInput(
                f"{self._file} could not be written ({error.strerror}); free some space, then: "
                f"cutaway resume {self._file.parent}."
            ) from None


class _Board:
    """Event files for TensorBoard, written by tensorboardX's own writer but in this thread.

    Its SummaryWriter hands events to a thread: when the disk is full that one dies, and the run waits for it for ever.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._writer: Any = None
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
        start = SessionLog(status=SessionLog.SessionStatus.Value("START"))
        self._add([Event(session_log=start, step=0)])  # what an earlier file says from step 0 on is outdated

    def add(self, row: EpochRow) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        self._add([Event(summary=scalar(name, getattr(row, name)), step=row.epoch) for name in _SCALARS])

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()

    def _add(self, events: list[Any]) -> None:
        """A board that cannot be written costs its curves, not the run: metrics.jsonl has them too."""
        if self._writer is None:
            return
        try:
            for event in events:
                event.wall_time = time.time()
                self._writer.write_event(event)
            self._writer.flush()
        except OSError:
            self.close()


def read_metrics(folder: Path) -> tuple[EpochRow, ...]:
    """Run folder -> its epochs; a last line cut short by a kill is left out."""
    rows = []
    file = folder / "metrics.jsonl"
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else ():
        try:
            rows.append(EpochRow(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            break
    return tuple(rows)


def _line(row: EpochRow) -> str:
    return json.dumps(dataclasses.asdict(row)) + "\n"
