"""Long work over HTTP: start it, follow it, stop it, fetch what it wrote."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import TypeAdapter, ValidationError

from cutaway.errors import BadInput, one_line
from cutaway.events import Event
from cutaway.options import fields_of
from cutaway.studio.desk import Desk
from cutaway.studio.given import TheDesk, TheJobs
from cutaway.studio.jobs import Job, Jobs, follow
from cutaway.studio.outcome import job_folder, written
from cutaway.studio.schemas.jobs import JobCard, VerbJob
from cutaway.studio.uploads import path_of
from cutaway.verbs import VERBS, verb

router = APIRouter(prefix="/api/jobs")

# Verbs that write a picture, a page or a table beside their answer, and its ending: here into the job's own folder.
_WRITES = {
    "watch": ".png", "filters": ".png", "silent": ".png", "animate": ".gif", "rank": ".npz", "shift": ".png",
    "effect": ".png", "explain": ".png", "vary": ".png", "trust": ".json", "map": ".html", "separability": ".png",
    "neuron": ".png", "heal": ".safetensors",
}  # fmt: skip
_EXPORTS = {"onnx": ".onnx", "pt2": ".pt2", "safetensors": ".safetensors"}


@router.post("")
async def start(desk: TheDesk, jobs: TheJobs, asked: VerbJob) -> JobCard:
    """A verb and its options -> the job that runs it. Refused here and now where an option cannot be."""
    if asked.verb not in VERBS:
        raise BadInput(f"There is no verb {one_line(asked.verb, 40)!r}; there are {', '.join(VERBS)}.")
    ending = _EXPORTS.get(str(asked.options.get("to", "onnx"))) if asked.verb == "export" else _WRITES.get(asked.verb)
    if ending and not asked.options.get("out"):
        name = desk.title(asked.about.model) if asked.verb in ("export", "heal") and asked.about else asked.verb
        asked.options["out"] = str(job_folder() / f"{name}{'-healed' if asked.verb == 'heal' else ''}{ending}")
    await desk.compute(options_of, desk, asked, make=False)
    return card(jobs.start(asked.verb, lambda: _work(desk, asked)))


def _work(desk: Desk, asked: VerbJob) -> Generator[Event, None, Any]:
    return (yield from verb(asked.verb).run(options_of(desk, asked, make=True)))


def options_of(desk: Desk, asked: VerbJob, *, make: bool) -> Any:
    """What the page asks for -> the verb's options, addresses of dropped files as paths. `make`: an edited model is
    written to a file first, as verbs open files. Raises BadInput for an option that is not there or not of its type."""
    cls: Any = verb(asked.verb).options
    given = {name: _located(value) for name, value in asked.options.items()}
    if asked.about is not None:
        given["model"] = desk.file_of(asked.about) if make else asked.about.model
    known = [f.name for f in fields_of(cls)]
    if unknown := [name for name in given if name not in known]:
        raise BadInput(f"{asked.verb} has no option {one_line(unknown[0], 40)!r}; it has {', '.join(known)}.")
    try:
        return TypeAdapter(cls).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or asked.verb
        raise BadInput(f"{where}: {one_line(first['msg'])} (got {str(first.get('input'))[:60]!r}).") from None


def _located(value: Any) -> Any:
    if isinstance(value, str):
        return path_of(value)
    return tuple(map(_located, value)) if isinstance(value, list) else value


@router.get("")
async def listed(jobs: TheJobs) -> list[JobCard]:
    """-> all jobs of this start, in the order they were asked for."""
    return [card(job) for job in jobs.all()]


@router.get("/{id_}")
async def one(request: Request, id_: str) -> JobCard:
    return card(found(request, id_))


@router.delete("/{id_}")
async def stop(request: Request, id_: str) -> JobCard:
    """Stops the job at its next step; what it has done is kept."""
    job = found(request, id_)
    job.stop.set()
    return card(job)


@router.get("/{id_}/events")
async def events(request: Request, id_: str, last_event_id: Annotated[str, Header()] = "-1") -> StreamingResponse:
    """Server-sent events: every message of the job, from the one after Last-Event-ID on, to its end."""
    job = found(request, id_)
    after = int(last_event_id) if last_event_id.lstrip("-").isdigit() else -1

    async def lines() -> AsyncIterator[str]:
        async for message in follow(job, after):
            yield f"id: {message['n']}\ndata: {json.dumps(message, ensure_ascii=False)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/{id_}/files/{name}")
async def file(request: Request, id_: str, name: str) -> FileResponse:
    """A file that the job wrote, by its name."""
    there = {path.name: path for path in _files(found(request, id_))}
    if name not in there or not there[name].is_file():
        raise BadInput(f"The job wrote no file {one_line(name, 80)!r}.")
    return FileResponse(there[name])


def found(request: Request, id_: str) -> Job:
    jobs: Jobs = request.app.state.jobs
    job = jobs.get(id_)
    if job is None:
        raise BadInput("There is no such job any more: the studio was started anew since; begin it again.")
    return job


def card(job: Job) -> JobCard:
    last = job.messages[-1]["n"] if job.messages else -1
    names = tuple(path.name for path in _files(job))
    return JobCard(id=job.id, what=job.what, state=job.state, last=last, files=names, result=job.result, told=job.told)


def _files(job: Job) -> tuple[Path, ...]:
    return written(job.result) if job.state == "done" else ()
