"""Jobs: long work that the page starts, follows and stops. One runs at a time, beside the live view."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from cutaway.errors import CutawayError, Stopped
from cutaway.events import Epoch, Event, Found, Note, Progress
from cutaway.studio.schemas.about import Told
from cutaway.studio.told import told
from cutaway.verbs.plain import to_plain

State = Literal["waiting", "running", "done", "failed", "stopped"]
Work = Callable[[], Generator[Event, None, Any]]
KEPT = 60
ENDS = ("done", "failed", "stopped")
_NAMES = {Note: "note", Progress: "progress", Found: "found", Epoch: "epoch"}


@dataclass(eq=False)
class Job:
    """One piece of work and all it has said so far; `messages` only grows, so a page that comes back reads on."""

    id: str
    what: str
    work: Work
    state: State = "waiting"
    messages: list[dict[str, Any]] = field(default_factory=list)
    result: Any = None
    told: Told | None = None
    made: float = field(default_factory=time.time)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        return self.state in ENDS

    def say(self, kind: str, **values: Any) -> None:
        # Of one task only the latest progress is worth keeping: a page that comes back needs no history of it.
        last = self.messages[-1] if self.messages else None
        message = {"kind": kind, "at": round(time.time() - self.made, 2), **values}
        if kind == "progress" and last and last["kind"] == "progress" and last["task"] == values["task"]:
            self.messages[-1] = message | {"n": last["n"] + 1}
        else:
            self.messages.append(message | {"n": last["n"] + 1 if last else 0})


class Jobs:
    """The server's jobs. The work is a generator of events: it is stopped between two of them, as Ctrl-C would."""

    def __init__(self) -> None:
        self._lane = ThreadPoolExecutor(1, "job")
        self._jobs: dict[str, Job] = {}

    def start(self, what: str, work: Work) -> Job:
        """Name for people, generator function -> the Job; it begins when those before it have ended."""
        job = Job(secrets.token_hex(8), what, work)
        self._jobs[job.id] = job
        ended = [j for j in self._jobs.values() if j.ended]
        for old in ended[: max(0, len(self._jobs) - KEPT)]:
            del self._jobs[old.id]
        self._lane.submit(_run, job)
        return job

    def get(self, id_: str) -> Job | None:
        return self._jobs.get(id_)

    def all(self) -> tuple[Job, ...]:
        return tuple(self._jobs.values())

    def close(self) -> None:
        for job in self._jobs.values():
            job.stop.set()
        self._lane.shutdown(wait=False, cancel_futures=True)


def _run(job: Job) -> None:
    """The job's whole life, on the jobs' thread. KeyboardInterrupt is thrown into the work at its next event: verbs
    keep what is done then, as on the command line."""
    if job.stop.is_set():
        job.state = "stopped"
        job.say("stopped")
        return
    job.state = "running"
    try:
        job.result = to_plain(_through(job))
        job.state = "done"
        job.say("done", result=job.result)
    except (KeyboardInterrupt, Stopped):  # a verb that has nothing to show yet says so by Stopped
        job.state = "stopped"
        job.say("stopped")
    except CutawayError as error:
        job.told, job.state = told(error), "failed"
        job.say("failed", told=job.told.model_dump())
    except Exception as error:  # a fault of ours: the page must not wait for ever
        sentence = f"Cutaway failed at this ({type(error).__name__}); the terminal it was started in shows where."
        job.told, job.state = Told(kind="fault", message=sentence), "failed"
        job.say("failed", told=job.told.model_dump())
        raise


def _through(job: Job) -> Any:
    events = job.work()
    try:
        event = next(events)
        while True:
            job.say(_NAMES[type(event)], **_said(event))
            asked = job.stop.is_set()
            job.stop.clear()  # handed on once, as Ctrl-C is: what is done is then kept
            event = events.throw(KeyboardInterrupt()) if asked else next(events)
    except StopIteration as ended:
        return ended.value


def _said(event: Event) -> dict[str, Any]:
    """An event's fields; what a Found is about is its `about`, as `kind` is the message's own."""
    values: dict[str, Any] = to_plain(event)
    return {"about": values.pop("kind"), **values} if isinstance(event, Found) else values


async def follow(job: Job, after: int = -1, every: float = 0.05) -> AsyncIterator[dict[str, Any]]:
    """Job, number of the last message that was read -> its messages from there on, as they come, to its end."""
    while True:
        for message in [m for m in job.messages if m["n"] > after]:
            after = message["n"]
            yield message
            if message["kind"] in ENDS:
                return
        if job.messages and job.messages[-1]["kind"] in ENDS and after >= job.messages[-1]["n"]:
            return  # it was read to its end before
        await asyncio.sleep(every)
