"""Epoch after epoch -> metrics.jsonl (one JSON line each, diffable) and TensorBoard event files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cutaway.errors import BadInput
from cutaway.reports import EpochRow

_SCALARS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr")


class MetricsLog:
    """Writes RUN/metrics.jsonl, and RUN/tensorboard anew. A resumed run tells the epochs of its checkpoint first: lines
    that say the same are left as they are, so that nothing is missing while it gets ready, or when it cannot go on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "metrics.jsonl"
        self._end = 0  # bytes of the file that hold what was told
        self._change(lambda: self._file.touch())
        self._board = _Board(folder / "tensorboard")

    def add(self, row: EpochRow) -> None:
        """One epoch -> a line and five scalars, on disk when this returns. Raises BadInput where the disk is full."""
        self._change(lambda: self._put(_line(row)))
        self._board.add(row)

    def end(self) -> None:
        """All epochs are told: lines of a stretch that was killed and ran otherwise this time are cut off."""
        self._change(lambda: os.truncate(self._file, self._end))

    def close(self) -> None:
        self._board.close()

    def _put(self, line: bytes) -> None:
        with self._file.open("r+b") as file:
            file.seek(self._end)
            if file.read(len(line)) != line:
                file.seek(self._end)
                file.write(line)
                file.truncate()
        self._end += len(line)

    def _change(self, change: Callable[[], None]) -> None:
        try:
            change()
        except OSError as error:
            raise BadInput(
                f"{self._file} could not be written ({error.strerror}); free some space, then: "
                f"cutaway resume {self._file.parent}."
            ) from None


class _Board:
    """Event files for TensorBoard, written by tensorboardX's own record writer but in this thread.

    Its SummaryWriter hands events to a thread: when the disk is full that one dies, and the run waits for it for ever.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.record_writer import RecordWriter

        self._records: Any = None
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
            self._records = RecordWriter(str(folder / name))
        start = SessionLog(status=SessionLog.SessionStatus.Value("START"))
        # The second says that what an earlier file holds from step 0 on is outdated.
        self._write([Event(file_version="brain.Event:2"), Event(session_log=start, step=0)])

    def add(self, row: EpochRow) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        self._write([Event(summary=scalar(name, getattr(row, name)), step=row.epoch) for name in _SCALARS])

    def close(self) -> None:
        records, self._records = self._records, None
        if records is not None:
            with contextlib.suppress(OSError):
                records.close()

    def _write(self, events: list[Any]) -> None:
        """A board that cannot be written costs its curves, not the run: metrics.jsonl has them too."""
        if self._records is None:
            return
        try:
            for event in events:
                event.wall_time = time.time()
                self._records.write(event.SerializeToString())
            self._records.flush()
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


def _line(row: EpochRow) -> bytes:
    return json.dumps(dataclasses.asdict(row)).encode() + b"\n"
