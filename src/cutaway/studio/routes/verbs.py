"""Verbs as forms."""

from __future__ import annotations

from fastapi import APIRouter, Request

from cutaway.studio.desk import Desk
from cutaway.studio.forms import form_of
from cutaway.studio.schemas.verbs import VerbForm

router = APIRouter(prefix="/api/verbs")


@router.get("/{name}")
async def verb_form(request: Request, name: str) -> VerbForm:
    """-> a verb's sentence and options, as its options dataclass has them."""
    desk: Desk = request.app.state.desk
    return await desk.compute(form_of, name)
