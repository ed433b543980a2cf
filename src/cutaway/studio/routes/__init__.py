"""The studio's addresses: one file for each page or concern, each with its `router`."""

from __future__ import annotations

from fastapi import APIRouter

from cutaway.studio import live
from cutaway.studio.routes import (
    choices,
    compare,
    explain,
    files,
    home,
    jobs,
    layer,
    learn,
    machine,
    operate,
    photos,
    runs,
    unfold,
    verbs,
)
from cutaway.studio.routes import map as maps

ROUTERS: tuple[APIRouter, ...] = (
    live.router,
    home.router,
    files.router,
    jobs.router,
    machine.router,
    unfold.router,
    learn.router,
    explain.router,
    layer.router,
    choices.router,
    compare.router,
    photos.router,
    maps.router,
    runs.router,
    operate.router,
    verbs.router,
)
