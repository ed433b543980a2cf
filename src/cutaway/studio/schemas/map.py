"""A map of a data set: what is asked for, what is known of it, and the head of its columns."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cutaway.studio.schemas.about import About


class MapRequest(BaseModel):
    """Model with its edits, data set and how to lay it out: the options of `cutaway map`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, max_length=4096)
    edits: tuple[dict[str, Any], ...] = Field(default=(), max_length=500)
    data: str = Field(min_length=1, max_length=4096)
    layer: str = Field(default="auto", max_length=1000)
    method: Literal["tsne", "umap", "pca"] = "tsne"
    fold: Literal["auto", "train", "val", "test", "all"] = "auto"
    most: int = Field(default=10_000, ge=5, le=100_000)
    perplexity: float = Field(default=30.0, ge=1, le=10_000)
    neighbours: int = Field(default=15, ge=2, le=10_000)
    seed: int = Field(default=0, ge=0, lt=2**32)

    @property
    def about(self) -> About:
        return About(model=self.model, edits=self.edits)


class MapPlace(BaseModel):
    """Where this map lies or will lie; `made`: it is there already."""

    id: str
    made: bool


class Figure(BaseModel):
    """One measured number in words: name, value, small print."""

    name: str
    value: str
    small: str


class MapColumn(BaseModel):
    """Numbers of one kind, `width` for each photo, `offset` bytes behind the head: little-endian f4, i4 or u1."""

    name: Literal["x", "y", "label", "predicted", "probability", "wrong", "agree", "among", "near"]
    type: Literal["f4", "i4", "u1"]
    width: int
    offset: int


class MapSheets(BaseModel):
    """Small pictures, `columns` x `columns` to a sheet, each `width` x `height` pixels, in the order of the photos."""

    count: int
    columns: int
    width: int
    height: int


class DataMap(BaseModel):
    """What is known of a map but its columns. `label` indexes `classes`, `predicted` indexes `answers` (-1: none).

    There is a column `wrong` where the labels are the model's classes. `near`: the nearest photos in the layer, the
    nearest first. `notes`: what was said while it was made (how many of the photos the run has learnt from).
    `colours`: by theme, and `shapes`: what stands for class number n, modulo their length.
    """

    title: str
    lead: str
    meaning: str
    figures: tuple[Figure, ...]
    data: str
    layer: str
    method: str
    fold: str
    count: int
    unreadable: int
    notes: tuple[str, ...]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    answers: tuple[str, ...]
    labelled: bool
    judged: bool
    columns: tuple[MapColumn, ...]
    sheets: MapSheets
    colours: dict[str, tuple[str, ...]]
    shapes: tuple[str, ...]


class MapPhoto(BaseModel):
    """Address of one photo of a map."""

    picture: str


class PartRequest(BaseModel):
    """Numbers of photos of a map."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    photos: tuple[int, ...] = Field(max_length=100_000)


class MapPart(BaseModel):
    """Address of a data set that holds some photos of a map alone."""

    data: str


MAP_MODELS = (DataMap,)
