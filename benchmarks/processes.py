"""A command -> what it took and what it printed: each side of a comparison is a process of its own.

Two frameworks in one process would share threads and memory; one after the other in processes of their own they meet
the same machine. A stopped benchmark takes its process with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import ROOT

LIMIT_S = 3600.0


class Failed(Exception):
    """A side of a comparison ended badly: its command, exit code and last words."""


@dataclass(frozen=True, slots=True)
class Ran:
    """Wall seconds; processor seconds (user, system) of it and its children; MiB of the largest of them; its output."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    out: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object it printed: all of the output, or its last line."""
        try:
            found = json.loads(self.out)
        except ValueError:
            found = json.loads(self.out.strip().splitlines()[-1])
        assert isinstance(found, dict)
        return found


def ran(command: Sequence[str | Path], env: Mapping[str, str] | None = None, limit_s: float = LIMIT_S) -> Ran:
    """Command, variables to add to the environment -> what it took. Raises Failed where it does not end with 0."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.perf_counter()
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        watch = threading.Timer(limit_s, _end, [process])
        watch.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            _end(process)
            process.wait()
            raise
        finally:
            watch.cancel()
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(
                f"{' '.join(words)} ended with {process.returncode}:\n{_read(err)[-2000:] or _read(out)[-2000:]}"
            )
        peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
        return Ran(wall, used.ru_utime + used.ru_stime, peak, _read(out))


def program(name: str, **options: object) -> list[str | Path]:
    """benchmarks/programs/NAME.py with --option value for each option that is not None -> the command."""
    words: list[str | Path] = [sys.executable, "-m", f"benchmarks.programs.{name}"]
    return [*words, *flags(**options)]


def flags(**options: object) -> list[str]:
    return [word for key, value in options.items() if value is not None for word in (f"--{key}", str(value))]


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode("utf-8", "replace")
    return text
