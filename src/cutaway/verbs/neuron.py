"""neuron: what a unit of a network looks for, on photos and in a picture made to excite it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Done, Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cutaway.explanation.dream import Dream
    from cutaway.explanation.patches import ClassMean
    from cutaway.model import Model

MOST_PATCHES = 25


@dataclass(frozen=True, slots=True)
class NeuronOptions:
    """See what a unit looks for: the photos' patches that excite it most, and a picture optimised to excite it.

    A unit is conv3[12], a channel; conv3[12,4,7], one cell of its map (row, column); conv3[*], the most active
    channels; class:dog, a class. Ctrl-C keeps what is done.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    unit: tuple[str, ...]
    """conv3[12], conv3[12,4,7], conv3[*] or class:dog; several units give one page."""
    data: str = ""
    """Photos to search: a folder, an archive, a table or a name; default none, only a picture is made."""
    patches: int = 9
    """How many of the photos that excite a unit most are shown, one place in each; at most 25."""
    steps: int = 256
    """Steps of making the picture that excites a unit; 0: make none."""
    fold: str = "auto"
    """train, val, test or all; auto: the test fold where the data has one, else all."""
    most: int | None = None
    """At most so many photos, chosen evenly; default all of them."""
    channels: int = 6
    """How many channels conv3[*] takes."""
    seed: int = 0
    """The same seed gives the same optimised picture."""
    threads: int | None = None
    """Processor threads; default: all that torch takes."""
    out: str = ""
    """The page, .png or .svg; default neuron-MODEL.png in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import BadInput, must_be

        if not self.unit:
            raise BadInput("Name at least one unit, like conv3[12] (channel 12 of the layer conv3) or class:dog.")
        if not 1 <= self.patches <= MOST_PATCHES:
            raise must_be("patches", f"1 to {MOST_PATCHES}", self.patches)
        if self.steps < 0:
            raise must_be("steps", "0 or more", self.steps)
        if not self.steps and not self.data:
            raise BadInput("Without steps and without data there is nothing to show; give photos with --data.")
        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)
        for name in ("most", "channels", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise must_be(name, "at least 1", value)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One place of one photo: the unit's `value` there, `cell` (row, column) of its map, None where it has none.

    `window`: first row, first column, last row, last column that the unit sees there, all included, of `photo` uint8
    (H, W, 3) as the network gets it and of the padding around it; None: all of the photo. `box`: what of it lies in the
    photo, `pixels` the photo's pixels there. `under`: those below that cell of the map, None where there is no map.
    """

    name: str
    label: str
    value: float
    cell: tuple[int, int] | None
    window: tuple[int, int, int, int] | None
    under: tuple[int, int, int, int] | None
    photo: NDArray[np.uint8]

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        if self.window is None:
            return None
        (top, left, bottom, right), (height, width) = self.window, self.photo.shape[:2]
        return max(top, 0), max(left, 0), min(bottom, height - 1), min(right, width - 1)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        box = self.box
        if box is None:
            return self.photo
        top, left, bottom, right = box
        return self.photo[top : bottom + 1, left : right + 1]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "label": self.label or None, "value": float(f"{self.value:.6g}"),
            "cell": None if self.cell is None else list(self.cell), "box": None if self.box is None else list(self.box),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class NeuronUnit:
    """What one unit looks for.

    `sees`: its window in words ("43 x 43", "whole"), `window` in pixels. `strongest` and `weakest` (below zero only):
    one patch a photo. `fires`: share of the photos on which its largest value is above zero. `counts` between `edges`:
    how many photos have which largest value. `classes`: the mean of the largest values for each of the photos' classes,
    the largest first. `ceiling`: where the layer's ReLU ends (6 for ReLU6); all values here are those before that, so
    that photos can be told apart beyond it. `picture`: the optimised one; `seen`: the pixels of it that one cell sees.
    `says`: what follows, in sentences; `why`: why it never fires on the photos, "" where it does. Without data, or
    without steps, their part is empty or None.
    """

    name: str
    layer: str
    kind: str
    channel: int
    cell: tuple[int, int] | None
    target: str
    sees: str
    window: tuple[int, int] | None
    strongest: tuple[Patch, ...]
    weakest: tuple[Patch, ...]
    fires: float | None
    counts: tuple[int, ...]
    edges: tuple[float, ...]
    classes: tuple[ClassMean, ...]
    picture: Dream | None
    says: tuple[str, ...]
    ceiling: float | None = None
    seen: tuple[int, int, int, int] | None = None
    why: str = ""

    @property
    def times(self) -> float | None:
        """What the optimised picture reaches, as a multiple of the best photo; None unless both are above zero."""
        if self.picture is None or not self.strongest or min(self.picture.value, self.strongest[0].value) <= 0:
            return None
        return self.picture.value / self.strongest[0].value

    def to_dict(self) -> dict[str, Any]:
        made = self.picture
        return {
            "unit": self.name, "layer": self.layer, "kind": self.kind, "channel": self.channel,
            "cell": None if self.cell is None else list(self.cell), "class": self.target or None, "sees": self.sees,
            "strongest": [p.to_dict() for p in self.strongest], "weakest": [p.to_dict() for p in self.weakest],
            "fires": _rounded(self.fires), "counts": list(self.counts), "edges": [_rounded(e) for e in self.edges],
            "classes": [
                {"class": c.name, "mean": _rounded(c.mean), "photos": c.pictures,
                 "error": _rounded(c.error) if c.pictures > 1 else None}
                for c in self.classes
            ],
            "ceiling": self.ceiling,
            "picture": None if made is None else {
                "value": _rounded(made.value), "grey": _rounded(made.grey), "steps": made.steps,
                "times_best_photo": _rounded(self.times),
            },
            "says": list(self.says), "why": self.why or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class NeuronResult:
    """The units in the order asked for, over `pictures` of `of` photos, and the page's path (None: none was drawn).

    `stopped`: Ctrl-C ended it early; what was done by then is here.
    """

    model: str
    data: str
    pictures: int
    of: int
    unreadable: tuple[tuple[str, str], ...]
    stopped: bool
    units: tuple[NeuronUnit, ...]
    path: Path | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data or None, "pictures": self.pictures, "of": self.of,
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable], "stopped": self.stopped,
            "units": [unit.to_dict() for unit in self.units], "path": None if self.path is None else str(self.path),
        }  # fmt: skip


class NeuronVerb(Verb[..., NeuronResult]):
    """`neuron(model, *units, data=...)`: the model a name as typed or a Model."""

    __slots__ = ()

    def __call__(
        self, model: Model | str, *units: str, unit: tuple[str, ...] = (), data: str = "", out: str = "", **knobs: Any
    ) -> NeuronResult:
        """Model, units, photos -> NeuronResult with pictures and patches as arrays.

        Where the model is named by text this is what the command line does, page included; with a Model a page is
        drawn only where `out` says so. Raises BadInput, BadModel.
        """
        asked = (*units, *unit)
        if isinstance(model, str):
            return super().__call__(model, asked, data=data, out=out, **knobs)
        from cutaway.verbs.neuron_run import units_of
        from cutaway.verbs.picture_file import picture_file

        options = NeuronOptions("model", asked, data=data, out=out, **knobs)
        path = picture_file(out, "neuron", "model") if out else None
        for event in _done(units_of(options, model, path)):
            if isinstance(event, Done):
                result: NeuronResult = event.result
        return result


def _done(work: Generator[Event, None, NeuronResult]) -> Generator[Event | Done[NeuronResult], None, None]:
    yield Done((yield from work))


def _run(options: NeuronOptions) -> Generator[Event, None, NeuronResult]:
    from cutaway.verbs.find import find_model, made_now
    from cutaway.verbs.neuron_run import units_of
    from cutaway.verbs.picture_file import picture_file

    path = picture_file(options.out, "neuron", options.model)
    model = find_model(options.model)
    yield from made_now(options.model, model)
    return (yield from units_of(options, model, path))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


neuron = NeuronVerb("neuron", NeuronOptions, _run)
