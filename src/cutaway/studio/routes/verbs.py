"""Verbs as forms."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from cutaway.studio.forms import form_of
from cutaway.studio.schemas.verbs import VerbForm

router = APIRouter(prefix="/api/verbs")


@router.get("/{name}")
async def verb_form(name: str) -> VerbForm:
    """-> a verb's sentence and options, as its options dataclass has them."""
    return await run_in_threadpool(form_of, name)
