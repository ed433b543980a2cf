"""What the lessons ask for and are told: numbers and small maps, each from one small piece of a network."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from cutaway.studio.schemas.about import About

Numbers = tuple[float, ...]
Grid = tuple[Numbers, ...]
Cell = tuple[int, int]
ActivationName = Literal["relu", "leaky_relu", "sigmoid", "tanh"]
KernelName = Literal[
    "identity",
    "vertical_edge",
    "horizontal_edge",
    "diagonal_edge",
    "sobel_x",
    "sobel_y",
    "laplacian",
    "blur",
    "sharpen",
]
MOST = 11
"""Weights a side of a lesson's kernel."""


class LessonRequest(About):
    """As About, but a lesson needs no model: "" takes the picture at 224 x 224 pixels and says nothing of one."""

    model: str = Field(default="", max_length=4096)


class Plane(BaseModel):
    """One map: `data` holds its bytes row after row in base64; value = lo + byte / 254 * (hi - lo), 255 no number."""

    height: int
    width: int
    lo: float
    hi: float
    data: str


class Colours(BaseModel):
    """A picture: `data` holds red, green and blue of each pixel, row after row, in base64."""

    height: int
    width: int
    data: str


class Spot(BaseModel):
    """Where the reader's network does what a lesson is about; `layer` is "" where it has none."""

    lesson: str
    layer: str
    sentence: str


class LessonStart(BaseModel):
    """The picture at the network's size, and what becomes of it. `stored`: height and width in the file; `kept`: left,
    top, right, bottom of what is kept of it, as shares; `model`: its title, "" without one; `filters`: of its first
    convolution, 0 where that cannot be shown; `brightest`: row, column, level."""

    model: str
    classes: tuple[str, ...]
    picture: Colours
    stored: Cell
    kept: tuple[float, float, float, float]
    contract: str
    fit: str
    interpolation: str
    channels: tuple[str, ...]
    formula: str
    filters: int
    first: str
    brightest: tuple[int, int, int]
    spots: tuple[Spot, ...]


class PixelsRequest(LessonRequest):
    """A square of `count` pixels whose first one is `row`, `column` at the network's size."""

    row: int = Field(ge=0)
    column: int = Field(ge=0)
    count: int = Field(default=8, ge=1, le=32)


class PixelNumbers(BaseModel):
    """`levels`: row, column, red/green/blue; `inputs`: the same places as the network gets them, channel first; `lo`,
    `hi`: of each of its channels over the whole picture; `bright`: whether the brightest pixel is among them."""

    row: int
    column: int
    levels: tuple[tuple[tuple[int, int, int], ...], ...]
    inputs: tuple[Grid, ...]
    lo: Numbers
    hi: Numbers
    bright: bool


class ShrinkRequest(LessonRequest):
    """The picture's longer side made `side` pixels long, then enlarged again."""

    side: int = Field(ge=1, le=4096)


class Shrunk(BaseModel):
    """`small`; `numbers` of it and `of` the whole; `error`: mean absolute difference in levels once enlarged again."""

    small: Colours
    numbers: int
    of: int
    error: float


class ClassAnswer(BaseModel):
    """A class and its probability."""

    name: str
    p: float


class ShrunkAnswer(BaseModel):
    """What the network says to the picture, and to the one that was made small and large again."""

    side: int
    whole: ClassAnswer
    shrunk: ClassAnswer
    whole_now: float
    same: bool


class Probabilities(BaseModel):
    """Of all classes, in the model's order."""

    p: Numbers


class PictureRowRequest(LessonRequest):
    """One row of the picture as `cells` means of its brightness."""

    row: int = Field(ge=0)
    cells: int = Field(default=24, ge=4, le=64)


class PictureRow(BaseModel):
    """Brightness in [0, 1], two decimals."""

    row: int
    values: Numbers


class AlongRequest(BaseModel):
    """A row of numbers and a kernel that slides along it."""

    values: Numbers = Field(min_length=1, max_length=128)
    kernel: Numbers = Field(min_length=1, max_length=MOST)


class AlongSeen(BaseModel):
    """What the kernel sees at each place, times its weights, and the sums. `best`: the place of the largest; `falls`,
    `rises`: whether the kernel answers above 0 exactly where 1 becomes 0 (0 becomes 1), on a test row of its own."""

    patches: Grid
    products: Grid
    sums: Numbers
    best: int
    falls: bool
    rises: bool


class OverRequest(LessonRequest):
    """A filter over the picture. `source`: its brightness, its colours, or what the network's first convolution gets.
    `slices`: one kernel for each map; without them `name` in every slice, for "model" the weights of `filter`.
    `cell`: of the result, to be opened; `given`: whether the maps that go in are sent along."""

    source: Literal["grey", "rgb", "model"] = "grey"
    slices: tuple[Grid, ...] | None = Field(default=None, max_length=4)
    name: KernelName = "vertical_edge"
    side: int = Field(default=3, ge=1, le=MOST)
    filter: int = Field(default=0, ge=0)
    stride: int = Field(default=1, ge=1, le=16)
    padding: int = Field(default=0, ge=0, le=32)
    dilation: int = Field(default=1, ge=1, le=16)
    cell: Cell | None = None
    activation: ActivationName | None = None
    given: bool = False


class OpenedCell(BaseModel):
    """One cell of the result. `top`, `left`: where its window begins, below 0 in the padding; `inside`: which of it is
    picture; one patch and one grid of products for each slice, their sums, and the value with the bias."""

    row: int
    column: int
    top: int
    left: int
    patches: tuple[Grid, ...]
    inside: tuple[tuple[bool, ...], ...]
    products: tuple[Grid, ...]
    sums: Numbers
    bias: float
    value: float


class TestAnswers(BaseModel):
    """What a kernel says to a flat window, a vertical and a horizontal edge."""

    flat: float
    vertical: float
    horizontal: float


class OverSeen(BaseModel):
    """`slices`: the weights used; `given`: what each slice slid over, where asked for; `parts`: each slice's own map
    where there are several; `total`: their sum and the bias; `after`: the activation of it. `zeros`: share of exact
    zeros in what is shown last, `flat`: share whose slope is below a hundredth there (null without activation).
    `unseen`: cells of a side that no window reaches."""

    slices: tuple[Grid, ...]
    bias: float
    stride: int
    padding: int
    dilation: int
    cells: Cell
    given: tuple[Plane, ...]
    parts: tuple[Plane, ...]
    total: Plane
    after: Plane | None
    zeros: float
    flat: float | None
    answers: TestAnswers
    opened: OpenedCell | None
    layer: str
    unseen: Cell


class PlacesRequest(BaseModel):
    """A row of cells and a window that moves along it."""

    cells: int = Field(ge=1, le=4096)
    kernel: int = Field(ge=1, le=MOST)
    stride: int = Field(default=1, ge=1, le=16)
    padding: int = Field(default=0, ge=0, le=32)
    dilation: int = Field(default=1, ge=1, le=16)


class WindowPlaces(BaseModel):
    """`out`: by the formula, and as many `starts` were counted; see engine.lesson.window.Places. `same`: the padding
    that keeps the size at stride 1, null where no equal one on both sides does."""

    out: int
    span: int
    starts: tuple[int, ...]
    seen: tuple[int, ...]
    outside: tuple[int, ...]
    left: int
    same: int | None


class CurveRequest(BaseModel):
    """An activation at `x`, and a chain of `depth` layers of one `weight` each that begins there."""

    name: ActivationName
    x: float = Field(ge=-1000, le=1000)
    weight: float = Field(default=1, ge=-20, le=20)
    depth: int = Field(default=8, ge=1, le=30)


class CurveSeen(BaseModel):
    """The curve and its slope over `xs`; both at x; `most`: the largest slope there is; the chain, layer by layer."""

    xs: Numbers
    ys: Numbers
    slopes: Numbers
    y: float
    slope: float
    most: float
    values: Numbers
    steps: Numbers
    left: Numbers


class LayerZeros(BaseModel):
    """An activation of the reader's network on the picture: share of its numbers that are exactly 0."""

    layer: str
    kind: str
    zeros: float


class PoolRequest(LessonRequest):
    """The picture's feature map (kernel by name, ReLU), pooled, before and after the picture moved right by `right`."""

    name: KernelName = "vertical_edge"
    kind: Literal["max", "average"] = "max"
    size: int = Field(default=2, ge=1, le=32)
    stride: int = Field(default=2, ge=1, le=32)
    right: int = Field(default=0, ge=-64, le=64)
    cell: Cell | None = None


class PooledCell(BaseModel):
    """One cell of the pooled map: the numbers under its window, and what they become by the chosen kind."""

    row: int
    column: int
    patch: Grid
    value: float


class PoolSeen(BaseModel):
    """`still`, `moved`: the map before pooling; `pooled_still`, `pooled_moved`; `alike`: cosine between the two before
    pooling, and after it by the chosen kind; `kept`: share of the numbers that are left."""

    picture: Colours
    still: Plane
    moved: Plane
    pooled_still: Plane
    pooled_moved: Plane
    kept: float
    alike: tuple[float, float]
    opened: PooledCell | None


class PoolCurve(BaseModel):
    """Moves in pixels, and the cosine between the maps of the still and the moved picture at each of them."""

    moves: tuple[int, ...]
    none: Numbers
    max: Numbers
    average: Numbers
