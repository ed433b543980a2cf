"""read_many: one function over many files in worker processes, where a bad file costs one row and not the batch.

A file can kill the process that decodes it, eat its memory or keep it busy for ever; so each worker is a process of its
own with a memory limit and an alarm clock, answers job by job, and when it dies the job it had not answered is the one
to blame. Jobs go out in chunks, so 50,000 small files do not wait for 50,000 round trips.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from cutaway.errors import BadInput, BadPicture, must_be
from cutaway.image.worker import Failed, Ready, Refused, Result, Setup, attempt

Job = TypeVar("Job")
Value = TypeVar("Value")

LONGEST_CHUNK = 16
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from cutaway.image.worker import serve; serve(int(sys.argv[2]))"
)


def read_many(
    jobs: Sequence[Job],
    work: Callable[[Job], Value],
    *,
    workers: int,
    memory_mb: int = 2048,
    seconds: float = 30.0,
    name: Callable[[Job], str] = str,
) -> Iterator[tuple[int, Value | BadPicture]]:
    """Jobs, function -> (index of the job, its result or its BadPicture), once for each job, in the order they finish.

    `workers` processes share the jobs; 0 runs them here, in order, without limits. `memory_mb`: mebibytes of address
    space one worker may take beyond what it holds at its start. `seconds`: wall time one job may last. A job that ends
    its worker is `crashed`, one over its time `timeout`, one out of memory `memory`, one whose function raises anything
    but BadPicture `crashed` with the traceback as a note; the rest goes on. `name` says what a job is called there.
    `work` must be importable (no lambda, nothing from `__main__`), jobs and results picklable. The iterator's end, its
    close() and Ctrl-C end the workers.
    Raises BadInput where a limit is out of range or the workers cannot import `work`.
    """
    if workers < 0:
        raise must_be("workers", "0 (this process) or more", workers)
    if memory_mb < 1 or seconds <= 0:
        raise must_be("memory_mb and seconds", "above 0", (memory_mb, seconds))
    if workers == 0 or os.name != "posix":  # elsewhere there is no alarm clock and no memory limit to give a worker
        return ((index, _value(attempt(work, job), name(job))) for index, job in enumerate(jobs))
    return _Pool(jobs, Setup(work, memory_mb, seconds), workers, name).run()


class _Pool:
    """The workers of one call, what each has to do, and the chunks nobody has yet."""

    def __init__(self, jobs: Sequence[Any], setup: Setup, workers: int, name: Callable[[Any], str]) -> None:
        self.jobs, self.setup, self.workers, self.name = jobs, setup, workers, name
        step = max(1, min(LONGEST_CHUNK, len(jobs) // (4 * workers)))
        self.chunks: deque[Sequence[int]] = deque(
            range(start, min(start + step, len(jobs))) for start in range(0, len(jobs), step)
        )
        self.team: list[_Worker] = []

    def run(self) -> Iterator[tuple[int, Any]]:
        try:
            while self._staffed():
                lines = {worker.line: worker for worker in self.team}
                for line in wait(list(lines)):
                    yield from self._heard(lines[line])  # type: ignore[index]
        finally:
            for worker in self.team:
                worker.end(patience=0)

    def _staffed(self) -> bool:
        """Hires while there are more chunks than workers on their way to one; False once all is done."""
        coming = sum(not worker.ready for worker in self.team)
        while len(self.team) < self.workers and coming < len(self.chunks):
            self.team.append(_hired(self.setup))
            coming += 1
        return bool(self.team)

    def _heard(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        """One message of a worker, or its death -> the rows that follow from it."""
        try:
            message = worker.line.recv()
        except (EOFError, ConnectionError):
            yield from self._buried(worker)
            return
        except Exception as error:  # a result of a class that takes itself apart and cannot be put together here
            message = Failed(None, "crashed", f"its result cannot be read back: {error}", "")
        if isinstance(message, Refused):
            raise _unusable(self.setup.work, message.why)
        worker.ready = True
        if not isinstance(message, Ready):
            index = worker.todo.popleft()
            yield index, _value(message, self.name(self.jobs[index]))
        if not worker.todo:
            self._give_or_dismiss(worker)

    def _give_or_dismiss(self, worker: _Worker) -> None:
        if not self.chunks:
            self.team.remove(worker)
            worker.end(patience=1)
            return
        worker.todo.extend(self.chunks.popleft())
        try:
            worker.line.send([self.jobs[index] for index in worker.todo])
        except ConnectionError:
            pass  # it died while idle; its end of the line will say so
        except Exception as error:
            raise _unusable(self.setup.work, f"a job cannot be sent: {error}") from None

    def _buried(self, worker: _Worker) -> Iterator[tuple[int, BadPicture]]:
        """A dead worker -> the row of the job it had not answered; what it had not begun goes back to the front."""
        self.team.remove(worker)
        status = worker.end(patience=10)  # its line closes a moment before its status is known
        if not worker.ready:
            raise _unusable(self.setup.work, f"it ended with status {status} before its first job")
        if worker.todo:
            culprit = worker.todo.popleft()
            if worker.todo:
                self.chunks.appendleft(tuple(worker.todo))
            yield culprit, _verdict(status, self.name(self.jobs[culprit]), self.setup.seconds)


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    line: Connection
    ready: bool = False
    todo: deque[int] = field(default_factory=deque)
    """Indices of jobs sent and not answered; the first is the one it works on."""

    def end(self, patience: float) -> int:
        """Hangs up, kills it if it is not gone after `patience` seconds -> its status, negative for a signal."""
        self.line.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(timeout=patience)
        self.process.kill()
        return self.process.wait()


def _hired(setup: Setup) -> _Worker:
    """A new process, its own group so that the terminal's Ctrl-C reaches the parent alone, with one thread for BLAS."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps([str(p) for p in sys.path]), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    worker = _Worker(process, Connection(ours.detach()))
    try:
        worker.line.send(setup)
    except ConnectionError:
        pass  # it could not start; its end of the line will say so
    except Exception as error:
        worker.end(patience=0)
        raise _unusable(setup.work, str(error)) from None
    return worker


def _value(answer: Any, name: str) -> Any:
    """What a worker sent -> the value, or the BadPicture that stands for it, with the worker's traceback as a note."""
    if isinstance(answer, Result):
        return answer.value
    assert isinstance(answer, Failed)
    bad = answer.error or BadPicture(name, answer.code, answer.detail)
    if answer.trace:
        bad.add_note(answer.trace)
    return bad


def _verdict(status: int, name: str, seconds: float) -> BadPicture:
    if status == -signal.SIGALRM:
        return BadPicture(name, "timeout", f"it took more than {seconds:g} s and was given up")
    if status < 0:
        why = "; the system does that when memory runs out" if status == -signal.SIGKILL else ""
        return BadPicture(name, "crashed", f"it ended its worker process by {signal.Signals(-status).name}{why}")
    return BadPicture(name, "crashed", f"it ended its worker process with status {status}")


def _unusable(work: Callable[[Any], Any], why: str) -> BadInput:
    what = f"{getattr(work, '__module__', '?')}.{getattr(work, '__qualname__', work)}"
    return BadInput(
        f"A worker process cannot run {what} ({why}): put it at the top level of a module, allow more memory, "
        "or use workers=0."
    )
