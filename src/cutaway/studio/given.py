"""What a handler works with, given to it by FastAPI: the server's desk and its jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from cutaway.studio.desk import Desk
from cutaway.studio.jobs import Jobs


async def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


async def _jobs(request: Request) -> Jobs:
    found: Jobs = request.app.state.jobs
    return found


TheDesk = Annotated[Desk, Depends(_desk)]
TheJobs = Annotated[Jobs, Depends(_jobs)]
