"""The studio's application: routes behind the guard, the built page, errors told in one sentence."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from cutaway import __version__
from cutaway.errors import CutawayError, one_line
from cutaway.studio.desk import Desk, Start
from cutaway.studio.jobs import Jobs
from cutaway.studio.routes import ROUTERS
from cutaway.studio.schemas.about import Told
from cutaway.studio.security import Guard
from cutaway.studio.told import told

_log = logging.getLogger("cutaway.studio")
_NO_PAGE = (
    "The studio's page is not built into this installation. Install Cutaway again with the network up "
    "(pip install --force-reinstall --no-deps, or `make demo` in a checkout), or install a released wheel.\n"
)


def static_folder() -> Path:
    """() -> where the built page lies; $CUTAWAY_STATIC names another place while one works on it."""
    given = os.environ.get("CUTAWAY_STATIC")
    return Path(given) if given else Path(__file__).parent / "static"


def create(start: Start | None = None, folder: Path | None = None) -> FastAPI:
    """What the studio begins with, the folder it works in -> the application, without its lock (see `locked`)."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.jobs.close()
        app.state.desk.close()

    app = FastAPI(
        title="Cutaway studio", version=__version__, lifespan=life, docs_url=None, redoc_url=None, openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.desk = Desk(start, folder)
    app.state.jobs = Jobs()
    for router in ROUTERS:
        app.include_router(router, responses={400: {"model": Told}})
    app.add_exception_handler(CutawayError, _refused)
    app.add_exception_handler(RequestValidationError, _misasked)
    app.add_exception_handler(HTTPException, _no_such)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _fault)
    app.add_api_route("/{path:path}", _page, include_in_schema=False)
    return app


def locked(app: FastAPI, token: str) -> ASGIApp:
    """Application, this start's token -> the same behind the three locks of `security`."""
    return Guard(app, token)


async def _page(path: str) -> Response:
    """A file of the built page; any other address is the page itself. Names with a digest in them may be kept."""
    home = static_folder().resolve()
    if path.startswith("api/"):
        return JSONResponse(Told(kind="missing", message="There is no such address.").model_dump(), 404)
    if not (home / "index.html").is_file():
        return Response(_NO_PAGE, 503, media_type="text/plain")
    file = _inside(home, path)
    if file is None:
        return FileResponse(home / "index.html", headers={"Cache-Control": "no-store"})
    kept = path.startswith("assets/")
    return FileResponse(file, headers={"Cache-Control": "private, max-age=31536000, immutable" if kept else "no-cache"})


def _inside(home: Path, path: str) -> Path | None:
    """Folder of the page, a path out of an address -> the file there; None for none, and for one outside of it."""
    try:
        file = (home / path).resolve()
        return file if path and file.is_file() and file.is_relative_to(home) else None
    except (OSError, ValueError):  # a name that no file can have
        return None


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CutawayError)
    return JSONResponse(told(error).model_dump(), 400)


async def _misasked(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = f"The page asked in a way the studio does not know: {where}: {one_line(str(first['msg']))}."
    return JSONResponse(Told(kind="request", message=message).model_dump(), 422)


async def _no_such(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(Told(kind="missing", message=str(error.detail)).model_dump(), error.status_code)


async def _gone(_: Request, __: Exception) -> Response:
    """The page went away in the middle of what it sent: nobody reads this answer."""
    return Response(status_code=400)


async def _fault(_: Request, error: Exception) -> JSONResponse:
    """A fault of ours: the terminal gets the traceback, the page one sentence."""
    _log.error("A request failed", exc_info=error)
    message = f"Cutaway failed at this ({type(error).__name__}); the terminal it was started in shows where."
    return JSONResponse(Told(kind="fault", message=message).model_dump(), 500)
