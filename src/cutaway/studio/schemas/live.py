"""Messages of /api/live: the page asks in JSON; answers are frames, whose heads these are."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cutaway.studio.schemas.about import About, Told

View = Literal["after", "before", "difference"]


class Watch(BaseModel):
    """Maps of one layer: `channels` by number, or the `most` that vary most on the unedited network; `edge`: cells
    of the longer side at most. `key` comes back with the frame."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(default="", max_length=300)
    layer: str
    channels: tuple[int, ...] | None = Field(default=None, max_length=4096)
    most: int = Field(default=4, ge=1, le=4096)
    edge: int = Field(default=64, ge=1, le=2048)
    view: View = "after"


class LiveRequest(About):
    """`seq` comes back with every frame of the answer. Only the newest request that waits is worked on."""

    seq: int
    watch: tuple[Watch, ...] = Field(default=(), max_length=600)


class MapHead(BaseModel):
    """Head of a frame of maps: (C, H, W) bytes of `channels` follow. `shape`: of the layer's whole value, without the
    batch axis; [] where the network has no such layer (`missing`). `lo`, `hi`: of each channel, in the layer's own
    units; `full_lo`, `full_hi`: of the whole layer. `silent`: channels of these that are the same everywhere."""

    kind: Literal["map"] = "map"
    seq: int
    key: str
    layer: str
    view: View
    shape: tuple[int, ...]
    size: tuple[int, int]
    channels: tuple[int, ...]
    lo: tuple[float | None, ...]
    hi: tuple[float | None, ...]
    full_lo: float | None
    full_hi: float | None
    silent: tuple[int, ...]
    changed: bool = False
    missing: bool = False


class AnswerHead(BaseModel):
    """Head of the last frame of an answer. Two rows of float32 follow: probabilities of all classes after and before
    the edits. `top`: the likeliest classes by number. `ran` of `steps` were computed anew. `ms`: time it took."""

    kind: Literal["answer"] = "answer"
    seq: int
    classes: int
    names: tuple[str, ...] | None = None
    top: tuple[int, ...]
    ran: int
    steps: int
    ms: float
    non_finite: str = ""


class RefusedHead(BaseModel):
    """Head of the only frame of a request that was refused."""

    kind: Literal["refused"] = "refused"
    seq: int
    told: Told


WS_MODELS = (LiveRequest, MapHead, AnswerHead, RefusedHead)
