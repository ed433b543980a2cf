"""What the page needs to begin: what the studio was started with, and what there is to choose from."""

from __future__ import annotations

from pydantic import BaseModel


class StartWith(BaseModel):
    """What `cutaway studio` was given; "" where it was not."""

    model: str
    picture: str
    data: str


class RunCard(BaseModel):
    """A past training: name under runs/, when it was made, network, classes, accuracy on the test fold in [0, 1], and a
    picture it was tested on, "" where none has an address."""

    name: str
    path: str
    made: float
    network: str
    classes: int
    accuracy: float | None
    finished: bool
    example: str = ""


class Hello(BaseModel):
    """`samples`: names for sample:NAME; `networks`: a choice of zoo:NAME; `runs`: newest first; `folder`: where."""

    version: str
    start: StartWith
    folder: str
    samples: tuple[str, ...]
    networks: tuple[str, ...]
    runs: tuple[RunCard, ...]


class Uploaded(BaseModel):
    """A dropped file's address, which goes where a model or a picture is named."""

    address: str
    name: str
    bytes: int
