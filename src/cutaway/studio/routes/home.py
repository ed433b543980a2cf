"""What the page begins with."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from cutaway import __version__
from cutaway.studio.desk import Desk
from cutaway.studio.runs import run_cards
from cutaway.studio.schemas.home import Hello, StartWith

router = APIRouter(prefix="/api")

NETWORKS = ("tutorial-cifar", "tutorial-cats-dogs", "lenet5", "small-cnn", "alexnet", "vgg16", "googlenet", "resnet18",
            "resnet50", "densenet121", "mobilenet_v2", "inception_v3", "efficientnet_b0", "convnext_tiny")  # fmt: skip


@router.get("/hello")
async def hello(request: Request) -> Hello:
    """-> what the studio was started with, sample pictures, some networks, past runs."""
    # Not in the lane that computes: the page begins while that lane opens a model.
    return await run_in_threadpool(_hello, request.app.state.desk)


def _hello(desk: Desk) -> Hello:
    from cutaway.dataset.sample_pictures import sample_names

    start = StartWith(model=desk.start.model, picture=desk.start.picture, data=desk.start.data)
    return Hello(
        version=__version__, start=start, folder=str(desk.folder), samples=sample_names(), networks=NETWORKS,
        runs=run_cards(desk.folder),
    )  # fmt: skip
