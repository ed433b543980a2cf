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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import ROOT

LIMIT_S = 3600.0
MEASURER = """
import json, os, sys, time
begun = time.perf_counter()
pid = os.fork()
if not pid:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(pid, 0)
with open(int(sys.argv[1]), "w") as told:
    json.dump([time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss], told)
code = os.waitstatus_to_exitcode(status)
os.kill(os.getpid(), -code) if code < 0 else os._exit(code)
"""
"""What starts and measures the command. Linux counts into the peak memory of a process what its parent held when it was
started (after 800 MB of arrays, `python -c pass` "took" 793), so the parent has to be a small one."""


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
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [sys.executable, "-IS", "-c", MEASURER, str(told.fileno()), *words],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=[told.fileno()],
            start_new_session=True,
        )
        watch = threading.Timer(limit_s, _end, [process])
        watch.start()
        try:
            process.wait()
        except BaseException:
            _end(process)
            process.wait()
            raise
        finally:
            watch.cancel()
        if process.returncode:
            raise Failed(
                f"{' '.join(words)} ended with {process.returncode}:\n{_read(err)[-2000:] or _read(out)[-2000:]}"
            )
        wall_s, cpu_s, peak = json.loads(_read(told))
        return Ran(wall_s, cpu_s, peak / (2**20 if sys.platform == "darwin" else 1024), _read(out))


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
