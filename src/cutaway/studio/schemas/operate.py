"""Edits as controls, the list of edits in words, and what is done with an edited network."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cutaway.studio.schemas.about import About, Told


class OperationsRequest(About):
    """`layer`: a step, "" for the network as a whole; `channels`, `inputs`: which output channels, and which inputs of
    a filter, are meant; none: all."""

    layer: str = Field(default="", max_length=1000)
    channels: tuple[int, ...] = Field(default=(), max_length=20_000)
    inputs: tuple[int, ...] = Field(default=(), max_length=20_000)


class Choice(BaseModel):
    """One entry of a menu: what goes into the edit, and what is read."""

    model_config = ConfigDict(from_attributes=True)

    value: Any
    label: str


class ControlField(BaseModel):
    """One value of an edit: `paths`: where it goes in the edit's JSON; see surgery.controls.Field."""

    model_config = ConfigDict(from_attributes=True)

    paths: tuple[tuple[str | int, ...], ...]
    label: str
    kind: Literal["slider", "number", "menu", "checkbox", "grid", "names"]
    value: Any
    help: str
    low: float | None
    high: float | None
    step: float | None
    rest: float | None
    unit: str
    log: bool
    choices: tuple[Choice, ...]


class Control(BaseModel):
    """An edit that fits: `document` is its JSON as things are, `at` the edit of the list that it goes on changing;
    `action`: what its button says, "" where it acts as soon as a field changes."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    edit: str
    title: str
    meaning: str
    group: str
    document: dict[str, Any]
    fields: tuple[ControlField, ...]
    at: int | None
    action: str
    common: bool


class Operations(BaseModel):
    """`channels`, `inputs`: how many there are to choose from, 0 for nothing to choose."""

    model_config = ConfigDict(from_attributes=True)

    layer: str
    kind: str
    channels: int
    inputs: int
    controls: tuple[Control, ...]


class EditLine(BaseModel):
    """One edit in words; `text` is what a person types for it on the command line."""

    sentence: str
    text: str
    layers: tuple[str, ...]


class Untrained(BaseModel):
    layer: str
    why: str


class Edits(BaseModel):
    """The edits in words, what followed from them, and the refusal if the network does not work with them. `digest`: of
    the unedited model, as a file of edits names it."""

    edits: tuple[EditLine, ...]
    untrained: tuple[Untrained, ...]
    adapted: str
    refused: Told | None
    digest: str


class HistoryRequest(About):
    """`branches`: kept lists by name; `undone`: edits that can be redone, the next one last."""

    branches: dict[str, tuple[dict[str, Any], ...]] = Field(default_factory=dict, max_length=200)
    undone: tuple[dict[str, Any], ...] = Field(default=(), max_length=500)


class HistoryText(About):
    """A file of edits as text."""

    text: str = Field(max_length=4_000_000)
    name: str = Field(default="edits.json", max_length=300)


class HistoryRead(BaseModel):
    """`note`: one sentence where the edits were made on another model, else ""."""

    edits: tuple[dict[str, Any], ...]
    branches: dict[str, tuple[dict[str, Any], ...]]
    note: str


class AccuracyRequest(About):
    """`data`: labelled photos (folder, archive, table, name, upload:...); `fold`: as `cutaway effect` has it."""

    data: str = Field(min_length=1, max_length=4096)
    fold: Literal["auto", "all", "train", "val", "test"] = "auto"


class CanvasRequest(About):
    """`whole`: the picture as it is, not at the network's size."""

    whole: bool = False


class PaintedRequest(About):
    """`picture`: the painted one, uploaded, at the network's size."""


class PictureTool(BaseModel):
    """A change of the picture as a slider: `rest` changes nothing; `log`: by equal factors."""

    kind: Literal["translate", "rotate", "zoom", "cover", "brightness", "contrast", "saturation", "hue"]
    along: Literal["x", "y", "both"]
    label: str
    unit: str
    low: float
    high: float
    step: float
    rest: float
    log: bool
