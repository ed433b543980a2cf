"""Photos of a data set, one by one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cutaway.studio.schemas.about import Remedy


class PhotoRequest(BaseModel):
    """A photo by the name that its data set knows it by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(min_length=1, max_length=4096)
    name: str = Field(min_length=1, max_length=4096)


class PhotoAddress(BaseModel):
    """What goes where a picture is named: a file's path, or a copy's upload:... where the photo is no file."""

    picture: str


class LabelsRequest(BaseModel):
    """A model with its edits, and photos whose labels it is to be measured by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, max_length=4096)
    edits: tuple[dict[str, Any], ...] = Field(default=(), max_length=500)
    data: str = Field(min_length=1, max_length=4096)


class Labels(BaseModel):
    """`fit`: the photos' labels are classes of the model. Else `why` not, in a sentence ("" for photos without labels),
    and the remedy: an edit to add that calls the classes as the photos do, where it is plain which is which."""

    fit: bool
    why: str
    remedy: Remedy | None
