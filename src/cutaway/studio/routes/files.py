"""Files in: what is dropped on the page. Pictures out: as a person or as the network sees them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Header, Query, Request, Response

from cutaway.studio.given import TheDesk
from cutaway.studio.schemas.about import About
from cutaway.studio.schemas.home import Uploaded
from cutaway.studio.uploads import keep_upload, plain_name

router = APIRouter(prefix="/api")


@router.post("/uploads")
async def upload(request: Request, x_file_name: Annotated[str, Header()]) -> Uploaded:
    """The file's bytes as the body, its name percent-encoded in X-File-Name -> its address."""
    name = plain_name(unquote(x_file_name))
    address, size = await keep_upload(name, request.stream())
    return Uploaded(address=address, name=name, bytes=size)


@router.get("/picture", response_class=Response)
async def picture(desk: TheDesk, picture: str, side: Annotated[int, Query(ge=16, le=4096)] = 512) -> Response:
    """A picture's address -> JPEG, upright, its longer side at most `side` pixels."""
    data = await desk.fetch(desk.thumbnail, picture, side)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=300"})


@router.post("/input", response_class=Response)
async def network_input(desk: TheDesk, about: About) -> Response:
    """-> the picture as it goes into the network, changed and at the network's size: PNG, exact levels."""
    from cutaway.image.write import to_png

    data = await desk.compute(lambda: to_png(desk.pixels(about, desk.model(about).contract)))
    return Response(data, media_type="image/png")
