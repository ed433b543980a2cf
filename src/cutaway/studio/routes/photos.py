"""Photos of a data set: small ones to look at, and the address of one to open elsewhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from cutaway.studio.album import address_of_photo, found_in, small_photo
from cutaway.studio.given import TheDesk
from cutaway.studio.schemas.photos import PhotoAddress, PhotoRequest

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
