"""Past trainings and those that go on: table, one run, its epochs as they come, its report, several side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from cutaway.errors import BadInput
from cutaway.studio.given import TheDesk
from cutaway.studio.run_comparison import compared
from cutaway.studio.run_files import all_runs, detail_of, epochs_of, line_of, run_named
from cutaway.studio.schemas.runs import RunComparison, RunDetail, RunEpochs, Runs
from cutaway.studio.security import WRITTEN_PAGE

router = APIRouter(prefix="/api")


@router.get("/runs")
async def runs(desk: TheDesk) -> Runs:
    """-> all runs here, newest first."""
    found = await run_in_threadpool(lambda: tuple(line_of(run) for run in all_runs(desk.folder)))
    return Runs(folder=str(desk.folder), runs=found)


@router.get("/runs/{name:path}/epochs", response_model=RunEpochs)
async def run_epochs(desk: TheDesk, name: str) -> Response:
    """-> the epochs so far: asked again and again while it trains, in this process or any other."""
    return _json(await run_in_threadpool(lambda: epochs_of(run_named(desk.folder, name))))


@router.get("/runs/{name:path}/report", response_class=Response)
async def run_report(desk: TheDesk, name: str) -> Response:
    """-> the run's report.html, locked in: it runs its own script and asks nothing of anyone."""
    found = run_named(desk.folder, name)
    try:
        text = found.folder.report.read_bytes()
    except OSError:
        raise BadInput(f"The run {name} has no report.html yet; finish it first.") from None
    headers = {"Content-Security-Policy": WRITTEN_PAGE, "Cache-Control": "no-cache"}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/runs/{name:path}", response_model=RunDetail)
async def one_run(desk: TheDesk, name: str) -> Response:
    """-> one run with its numbers."""
    return _json(await run_in_threadpool(lambda: detail_of(run_named(desk.folder, name))))


@router.get("/run-comparison", response_model=RunComparison)
async def run_comparison(desk: TheDesk, name: Annotated[list[str], Query(max_length=50)]) -> Response:
    """Names of two to eight runs -> them side by side."""
    return _json(
        await run_in_threadpool(lambda: compared([run_named(desk.folder, one) for one in dict.fromkeys(name)]))
    )


def _json(answer: BaseModel) -> Response:
    """A loss that is no number is null: JSON has no word for it."""
    return Response(answer.model_dump_json(), media_type="application/json")
