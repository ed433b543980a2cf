"""One layer in full, what its maps amount to on the picture, and why some of them are black."""

from __future__ import annotations

from pydantic import BaseModel, Field

from cutaway.studio.schemas.about import About


class LayerRequest(About):
    """About, and the step that is looked at."""

    layer: str = Field(min_length=1, max_length=1000)


class SightAxis(BaseModel):
    """Cell q * len(lows) + r sees the pixels from lows[r] + q * step to highs[r] + q * step, both included; pixels
    below 0 and beyond the picture are padding. `step` 0: every cell sees the same."""

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    step: int


class Sight(BaseModel):
    """Which pixels of the network's input a cell sees. `whole`: all of them, wherever the cell lies; `gated`: through a
    pool over all places besides its own window."""

    rows: SightAxis
    columns: SightAxis
    size: tuple[int, int]
    stride: tuple[float, float]
    offset: tuple[float, float]
    whole: bool
    gated: bool


class Setting(BaseModel):
    """One hyper-parameter as the layer's constructor takes it."""

    name: str
    value: str


class WeightArray(BaseModel):
    """One array of weights: `counts[i]` numbers lie from edges[i] to edges[i + 1]. `zeros`: the share that is exactly
    0. Null where there is no finite number."""

    name: str
    shape: tuple[int, ...]
    low: float | None
    high: float | None
    mean: float | None
    std: float | None
    zeros: float | None
    non_finite: int
    counts: tuple[int, ...]
    edges: tuple[float, ...]


class LayerSheet(BaseModel):
    """One step in full. `fed_by` and `feeds` name steps; "output" is the network's end. `sight` is null for a step that
    sees none of the picture."""

    name: str
    kind: str
    family: str
    shape: tuple[int, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    multiply_adds: int
    block: str
    sight: Sight | None
    settings: tuple[Setting, ...]
    fed_by: tuple[str, ...]
    feeds: tuple[str, ...]
    weights: tuple[WeightArray, ...]


class MapsTold(BaseModel):
    """A layer's values on the picture: range and mean of the finite ones, and its silent channels, which are zero or
    the same everywhere; `faint`: those that look empty beside the others. Null where no value is finite."""

    channels: int
    low: float | None
    high: float | None
    mean: float | None
    silent: tuple[int, ...]
    faint: tuple[int, ...]
    not_finite: int


class WhyRequest(LayerRequest):
    """`channels`: those asked about."""

    channels: tuple[int, ...] = Field(min_length=1, max_length=4096)


class WhyChannel(BaseModel):
    """Why one channel is black: the reason in a few words, and the sentence with its numbers."""

    channel: int
    words: str
    sentence: str


class ValueRange(BaseModel):
    """Least and largest finite value of all steps of the network on the picture, its input included."""

    low: float
    high: float
