"""One number's arithmetic as the page draws it, the maps it lies in, and the kernels of a layer.

A *cell* is the index of a number as maps are drawn: (channel, row, column), (row, column) or (number), without the
batch axis; `index` is the same in the order of the layer's own axes, as `cutaway unfold` names it. They differ only
where channels are the last axis (`last`). None stands for a number that is not finite.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from cutaway.studio.schemas.about import About

Number = float | None
Rows = tuple[tuple[Number, ...], ...]


class UnfoldRequest(About):
    """`cell`: null for the layer's largest number. `most`: patches and long rows' terms that are told in full."""

    layer: str = Field(max_length=300)
    cell: tuple[int, ...] | None = Field(default=None, max_length=8)
    most: int = Field(default=4, ge=1, le=4096)


class FigureRequest(UnfoldRequest):
    form: Literal["svg", "png"] = "svg"


class FilmRequest(About):
    layer: str = Field(max_length=300)
    channel: int = Field(ge=0)
    frames: int = Field(default=120, ge=2, le=2000)
    seconds: float = Field(default=15.0, gt=0, le=600)


class Patch(BaseModel):
    """The cells of an earlier step that were read, laid out in rows: `values` × `weights` = `terms`, their sum `sum`.

    `axes`: coordinates along every axis of that step, -1 outside; `window`: first row, row behind the last, first
    column, column behind the last, padding counted; `picked`: row and column of the one value that counts.
    """

    step: str
    channel: int | None
    label: str
    last: bool
    axes: tuple[tuple[int, ...], ...]
    values: Rows
    weights: Rows | None
    terms: Rows | None
    padding: tuple[tuple[bool, ...], ...] | None
    picked: tuple[int, int] | None
    window: tuple[int, int, int, int] | None
    sum: Number


class Term(BaseModel):
    """One cell of a long row and what it gives."""

    cell: tuple[int, ...]
    value: Number
    weight: Number
    term: Number


class Terms(BaseModel):
    """A row of `count` cells that is too long to be drawn: the `largest`; the `rest` of the terms added up."""

    step: str
    label: str
    count: int
    largest: tuple[Term, ...]
    rest: Number
    sum: Number


class StepLine(BaseModel):
    """One line of the calculation after the patches."""

    label: str
    value: Number
    text: str


class Link(BaseModel):
    """A cell of another step that this one is made of, or that is made of this one; `count` cells are; null: unknown.
    `cell` is empty where none is (a stride steps over it)."""

    step: str
    kind: str
    cell: tuple[int, ...]
    count: int | None


class Unfolding(BaseModel):
    """One step. `patches` come with the largest sums first, `patch_count` there are, `rest` is what the others add.
    `total` is what the terms give (float64), `value` what the network computed (float32)."""

    step: str
    kind: str
    cell: tuple[int, ...]
    index: tuple[int, ...]
    shape: tuple[int, ...]
    last: bool
    value: Number
    total: Number
    difference: Number
    formula: str
    sentence: str
    patches: tuple[Patch, ...]
    patch_count: int
    rest: Number
    terms: Terms | None
    lines: tuple[StepLine, ...]
    parameters: dict[str, Number]
    sources: tuple[Link, ...]
    note: str
    unfolded: bool


class Pixel(BaseModel):
    """A pixel of the picture at the network's size: its levels, and how the network's number is made of them."""

    row: int
    column: int
    levels: tuple[int, int, int]
    lines: tuple[StepLine, ...]


class Unfolded(BaseModel):
    """The cell's own step, then the normalisation and activation that follow it. `grid`: the shape that `cell` lies in.

    `box`: first and last row, first and last column of the picture (at the network's size, `size`) that the cell sees.
    `readers`: the steps that come next. `input`: the step that is the picture itself. `slides`: the layer moves a
    window over a map. `chosen`: the cell was not asked for, it is the largest.
    """

    layer: str
    cell: tuple[int, ...]
    grid: tuple[int, ...]
    chosen: bool
    size: tuple[int, int]
    box: tuple[int, int, int, int] | None
    steps: tuple[Unfolding, ...]
    readers: tuple[Link, ...]
    pixel: Pixel | None
    input: str
    slides: bool


class PlaneRequest(About):
    """One channel of one step."""

    layer: str = Field(max_length=300)
    channel: int = Field(default=0, ge=0)


class PlaneHead(BaseModel):
    """Head of a plane: float32 (height, width) follow. `low`, `high`: range of all of the layer's finite values."""

    layer: str
    kind: str
    channel: int
    channels: int
    height: int
    width: int
    low: float
    high: float


class KernelsRequest(About):
    """`order`: strongest first, or by number. `channel`: begin with the page that holds it. `count` at most."""

    layer: str = Field(max_length=300)
    order: Literal["norm", "index"] = "index"
    start: int = Field(default=0, ge=0)
    count: int = Field(default=64, ge=1, le=512)
    channel: int | None = Field(default=None, ge=0)


class Filter(BaseModel):
    """One output channel's weights in numbers; `norm`: root of the sum of squares; `zeros`: share that is exactly 0."""

    channel: int
    low: float
    high: float
    mean: float
    norm: float
    zeros: float
    bias: float | None


class KernelsHead(BaseModel):
    """Head of a page of kernels: float32 (filters, I, kH, kW) follow, in the order of `filters`.

    `shape` (O, I, kH, kW) of all; `colours`: numbers of the input channels that are red, green, blue; `first_input`:
    the layer's input channel that each filter's kernel 0 reads (groups); `high`: the largest size of any weight.
    """

    layer: str
    kind: str
    shape: tuple[int, int, int, int]
    groups: int
    look: Literal["colour", "one", "grid", "matrix"]
    colours: tuple[int, ...] | None
    start: int
    filters: tuple[Filter, ...]
    first_input: tuple[int, ...]
    low: float
    top: float
    high: float
    mean: float
    deviation: float
    zeros: float
    weak: int
    strongest: float


HEADS = (PlaneHead, KernelsHead)
