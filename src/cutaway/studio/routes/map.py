"""Maps of a data set: made as jobs, kept, and given out as columns, sheets of small pictures and files."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from cutaway.errors import BadInput
from cutaway.studio import map_store
from cutaway.studio.album import address_of_photo, album_of, found_in, part_of
from cutaway.studio.desk import Desk
from cutaway.studio.given import TheDesk, TheJobs
from cutaway.studio.routes.jobs import card
from cutaway.studio.schemas.jobs import JobCard
from cutaway.studio.schemas.map import DataMap, MapPart, MapPhoto, MapPlace, MapRequest, PartRequest
from cutaway.studio.security import WRITTEN_PAGE

router = APIRouter(prefix="/api/maps")
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}  # an id is a digest of all that goes in


@router.post("/find")
async def map_find(desk: TheDesk, asked: MapRequest) -> MapPlace:
    """-> the map's id, and whether it was made before."""
    id_ = await run_in_threadpool(map_store.id_of, desk, asked)
    return MapPlace(id=id_, made=map_store.is_made(id_))


@router.post("")
async def map_make(desk: TheDesk, jobs: TheJobs, asked: MapRequest) -> JobCard:
    """-> the job that makes the map; its result is {"id": ...}."""
    await run_in_threadpool(map_store.id_of, desk, asked)  # a data set that is not there is refused here and now
    return card(jobs.start("map", lambda: map_store.made(desk, asked)))


@router.get("/{id_}/points", response_class=Response)
async def map_points(id_: str) -> Response:
    """-> uint32 length of the head, DataMap as JSON, its columns: geometry is sent once, as bytes."""
    return Response(map_store.read(id_, map_store.POINTS), media_type="application/octet-stream", headers=_KEPT)


@router.get("/{id_}/sheets/{number}", response_class=Response)
async def map_sheet(id_: str, number: int) -> Response:
    """-> JPEG with small pictures side by side."""
    return Response(map_store.read(id_, map_store.SHEET.format(number)), media_type="image/jpeg", headers=_KEPT)


@router.post("/{id_}/photos/{number}")
async def map_photo(desk: TheDesk, id_: str, number: int) -> MapPhoto:
    """-> the address of photo `number`, which goes where a picture is named."""
    head, _ = map_store.unpacked(map_store.read(id_, map_store.POINTS))
    if not 0 <= number < head.count:
        raise _no_photo(head, number)
    made = await run_in_threadpool(lambda: address_of_photo(*found_in(desk, head.data, head.names[number])))
    return MapPhoto(picture=made)


@router.post("/{id_}/part")
async def map_part(desk: TheDesk, id_: str, asked: PartRequest) -> MapPart:
    """Some photos of the map -> a data set of these alone, which goes wherever photos are named."""
    return MapPart(data=await run_in_threadpool(_part, desk, id_, asked.photos))


def _part(desk: Desk, id_: str, photos: Sequence[int]) -> str:
    head, _ = map_store.unpacked(map_store.read(id_, map_store.POINTS))
    for number in photos:
        if not 0 <= number < head.count:
            raise _no_photo(head, number)
    if not photos:
        return part_of(album_of(desk, head.data), ())
    album, _ = found_in(desk, head.data, head.names[photos[0]])
    return part_of(album, [album.number(head.names[number]) for number in photos])


def _no_photo(head: DataMap, number: int) -> BadInput:
    return BadInput(f"The map has {head.count:,} photos, counted from 0; there is no photo {number}.")


@router.get("/{id_}/page", response_class=Response)
async def map_page(id_: str) -> Response:
    """-> the map as one HTML file, to be passed on."""
    text = await run_in_threadpool(map_store.page_of, id_)
    headers = _as_file(id_, ".html") | {"Content-Security-Policy": WRITTEN_PAGE}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/{id_}/picture", response_class=Response)
async def map_picture(id_: str) -> Response:
    """-> the map as a PNG for a slide."""
    return Response(
        await run_in_threadpool(map_store.picture_of, id_), media_type="image/png", headers=_as_file(id_, ".png")
    )


def _as_file(id_: str, ending: str) -> dict[str, str]:
    head, _ = map_store.unpacked(map_store.read(id_, map_store.POINTS))
    name = quote(map_store.file_name(head.title, ending))
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
