"""What Home chooses from: all networks by name, files that belong together, the webcam."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from cutaway.errors import BadInput
from cutaway.studio.bundles import bundled
from cutaway.studio.passing import MOST_BYTES, keep_frame
from cutaway.studio.schemas.choices import BundleRequest, Frame, Network
from cutaway.studio.schemas.home import Uploaded

router = APIRouter(prefix="/api")


@router.get("/networks")
async def networks() -> tuple[Network, ...]:
    """-> every network that zoo:NAME takes and that can be taken apart, plain ones first, then by library."""
    return await run_in_threadpool(_networks)


def _networks() -> tuple[Network, ...]:
    from cutaway.zoo import networks as rows

    return tuple(
        Network(
            name=row.name, library=row.library, size=row.size, parameters=row.parameters, weights=row.weights,
            note=row.note,
        )
        for row in rows("")
        if row.held
    )  # fmt: skip


@router.post("/bundles")
async def bundle(asked: BundleRequest) -> Uploaded:
    """Files that were uploaded one by one -> the address of the model among them, the others beside it."""
    address, name, size = await run_in_threadpool(bundled, asked.addresses)
    return Uploaded(address=address, name=name, bytes=size)


@router.post("/frames")
async def frame(request: Request) -> Frame:
    """A webcam picture as JPEG, the whole body -> its address."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise BadInput(f"A webcam picture has at most {MOST_BYTES / 2**20:.0f} MiB.")
    return Frame(address=await run_in_threadpool(keep_frame, bytes(data)))
