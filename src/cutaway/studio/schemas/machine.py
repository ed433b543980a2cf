"""A network as the page draws it: its head, its layers, and where its boxes lie."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cutaway.studio.schemas.about import About


class Layer(BaseModel):
    """One step: output shape and input shapes without the batch axis; what it costs for one picture; `field`: height
    and width in pixels that one cell sees (null where it sees none of the picture); `block`: the innermost block;
    `group`: the block that the drawing puts it into, found from its neighbours where its name tells none."""

    name: str
    kind: str
    family: str
    shape: tuple[int, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    inputs: tuple[str, ...]
    parameters: int
    multiply_adds: int
    field: tuple[int, int] | None
    block: str
    group: str = ""


class Viewed(BaseModel):
    """One layer, or one array of weights, of a file that is looked at only. `shape`: of its output or of the array."""

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int
    note: str


class Machine(BaseModel):
    """The network's head and all of its steps in running order.

    `answer`: "full"; "view-only" or "weights" for a file that can be listed but not run, with the `reason`, what is in
    it (`viewed`), and the nearest known networks. Then there are no layers, no classes and no contract. `also`: other
    networks that the same weights fit; as:NETWORK:ADDRESS opens the file as one of them. `random`: a network made on
    the spot, which has learned nothing."""

    title: str
    format: str
    recognised: str
    classes: tuple[str, ...]
    contract: str
    size: tuple[int, int]
    channels: int
    parameters: int
    multiply_adds: int
    layers: tuple[Layer, ...]
    also: tuple[str, ...] = ()
    random: bool = False
    answer: Literal["full", "view-only", "weights"] = "full"
    reason: str = ""
    nearest: tuple[str, ...] = ()
    viewed: tuple[Viewed, ...] = ()


class DiagramRequest(About):
    """`expanded`: blocks to open; `most`: boxes of the first view."""

    expanded: tuple[str, ...] = Field(default=(), max_length=2000)
    most: int = Field(default=40, ge=1, le=2000)


class Box(BaseModel):
    """A step, or a collapsed block of `steps` steps; `rank` 0 is the top, `lane` 0 the spine. `shows`: the step whose
    maps stand for it."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    family: str
    shape: tuple[int, ...]
    steps: int
    rank: int
    lane: int
    shows: str


class Edge(BaseModel):
    """A value that goes from one box to another; see draw.lanes for the ways it takes."""

    source: str
    target: str
    way: Literal["near", "source-lane", "target-lane", "channel"]
    channel: int


class Diagram(BaseModel):
    """Boxes in running order and their edges; `open`: the blocks that are open now and can be closed."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    lanes: int
    channels: int
    open: tuple[str, ...]
