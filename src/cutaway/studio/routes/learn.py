"""The lessons' numbers: each address computes one small piece on the reader's picture, fast enough for a slider."""

from __future__ import annotations

from fastapi import APIRouter

from cutaway.studio import learn_filter, learn_picture, learn_pool
from cutaway.studio.given import TheDesk
from cutaway.studio.schemas.learn import (
    AlongRequest,
    AlongSeen,
    CurveRequest,
    CurveSeen,
    LayerZeros,
    LessonRequest,
    LessonStart,
    OverRequest,
    OverSeen,
    PictureRow,
    PictureRowRequest,
    PixelNumbers,
    PixelsRequest,
    PlacesRequest,
    PoolCurve,
    PoolRequest,
    PoolSeen,
    Probabilities,
    ShrinkRequest,
    Shrunk,
    ShrunkAnswer,
    WindowPlaces,
)

router = APIRouter(prefix="/api/learn")


@router.post("/start")
async def learn_start(desk: TheDesk, asked: LessonRequest) -> LessonStart:
    """-> the picture at the network's size, the way there, and where the network does what each lesson is about."""
    return await desk.compute(learn_picture.start, desk, asked)


@router.post("/pixels")
async def learn_pixels(desk: TheDesk, asked: PixelsRequest) -> PixelNumbers:
    """-> the numbers of a square of pixels, as stored and as the network gets them."""
    return await desk.compute(learn_picture.numbers, desk, asked)


@router.post("/shrink")
async def learn_shrink(desk: TheDesk, asked: ShrinkRequest) -> Shrunk:
    """-> the picture with fewer pixels, and what is lost."""
    return await desk.compute(learn_picture.shrink, desk, asked)


@router.post("/shrink/answer")
async def learn_shrink_answer(desk: TheDesk, asked: ShrinkRequest) -> ShrunkAnswer:
    """-> what the network makes of the picture with fewer pixels. Takes as long as the network does."""
    return await desk.compute(learn_picture.shrunk_answer, desk, asked)


@router.post("/row")
async def learn_row(desk: TheDesk, asked: PictureRowRequest) -> PictureRow:
    """-> a row of the picture as a few numbers."""
    return await desk.compute(learn_picture.row, desk, asked)


@router.post("/along")
async def learn_along(desk: TheDesk, asked: AlongRequest) -> AlongSeen:
    """-> a kernel along a row: every product and every sum."""
    return await desk.compute(learn_filter.along_row, asked)


@router.post("/over")
async def learn_over(desk: TheDesk, asked: OverRequest) -> OverSeen:
    """-> a filter over the picture: the map, one cell of it in full, and the map after an activation."""
    return await desk.compute(learn_filter.over_picture, desk, asked)


@router.post("/places")
async def learn_places(desk: TheDesk, asked: PlacesRequest) -> WindowPlaces:
    """-> where a window stands along a row, counted."""
    return await desk.compute(learn_filter.window_places, asked)


@router.post("/curve")
async def learn_curve(desk: TheDesk, asked: CurveRequest) -> CurveSeen:
    """-> an activation, its slope, and a gradient through several layers of it."""
    return await desk.compute(learn_pool.curve, asked)


@router.post("/answer")
async def learn_answer(desk: TheDesk, asked: LessonRequest) -> Probabilities:
    """-> what the network says to the picture. Takes as long as the network, the first time."""
    return await desk.compute(learn_pool.answer, desk, asked)


@router.post("/zeros")
async def learn_zeros(desk: TheDesk, asked: LessonRequest) -> list[LayerZeros]:
    """-> the share of zeros after every activation of the network. Takes as long as the network, the first time."""
    return await desk.compute(learn_pool.zeros, desk, asked)


@router.post("/pool")
async def learn_pooled(desk: TheDesk, asked: PoolRequest) -> PoolSeen:
    """-> a feature map and its pooled one, before and after the picture moved."""
    return await desk.compute(learn_pool.pool, desk, asked)


@router.post("/pool/curve")
async def learn_pool_curve(desk: TheDesk, asked: PoolRequest) -> PoolCurve:
    """-> how alike the maps stay while the picture moves: without pooling, with max, with average."""
    return await desk.compute(learn_pool.pool_curve, desk, asked)
