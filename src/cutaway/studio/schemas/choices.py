"""What Home offers: networks by name, files that belong together, webcam pictures."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Network(BaseModel):
    """A network by name, for zoo:NAME: picture size (height, width) it was published for, parameters (null: unknown),
    and its published weights, "" where there are none."""

    name: str
    library: str
    size: tuple[int, int]
    parameters: int | None
    weights: str
    note: str


class BundleRequest(BaseModel):
    """Addresses of files that were dropped together, or of one zip."""

    addresses: tuple[str, ...] = Field(min_length=1, max_length=200)


class Frame(BaseModel):
    """A webcam picture's address; it is good for the next few pictures only."""

    address: str
