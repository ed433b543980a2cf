"""What a request is about: a model, a picture, edits of both. The server keeps nothing that these do not say."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class PictureChange(BaseModel):
    """One change of the picture at the network's size, as `cutaway shift` makes them; `along` is for translate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["translate", "rotate", "zoom", "cover", "brightness", "contrast", "saturation", "hue"]
    amount: float
    along: Literal["x", "y", "both"] = "x"


class About(BaseModel):
    """`model`: file, run, "last", zoo:NAME or upload:...; `picture`: file, sample:NAME or upload:...; `edits`: as in
    surgery.edit, applied in order; `shift`: changes of the picture, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, max_length=4096)
    picture: str = Field(default="", max_length=4096)
    edits: tuple[dict[str, Any], ...] = Field(default=(), max_length=500)
    shift: tuple[PictureChange, ...] = Field(default=(), max_length=20)


class Told(BaseModel):
    """Why a request was refused: one sentence, and what kind of trouble it is. Of a refused edit also the layer where
    the network breaks, the edit's number in the list, and what would mend it."""

    kind: str
    message: str
    layer: str = ""
    at: int = -1
    remedies: tuple[Remedy, ...] = ()


class Remedy(BaseModel):
    """What would mend a refused edit: a sentence, and the edits to make in place of the refused one (one step); none:
    that one and those after it are left out."""

    sentence: str
    edits: tuple[dict[str, Any], ...] = ()


Told.model_rebuild()
