"""unfold: the arithmetic of one number of the network on one picture."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.engine.unfold import Arithmetic

_AT = re.compile(r"\s*(?P<name>[^\[\]]+?)\s*(\[(?P<index>[^\[\]]*)\])?\s*")


@dataclass(frozen=True, slots=True)
class UnfoldOptions:
    """Unfold one number: the patch, kernel, products, sums, bias and activation that it is made of."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    picture: str
    """A photo, or sample:NAME."""
    at: str = ""
    """conv2[7,12,5] is channel 7, row 12, column 5, from 0; a layer alone: its largest number; default the answer."""
    out: str = ""
    """Also draw it as a figure: a file that ends in .svg or .png."""


@dataclass(frozen=True, slots=True)
class UnfoldResult:
    """The number's arithmetic, then that of the normalisation and activation after it; where it looked; the figure.

    `box`: ((first row, last row), (first column, last column)) of the picture at the network's size, both counted in;
    None where the number does not come from the picture. `chosen`: the cell was not asked for, it is the largest.
    """

    model: str
    picture: str
    size: tuple[int, int]
    steps: tuple[Arithmetic, ...]
    box: tuple[tuple[int, int], ...] | None
    chosen: bool
    path: Path | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "picture": self.picture,
            "size": list(self.size),
            "box": None if self.box is None else [list(side) for side in self.box],
            "chosen": self.chosen,
            "path": None if self.path is None else str(self.path),
            "steps": [step.to_dict() for step in self.steps],
        }


def _run(options: UnfoldOptions) -> Generator[Event, None, UnfoldResult]:
    from cutaway.engine.prepare import prepare
    from cutaway.engine.trace import trace_steps
    from cutaway.engine.unfold import picture_box, strongest, unfold_on
    from cutaway.image.fit import fit_picture
    from cutaway.verbs.find import find_model, made_now
    from cutaway.verbs.picture_file import picture_file
    from cutaway.verbs.watch import one_picture

    name, index = _asked(options.at)
    path = picture_file(options.out, "unfold", options.model, (".svg", ".png")) if options.out else None
    model = find_model(options.model)
    yield from made_now(options.model, model)
    picture = one_picture(options.picture, model)
    fitted = fit_picture(picture, model.contract)  # (H, W, 3)
    trace = trace_steps(model.graph, prepare(fitted[None], model.contract))
    name = name or list(trace)[-1]
    _must_be_there(model.graph, name)
    cell = strongest(trace, name) if index is None else index
    steps = unfold_on(model.graph, trace, name, cell)
    box = picture_box(model.graph, trace, name, cell)
    result = UnfoldResult(options.model, picture.name, model.contract.size, steps, box, index is None, path)
    if path is not None:
        _draw(result, fitted, path)
    return result


def _asked(at: str) -> tuple[str, tuple[int, ...] | None]:
    """What was typed for --at -> layer name and index, None where only the layer was named."""
    from cutaway.errors import must_be

    if not at.strip():
        return "", None
    found = _AT.fullmatch(at)
    numbers = [n.strip() for n in found["index"].split(",")] if found and found["index"] is not None else []
    if not found or not all(re.fullmatch(r"-?\d{1,9}", n) for n in numbers):
        raise must_be("at", "like conv2[7,12,5] (channel, row, column), fc[3] or a layer's name alone", at)
    return found["name"], tuple(map(int, numbers)) if found["index"] is not None else None


def _must_be_there(graph: Any, name: str) -> None:
    from cutaway.graph.names import step_named

    step_named(graph, name)


def _draw(result: UnfoldResult, picture: Any, path: Path) -> None:
    from cutaway.draw.arithmetic import arithmetic_scene, full

    told = [step.to_dict() for step in result.steps]
    cell = ", ".join(map(str, told[0]["index"]))
    title = f"{told[0]['step']}[{cell}] = {full(told[0]['total'])}"
    scene = arithmetic_scene(told, title, picture, result.box)
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())


unfold = Verb("unfold", UnfoldOptions, _run)
