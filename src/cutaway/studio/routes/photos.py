"""Photos of a data set: small ones to look at, and the address of one to open elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from cutaway.studio.album import address_of_photo, found_in, small_photo
from cutaway.studio.given import TheDesk
from cutaway.studio.schemas.about import About, Remedy
from cutaway.studio.schemas.photos import Labels, LabelsRequest, PhotoAddress, PhotoRequest
from cutaway.studio.uploads import path_of

router = APIRouter(prefix="/api/photos")


@router.get("/small", response_class=Response)
async def photo_small(
    desk: TheDesk,
    data: Annotated[str, Query(min_length=1, max_length=4096)],
    name: Annotated[str, Query(min_length=1, max_length=4096)],
    side: Annotated[int, Query(ge=16, le=1024)] = 128,
) -> Response:
    """Data set, photo's name -> JPEG, upright, its longer side at most `side` pixels."""
    jpeg = await run_in_threadpool(lambda: small_photo(*found_in(desk, data, name), side))
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


@router.post("/address")
async def photo_address(desk: TheDesk, asked: PhotoRequest) -> PhotoAddress:
    """Data set, photo's name -> its address as a picture."""
    made = await run_in_threadpool(lambda: address_of_photo(*found_in(desk, asked.data, asked.name)))
    return PhotoAddress(picture=made)


@router.post("/labels")
async def photo_labels(desk: TheDesk, asked: LabelsRequest) -> Labels:
    """Model, photos -> whether its answers can be called right or wrong on them, and what would make it so."""
    model = await desk.compute(lambda: desk.model(About(model=asked.model, edits=asked.edits)))
    return await run_in_threadpool(_labels, path_of(asked.data), model.classes)


def _labels(data: str, classes: Sequence[str]) -> Labels:
    from cutaway.dataset.words import spelled_as
    from cutaway.surgery.inputs import SetClasses
    from cutaway.verbs.photos import open_photos

    found, fit, why = open_photos(data, classes)
    names = spelled_as(classes, found.classes) if why else None
    if names is None:
        return Labels(fit=fit, why=why, remedy=None)
    edit = SetClasses(names)
    return Labels(fit=fit, why=why, remedy=Remedy(sentence=edit.sentence, edits=(edit.to_dict(),)))
