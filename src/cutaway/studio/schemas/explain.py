"""Why an answer: what can be asked, a method's map with what was measured of it, and the long work of that page."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from cutaway.studio.schemas.about import About


class ExplainRequest(About):
    """`target`: class to explain, by name or number, "" the likeliest; `against`: explain it rather than this one."""

    target: str = Field(default="", max_length=1000)
    against: str = Field(default="", max_length=1000)


class Knob(BaseModel):
    """One setting of a method: `default` as it is typed; `choices` where there are only some."""

    name: str
    kind: Literal["whole", "number", "yes-no", "text"]
    default: str
    help: str
    choices: tuple[str, ...]


class MethodCard(BaseModel):
    """A way of explaining, as explanation.method.Method tells it; `why`: why it cannot work here, "" where it can."""

    name: str
    title: str
    says: str
    paper: str
    departs: str
    runs: str
    cost: Literal["instant", "seconds", "slow"]
    layered: bool
    units: Literal["score", "layer"]
    why: str
    knobs: tuple[Knob, ...]


class WeighedLayer(BaseModel):
    """A step whose maps can be weighed: how many, of how many rows and columns."""

    name: str
    channels: int
    cells: tuple[int, int]


class ExplainCard(BaseModel):
    """What can be asked about this picture. `classes` and `probabilities` in the model's order; `target`, `against`:
    their indices; `question`: both in words; `value`: the score that is explained; `layer`: the one taken by itself,
    "" where none can be; `size`: height and width of the picture and of all maps."""

    title: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    target: int
    against: int | None
    question: str
    value: float
    size: tuple[int, int]
    layer: str
    layers: tuple[WeighedLayer, ...]
    methods: tuple[MethodCard, ...]


class MethodMapRequest(ExplainRequest):
    """One method's map; `settings` as they are typed."""

    method: str
    settings: dict[str, str] = Field(default_factory=dict, max_length=50)


class Shade(BaseModel):
    """Where colours may end: the `percentile` of |values|, the value there, the share of the values beyond it."""

    percentile: float
    high: float
    beyond: float


class ChecksTold(BaseModel):
    """What was measured of a map: see explanation.explanation.Checks; curves after 0 to all pixels in equal steps."""

    level: Literal["passes", "doubtful", "fails"]
    sentence: str
    completeness: float | None
    deletion: float
    insertion: float
    deletion_random: float
    insertion_random: float
    deletion_edges: float
    insertion_edges: float
    deletion_curve: tuple[float, ...]
    insertion_curve: tuple[float, ...]
    deletion_curve_random: tuple[float, ...]
    insertion_curve_random: tuple[float, ...]
    randomised: float | None
    shifted: float | None
    edges: float | None
    notes: tuple[str, ...]
    seconds: float


class MethodMap(BaseModel):
    """A method's map: `values` are float32, little-endian, row by row, in base64, of `size` height and width, in units
    of the explained score; exactly what explanation.explained gives. `sum` of all; `shades` from few colours lost on
    to none; `signed`: whether one lies below zero."""

    method: str
    question: str
    layer: str
    settings: dict[str, str]
    value: float
    base: float | None
    seconds: float
    notes: tuple[str, ...]
    size: tuple[int, int]
    values: str
    low: float
    high: float
    sum: float
    signed: bool
    shades: tuple[Shade, ...]
    checks: ChecksTold | None


class Wanted(BaseModel):
    """A method with its settings as they are typed."""

    name: str
    settings: dict[str, str] = Field(default_factory=dict, max_length=50)


class MethodMapsRequest(ExplainRequest):
    """Maps to make one after the other, and whether to measure each."""

    methods: tuple[Wanted, ...] = Field(min_length=1, max_length=64)
    check: bool = True


class TrustRequest(About):
    """Every check of the methods ((): those that take no minutes) over `most` pictures of `data`."""

    data: str = Field(max_length=4096)
    methods: tuple[str, ...] = Field(default=(), max_length=64)
    target: str = Field(default="", max_length=1000)
    most: int = 40


class UnitRequest(About):
    """What `unit` (conv3[12], conv3[12,4,7], conv3[*], class:dog) looks for, in `data` ("": nowhere) and in a picture
    made in so many `steps`."""

    unit: str = Field(max_length=1000)
    data: str = Field(default="", max_length=4096)
    patches: int = 9
    steps: int = 256
    most: int | None = None
    channels: int = 6
    seed: int = 0
