"""shift: the picture moves, turns, grows or changes, and the probabilities follow."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cutaway.events import Event, Progress
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.draw.scene import Scene
    from cutaway.surgery.shift import Change, Shift

KINDS = ("translate", "rotate", "zoom", "cover", "brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True, slots=True)
class ShiftOptions:
    """Move, turn, zoom, cover or recolour a picture step by step and see the probabilities follow.

    The picture is changed at the network's own size; beyond its edges it is reflected.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    picture: str
    """A photo, or sample:NAME."""
    translate: float | None = None
    """Pixels of the network's input to each side."""
    rotate: float | None = None
    """Degrees to each side."""
    zoom: float | None = None
    """Factor: from 1/FACTOR to FACTOR times."""
    cover: float | None = None
    """Share of the area, from 0: a square in the middle, of the picture's mean colour."""
    brightness: float | None = None
    """0.5: from half to one and a half times."""
    contrast: float | None = None
    """0.5: from half to one and a half times."""
    saturation: float | None = None
    """1: from gray to twice the colour."""
    hue: float | None = None
    """Degrees of the colour circle to each side."""
    along: Literal["x", "y", "both"] = "x"
    """Where --translate goes: x, y or both."""
    steps: int = 17
    """How many pictures, the unmoved one in the middle: an odd number."""
    table: str = ""
    """Also the numbers of every class, .csv or .json."""
    out: str = ""
    """The chart, .png or .svg; default shift-MODEL.png in this folder."""

    def __post_init__(self) -> None:
        from pathlib import Path

        from cutaway.errors import BadInput, must_be

        asked = [f"--{kind}" for kind in KINDS if getattr(self, kind) is not None]
        if len(asked) != 1:
            found = " and ".join(asked) if asked else "none"
            raise BadInput(f"Say one thing to change: {', '.join('--' + k for k in KINDS)}. Got {found}.")
        if self.along not in ("x", "y", "both"):
            raise must_be("along", "x, y or both", self.along)
        if self.table and (Path(self.table).suffix.lower() not in (".csv", ".json") or Path(self.table).is_dir()):
            raise must_be("table", "a file that ends in .csv or .json", self.table)


@dataclass(frozen=True, slots=True)
class ShiftResult:
    """Probabilities (steps x classes) at each amount, the unmoved step's number, how little they follow the change.

    `invariance`: 1 - mean over the moved steps of half the sum over classes of |p - p unmoved|; `kept`: share of the
    moved steps with the unmoved picture's likeliest class; `turns`: the amounts, on each side, where that ends.
    """

    model: str
    picture: str
    kind: str
    unit: str
    along: str
    amounts: tuple[float, ...]
    start: int
    classes: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]
    invariance: float
    formula: str
    kept: float
    turns: tuple[float, ...]
    path: Path
    table: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "picture": self.picture, "kind": self.kind, "unit": self.unit, "along": self.along,
            "amounts": [round(a, 6) for a in self.amounts], "unmoved_step": self.start, "classes": list(self.classes),
            "probabilities": [[round(p, 6) for p in row] for row in self.probabilities],
            "invariance": round(self.invariance, 6), "invariance_formula": self.formula,
            "kept": round(self.kept, 6), "turns": [round(a, 6) for a in self.turns], "edges": "reflected",
            "path": str(self.path), "table": self.table,
        }  # fmt: skip


def _run(options: ShiftOptions) -> Generator[Event, None, ShiftResult]:
    from pathlib import Path

    from cutaway.image.fit import fit_picture
    from cutaway.surgery.shift import FORMULA, UNITS, Change, shift
    from cutaway.verbs.find import find_model, made_now
    from cutaway.verbs.out import must_be_writable
    from cutaway.verbs.picture_file import picture_file
    from cutaway.verbs.watch import one_picture

    kind: Any = next(k for k in KINDS if getattr(options, k) is not None)
    change = Change(kind, float(getattr(options, kind)), options.along)
    change.amounts(options.steps)
    path = picture_file(options.out, "shift", options.model)
    if options.table:
        must_be_writable(Path(options.table).parent)
    model = find_model(options.model)
    yield from made_now(options.model, model)
    picture = one_picture(options.picture, model)
    fitted = fit_picture(picture, model.contract)  # (H, W, 3)
    yield Progress("shift", 0, options.steps, "pictures")
    found = shift(model, fitted, change, options.steps)
    yield Progress("shift", options.steps, options.steps, "pictures")
    classes = model.classes or tuple(f"class {k}" for k in range(found.probabilities.shape[1]))
    result = ShiftResult(
        options.model, picture.name, kind, UNITS[kind], options.along, found.amounts, found.start, classes,
        tuple(tuple(map(float, row)) for row in found.probabilities), found.invariance, FORMULA, found.kept,
        found.turns, path, options.table,
    )  # fmt: skip
    scene = _chart(result, found, change)
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())
    if options.table:
        _write_table(Path(options.table), result)
    return result


def _chart(result: ShiftResult, found: Shift, change: Change) -> Scene:
    from cutaway.draw.shift import Curve, most_likely, shift_chart
    from cutaway.verbs.model_name import title_of

    network = title_of(result.model)
    answer = result.classes[int(found.probabilities[found.start].argmax())]
    shown = most_likely(found.probabilities, found.start)
    curves = [Curve(result.classes[k], found.probabilities[:, k].tolist()) for k in shown]
    words = [
        f"Invariance {found.invariance:.3f}: 1 minus the mean total variation distance to the unmoved answer; "
        f"{answer} stays the likeliest in {100 * found.kept:.0f} % of the steps.",
        "The picture is changed at the network's own size; beyond its edges it is reflected.",
    ]
    if result.kind in ("cover", "brightness", "contrast", "saturation", "hue"):
        words[1] = "The picture is changed at the network's own size."
    return shift_chart(
        curves, found.amounts, found.pictures, title=f"{_title(change)}: what {network} says", words=words,
        x_label=_axis_words(change), start=found.start, equal_factors=result.kind == "zoom",
    )  # fmt: skip


_TITLES = {
    "translate": "The picture moves", "rotate": "The picture turns", "zoom": "The picture is zoomed",
    "cover": "The picture is covered", "brightness": "The picture gets brighter",
    "contrast": "The picture gets more contrast", "saturation": "The picture gets more colour",
    "hue": "The colours turn",
}  # fmt: skip


def _title(change: Change) -> str:
    return _TITLES[change.kind]


def _axis_words(change: Change) -> str:
    ways = {"x": "to the right", "y": "down", "both": "to the right and down"}
    return {
        "translate": f"pixels {ways[change.along]}", "rotate": "degrees clockwise", "zoom": "times as large",
        "cover": "share of the area that is covered", "brightness": "times as bright",
        "contrast": "times the contrast", "saturation": "times the saturation", "hue": "degrees on the colour circle",
    }[change.kind]  # fmt: skip


def _write_table(path: Path, result: ShiftResult) -> None:
    import csv
    import json

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".json":
        path.write_text(json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([f"{result.kind}, {result.unit}", *result.classes])
        writer.writerows(
            [f"{a:g}", *(f"{p:.6f}" for p in row)] for a, row in zip(result.amounts, result.probabilities, strict=True)
        )


shift = Verb("shift", ShiftOptions, _run)
