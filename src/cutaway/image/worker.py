"""The other end of `pool.read_many`: a process that applies one function to jobs until its parent hangs up.

Started with `python -c` and not by multiprocessing, because that would run the caller's main script again in each
worker: a script that imports torch would cost seconds and a gigabyte per worker, one without a `__main__` guard would
not start. Messages in: Setup, then lists of jobs. Messages out: Ready or Refused, then a Result or Failed for each job,
in order.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from cutaway.errors import BadPicture, PictureCode


@dataclass(frozen=True, slots=True)
class Setup:
    """The function, the mebibytes a worker may take beyond what it holds at its start, the seconds one job may last."""

    work: Callable[[Any], Any]
    memory_mb: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has imported the function and waits for jobs."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker could not even read what it was sent (a function or a job it cannot import)."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The function raised `error`, or what `code` and `detail` say; `trace` where it should not have raised that."""

    error: BadPicture | None
    code: PictureCode
    detail: str
    trace: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the function returned."""

    value: Any


def serve(handle: int) -> None:
    """File descriptor of the parent's socket -> nothing; ends when the parent closes its end."""
    parent: Connection = Connection(handle)
    setup = _received(parent)
    if not isinstance(setup, Setup):
        return
    _hush()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a parent that ignores or blocks it hands that down
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    _limit_memory(setup.memory_mb)
    parent.send(Ready())
    while isinstance(jobs := _received(parent), list):
        for job in jobs:
            _alarm(setup.seconds)
            answer = attempt(setup.work, job)
            _alarm(0)
            _send(parent, answer)


def attempt(work: Callable[[Any], Any], job: Any) -> Result | Failed:
    """Function, job -> its Result, or Failed for any exception; only the end of the process gets past it."""
    try:
        return Result(work(job))
    except BadPicture as error:
        return Failed(error, error.code, error.detail, "")
    except MemoryError:
        return Failed(None, "memory", "it needs more memory than a worker process may use", "")
    except Exception as error:
        return Failed(None, "crashed", f"{type(error).__name__}: {error}", traceback.format_exc())


def _received(parent: Connection) -> Any:
    """Next message, or None where the parent has hung up or sent what this process cannot import."""
    try:
        return parent.recv()
    except (EOFError, ConnectionError):
        return None
    except Exception as error:
        parent.send(Refused(f"{type(error).__name__}: {error}"))
        return None


def _send(parent: Connection, answer: Result | Failed) -> None:
    try:
        parent.send(answer)
    except ConnectionError:  # the parent is gone
        sys.exit(0)
    except MemoryError:
        parent.send(Failed(None, "memory", "its result needs more memory than a worker process may use", ""))
    except Exception as error:
        parent.send(Failed(None, "crashed", f"its result cannot be handed over: {error}", traceback.format_exc()))


def _hush() -> None:
    """What C libraries print about damaged files (libtiff does) is no use to anyone who reads 50,000 of them."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def _alarm(seconds: float) -> None:
    """The system ends this process by SIGALRM after so many seconds, even inside a C library; 0 calls that off."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory(more_mb: int) -> None:
    import resource

    held = 0
    if os.path.exists("/proc/self/statm"):  # noqa: PTH110  (pathlib is not imported here)
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            held = int(file.read().split()[0]) * resource.getpagesize()
    most = held + more_mb * 2**20
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
