"""Two models side by side: which layers differ, in structure, in weights, and on a picture."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from cutaway.studio.schemas.about import About

Status = Literal["equal", "rounding", "weights", "settings", "only a", "only b"]


class CompareRequest(BaseModel):
    """`about`: the model with its edits, and the picture, "" for none. `other`: the model to compare it with; "": the
    same one without its edits."""

    model_config = ConfigDict(extra="forbid")

    about: About
    other: str = ""


class ComparedClass(BaseModel):
    name: str
    p: float


class ComparedSide(BaseModel):
    """One of the two in figures; `top`: its likeliest classes on the picture."""

    name: str
    layers: int
    parameters: int
    multiply_adds: int
    classes: tuple[str, ...]
    input: str
    top: tuple[ComparedClass, ...]


class ComparedWeights(BaseModel):
    """`largest`: largest difference of a weight; `relative`: norm of the difference over the norm of a's weights;
    null where no array has the same shape in both. `shapes`: arrays whose shapes differ, a's and b's, [] for none."""

    largest: float | None
    relative: float | None
    correlation: float | None
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]


class ComparedLayer(BaseModel):
    """Two steps that answer to each other, "" for the one that is not there. `settings`: a's and b's value where they
    differ. `activation`: norm of the difference of their values on the picture over the norm of a's."""

    a: str
    b: str
    kind: str
    shape: tuple[int, ...]
    status: Status
    settings: dict[str, tuple[Any, Any]]
    weights: ComparedWeights | None
    activation: float | None


class Comparison(BaseModel):
    """`layers` in running order; `parts_at`: the first whose values differ by more than `parted`; `notes`: what was
    assumed; `contract`: what the two make of a picture, where it differs."""

    a: ComparedSide
    b: ComparedSide
    equal: int
    rounding: int
    weights: int
    settings: int
    only_a: int
    only_b: int
    contract: dict[str, tuple[Any, Any]]
    notes: tuple[str, ...]
    layers: tuple[ComparedLayer, ...]
    parts_at: str
    parted: float
    difference: float | None
