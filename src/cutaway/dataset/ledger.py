"""The sealed test fold: every look at it is a line in a file, and every report says how many there were."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO


def look(ledger_file: Path, fold_fingerprint: str, who: str) -> int:
    """Ledger (JSON lines, made when missing), fingerprint of the test fold, who looks -> how many looks, this included.

    The line is on disk before the number is returned; processes that look at once are counted one after the other.
    """
    line = {"fold": fold_fingerprint, "who": who, "when": datetime.now(UTC).isoformat(timespec="seconds")}
    ledger_file.parent.mkdir(parents=True, exist_ok=True)
    with ledger_file.open("a+b") as file, _locked(file):
        before = _read(file)
        torn = b"" if not before or before.endswith(b"\n") else b"\n"  # a killed writer left half a line
        file.write(torn + json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return _count(before, fold_fingerprint) + 1


def looks(ledger_file: Path, fold_fingerprint: str) -> int:
    """Ledger, fingerprint of a test fold -> how often it has been looked at; 0 where there is no ledger."""
    try:
        return _count(ledger_file.read_bytes(), fold_fingerprint)
    except FileNotFoundError:
        return 0


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _count(lines: bytes, fold_fingerprint: str) -> int:
    found = 0
    for line in lines.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        found += isinstance(entry, dict) and entry.get("fold") == fold_fingerprint
    return found


@contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    """The file is this process's alone meanwhile; the lock ends with the process, however it ends."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
