"""compare: two models side by side, which layers differ in structure and weights; on pictures, where they part."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event, Progress
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.model.compare import Comparison


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """Compare two models: which layers differ, in structure and in weights; on pictures, where they part."""

    a: str
    """Model file, run, or zoo:NAME."""
    b: str
    """The model to compare it with."""
    pictures: tuple[str, ...] = ()
    """Photos, folders, archives, or sample:NAME that both are asked about."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The two models as they were named, what was found, and pictures that could not be read."""

    a: str
    b: str
    found: Comparison
    unreadable: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        found = self.found
        return {
            "a": {"name": self.a, **_side(found.a)},
            "b": {"name": self.b, **_side(found.b)},
            "equal": found.counted("equal"),
            "rounding": found.counted("rounding"),
            "weights": found.counted("weights"),
            "settings": found.counted("settings"),
            "only_a": found.counted("only a"),
            "only_b": found.counted("only b"),
            "contract": {name: list(values) for name, values in found.contract.items()},
            "notes": list(found.notes),
            "layers": [_pair(pair) for pair in found.pairs],
            "parts_at": found.parts_at,
            "pictures": [
                {
                    "name": p.name,
                    "a": {"class": p.a[0], "probability": round(p.a[1], 6)},
                    "b": {"class": p.b[0], "probability": round(p.b[1], 6)},
                    "difference": _rounded(p.difference),
                }
                for p in found.pictures
            ],
            "unreadable": list(self.unreadable),
        }


def _side(side: Any) -> dict[str, Any]:
    return {
        "layers": side.layers,
        "parameters": side.parameters,
        "multiply_adds": side.multiply_adds,
        "classes": list(side.classes),
        "input": side.input,
    }


def _pair(pair: Any) -> dict[str, Any]:
    weights = pair.weights
    return {
        "a": pair.a,
        "b": pair.b,
        "kind": pair.kind,
        "shape": list(pair.shape),
        "status": pair.status,
        "settings": {name: [_plain(v) for v in values] for name, values in pair.settings.items()},
        "weights": weights
        and {
            "largest": _rounded(weights.largest),
            "relative": _rounded(weights.relative),
            "correlation": _rounded(weights.correlation),
            "shapes": {name: [list(s) for s in shapes] for name, shapes in weights.shapes.items()},
        },
        "activation": _rounded(pair.activation),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _rounded(value: float | None) -> float | None:
    """Six digits, without infinity and NaN, which JSON has not."""
    return None if value is None or value != value or abs(value) == float("inf") else float(f"{value:.6g}")


def _run(options: CompareOptions) -> Generator[Event, None, Compared]:
    from cutaway.dataset.loose import open_pictures
    from cutaway.dataset.words import none_of
    from cutaway.errors import BadInput, BadPicture
    from cutaway.image.fit import target_px
    from cutaway.model.compare import compare_models, compare_on
    from cutaway.verbs.find import find_model

    dataset = open_pictures(options.pictures) if options.pictures else None
    a, b = find_model(options.a), find_model(options.b)
    found = compare_models(a, b)
    if dataset is None:
        return Compared(options.a, options.b, found)
    asked = max(target_px(a.contract), target_px(b.contract))
    unreadable: list[str] = []

    def readable() -> Generator[tuple[str, Any], None, None]:
        for index, sample in enumerate(dataset.samples):
            try:
                yield sample.name, dataset.read(index, asked)
            except BadPicture as error:
                unreadable.append(f"{error.name}: {error.code}")

    for done, seen in compare_on(found, a, b, readable()):
        found = seen
        yield Progress("compare", done, len(dataset), "pictures")
    if not found.pictures:
        raise BadInput(f"{none_of(len(dataset), 'picture')} can be read; the first is {unreadable[0]}.")
    return Compared(options.a, options.b, found, tuple(unreadable))


compare = Verb("compare", CompareOptions, _run)
