"""Why an answer: the page Explain, with its maps, what a unit looks for, and which methods can be believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Generator
from typing import Any

from fastapi import APIRouter, Request, Response

from cutaway.errors import BadInput
from cutaway.events import Event
from cutaway.studio import explaining, units
from cutaway.studio.desk import Desk
from cutaway.studio.given import TheDesk
from cutaway.studio.outcome import job_folder
from cutaway.studio.routes.jobs import card, options_of
from cutaway.studio.schemas.about import About
from cutaway.studio.schemas.explain import (
    ExplainCard,
    ExplainRequest,
    MethodMap,
    MethodMapRequest,
    MethodMapsRequest,
    TrustRequest,
    UnitRequest,
)
from cutaway.studio.schemas.jobs import JobCard, VerbJob
from cutaway.verbs import verb

router = APIRouter(prefix="/api/explain")


@router.post("")
async def explain_card(desk: TheDesk, asked: ExplainRequest) -> ExplainCard:
    """-> what can be asked about the picture: its classes, methods with their settings, layers."""
    return await desk.compute(explaining.card, desk, asked)


@router.post("/map")
async def explain_map(desk: TheDesk, asked: MethodMapRequest) -> MethodMap:
    """One method's map and what was measured of it so far. Instant methods are run, others must have been by a job."""
    return await desk.compute(explaining.map_told, desk, asked)


@router.post("/maps")
async def explain_maps(request: Request, desk: TheDesk, asked: MethodMapsRequest) -> JobCard:
    """-> the job that makes and measures maps, one method after the other; what is done stays when it is stopped."""
    await desk.compute(lambda: explaining.why_of(explaining.one_picture(desk, asked), asked))
    return card(request.app.state.jobs.start("explain", lambda: explaining.maps(desk, asked)))


@router.post("/unit")
async def explain_unit(request: Request, desk: TheDesk, asked: UnitRequest) -> JobCard:
    """-> the job that searches the data for what excites a unit, and makes a picture that does."""
    units.options_of(asked)
    await desk.compute(desk.model, asked)
    return card(request.app.state.jobs.start("neuron", lambda: units.units(desk, asked)))


@router.get("/pictures/{name}", response_class=Response)
async def unit_picture(request: Request, name: str) -> Response:
    """A picture that a unit's job told of -> PNG."""
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(units.picture(request.app.state.desk, name), media_type="image/png", headers=headers)


@router.post("/trust")
async def explain_trust(request: Request, desk: TheDesk, asked: TrustRequest) -> JobCard:
    """-> the job that finds out which methods can be believed on this data; asked again, it goes on where it stood."""
    if not asked.data:
        raise BadInput("Name the photos to measure on: a folder, an archive, a table or a name.")
    options = {"data": asked.data, "method": list(asked.methods), "target": asked.target, "most": asked.most}
    folder = job_folder(_same(asked))
    about = About(model=asked.model, edits=asked.edits)
    job = VerbJob(verb="trust", options={**options, "out": str(folder / "trust.json")}, about=about)
    await desk.compute(options_of, desk, job, make=False)
    return card(request.app.state.jobs.start("trust", lambda: _trusted(desk, job)))


def _trusted(desk: Desk, job: VerbJob) -> Generator[Event, None, dict[str, Any]]:
    """-> TrustResult.to_dict() with the methods' titles, and the columns that the verb's own chart has."""
    from cutaway.verbs.trust_run import COLUMNS

    result = yield from verb("trust").run(options_of(desk, job, make=True))
    columns = [{"name": name, **dataclasses.asdict(column)} for name, column in COLUMNS.items()]
    return {**result.to_dict(), "titles": {row.name: row.title for row in result.rows}, "columns": columns}


def _same(asked: TrustRequest) -> str:
    """The same question -> the same name, where what was measured of it so far lies."""
    text = json.dumps(asked.model_dump(exclude={"picture", "shift"}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
