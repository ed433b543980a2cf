"""Photos of a data set, one by one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PhotoRequest(BaseModel):
    """A photo by the name that its data set knows it by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(min_length=1, max_length=4096)
    name: str = Field(min_length=1, max_length=4096)


class PhotoAddress(BaseModel):
    """What goes where a picture is named: a file's path, or a copy's upload:... where the photo is no file."""

    picture: str
