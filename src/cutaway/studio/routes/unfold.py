"""Unfold: the arithmetic of one number, the maps it lies in, its figure and film; and the kernels of a layer."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import APIRouter, Response
from numpy.typing import NDArray

from cutaway.events import Event, Progress
from cutaway.studio.desk import Desk
from cutaway.studio.frames import packed
from cutaway.studio.given import TheDesk, TheJobs
from cutaway.studio.kernel_page import kernel_page
from cutaway.studio.outcome import job_folder
from cutaway.studio.routes.jobs import card
from cutaway.studio.schemas.jobs import JobCard
from cutaway.studio.schemas.unfold import (
    FigureRequest,
    FilmRequest,
    KernelsRequest,
    PlaneHead,
    PlaneRequest,
    Unfolded,
    UnfoldRequest,
)
from cutaway.studio.unfolded import View, arithmetic, plane, unfolded

if TYPE_CHECKING:
    from cutaway.draw.scene import Scene
    from cutaway.engine.unfold import Slide

router = APIRouter(prefix="/api")
BYTES = "application/octet-stream"


@router.post("/unfold")
async def unfold(desk: TheDesk, asked: UnfoldRequest) -> Unfolded:
    """A cell -> its patches, kernels, products, sums, bias, normalisation and activation, and where it leads."""
    return await desk.compute(_unfolded, desk, asked)


@router.post("/unfold/plane", response_class=Response)
async def one_plane(desk: TheDesk, asked: PlaneRequest) -> Response:
    """A channel -> a frame: PlaneHead, then its float32 numbers (height, width), exactly as they were computed."""
    return Response(await desk.compute(_plane, desk, asked), media_type=BYTES)


@router.post("/unfold/figure", response_class=Response)
async def figure(desk: TheDesk, asked: FigureRequest) -> Response:
    """A cell -> the figure that `cutaway unfold --out` draws, with the edits and the changed picture of the page."""
    scene = await desk.compute(_scene, desk, asked)
    if asked.form == "svg":
        return Response(await asyncio.to_thread(scene.svg), media_type="image/svg+xml")
    return Response(await asyncio.to_thread(scene.png), media_type="image/png")


@router.post("/unfold/film")
async def film(desk: TheDesk, jobs: TheJobs, asked: FilmRequest) -> JobCard:
    """A channel of a convolution or pooling layer -> the job that writes its sliding window as a GIF."""
    slide, pixels, names = await desk.compute(_slide, desk, asked)
    return card(jobs.start("animate", lambda: _film(asked, slide, pixels, names)))


@router.post("/kernels", response_class=Response)
async def kernels(desk: TheDesk, asked: KernelsRequest) -> Response:
    """A layer -> a frame: KernelsHead, then float32 weights of one page of its filters."""

    def work() -> bytes:
        head, weights = kernel_page(desk.model(asked), asked)
        return packed(head.model_dump(), weights.astype("<f4"))

    return Response(await desk.compute(work), media_type=BYTES)


def _unfolded(desk: Desk, asked: UnfoldRequest) -> Unfolded:
    ran = desk.run(asked)
    view = View(ran, desk.table(asked))
    return unfolded(view, asked.layer, asked.cell, asked.most, desk.pixels(asked, ran.model.contract))


def _plane(desk: Desk, asked: PlaneRequest) -> bytes:
    from cutaway.engine.unfold import kind_of
    from cutaway.graph.names import step_named

    ran = desk.run(asked)
    values, channels, (low, high) = plane(View(ran, ()), asked.layer, asked.channel)
    head = PlaneHead(
        layer=asked.layer, kind=kind_of(ran.model.graph, step_named(ran.model.graph, asked.layer)),
        channel=asked.channel, channels=channels, height=values.shape[0], width=values.shape[1], low=low, high=high,
    )  # fmt: skip
    return packed(head.model_dump(), values)


def _scene(desk: Desk, asked: FigureRequest) -> Scene:
    from cutaway.draw.arithmetic import arithmetic_scene, full

    ran = desk.run(asked)
    view, pixels = View(ran, desk.table(asked)), desk.pixels(asked, ran.model.contract)
    index, steps = arithmetic(view, asked.layer, asked.cell)
    seen = view.seen(asked.layer, view.cell(asked.layer, index), (pixels.shape[0], pixels.shape[1]))
    box = None if seen is None else (seen[:2], seen[2:])
    title = f"{steps[0].step}[{', '.join(map(str, index))}] = {full(steps[0].total)}"
    return arithmetic_scene([s.to_dict() for s in steps], title, pixels, box)


def _slide(desk: Desk, asked: FilmRequest) -> tuple[Slide, NDArray[np.uint8], tuple[str, ...]]:
    from cutaway.engine.unfold import channel_names, slide_of

    ran = desk.run(asked)
    slide = slide_of(ran.model.graph, ran.after.trace, asked.layer, asked.channel)
    return slide, desk.pixels(asked, ran.model.contract), channel_names(ran.model.contract)


def _film(
    asked: FilmRequest, slide: Slide, pixels: NDArray[np.uint8], names: tuple[str, ...]
) -> Generator[Event, None, dict[str, Any]]:
    from cutaway.draw.film import gif_of
    from cutaway.draw.sliding import animation

    path = job_folder() / f"{asked.layer.replace('/', '-')}-{asked.channel}.gif"
    made = animation(slide, pixels if slide.of_input else None, names, asked.frames, asked.seconds)
    images = []
    for image in made.images():
        images.append(image)
        yield Progress("Draws the film", len(images), len(made.frames), "frames")
    path.write_bytes(gif_of(made, images))
    return {"path": str(path), "frames": len(made.frames), "places": int(slide.output.size)}
