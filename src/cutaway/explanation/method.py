"""Method: one way of explaining, with its paper, our departures from it, its cost and its knobs; METHODS lists all."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.events import Progress
from cutaway.explanation.question import Question
from cutaway.options import fields_of

# name: module that holds its METHOD; the order of sheets and tables
METHODS = {
    "saliency": "cutaway.explanation.saliency",
    "input-x-gradient": "cutaway.explanation.input_gradient",
    "smoothgrad": "cutaway.explanation.smoothgrad",
    "integrated-gradients": "cutaway.explanation.integrated_gradients",
    "guided-backprop": "cutaway.explanation.guided_backprop",
    "deconvnet": "cutaway.explanation.deconvnet",
    "gradcam": "cutaway.explanation.gradcam",
    "gradcam++": "cutaway.explanation.gradcam_plus",
    "layercam": "cutaway.explanation.layercam",
    "scorecam": "cutaway.explanation.scorecam",
    "eigencam": "cutaway.explanation.eigencam",
    "occlusion": "cutaway.explanation.occlusion",
    "rise": "cutaway.explanation.rise",
    "lrp": "cutaway.explanation.lrp",
    "lime": "cutaway.explanation.lime_map",
    "shap": "cutaway.explanation.shap_map",
}
_OTHER_NAMES = {"ig": "integrated-gradients", "gradient": "saliency", "gradcampp": "gradcam++", "backprop": "saliency"}

Cost = Literal["instant", "seconds", "slow"]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Maps float32 (N, H, W) of a question's N pictures: signed, in units of f, not normalised.

    `base`: f of what the method compares with (N,), where the maps promise to add up to f(x) - base. `layer`: the
    step whose maps were weighed, "" where the method has none. `notes`: sentences a reader must know.
    """

    maps: NDArray[np.float32]
    layer: str = ""
    base: NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()


Explain = Callable[[Question, Any], Answer | Generator[Progress, None, Answer]]


@dataclass(frozen=True, slots=True)
class NoSettings:
    """Nothing to set."""


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """`explain(question, settings) -> Answer`, or a generator that yields Progress and returns it.

    `says`: in one sentence what a large value means. `paper`: authors, year, title. `departs`: where we do otherwise
    than the paper, "" for nowhere. `runs`: what it costs, in words ("50 gradients"). `layered`: its settings have a
    `layer`. `complete`: its maps add up to f(x) - f(baseline). `needs_gradient`: a model without gradients cannot.
    `units`: whether its values are of the explained score or of the layer whose maps it shows.
    `extra`: the optional library's extra, "" for none.
    """

    name: str
    title: str
    says: str
    paper: str
    departs: str
    runs: str
    explain: Explain
    settings: type = NoSettings
    cost: Cost = "instant"
    layered: bool = False
    complete: bool = False
    signed: bool = False
    needs_gradient: bool = True
    units: Literal["score", "layer"] = "score"
    extra: str = ""


def method_named(typed: str) -> Method:
    """Name (hyphens, blanks and capitals do not matter: "Grad-CAM++", "ig") -> Method. Raises BadInput."""
    if known := name_of(typed):
        found = importlib.import_module(METHODS[known]).METHOD
        assert isinstance(found, Method)
        return found
    near = difflib.get_close_matches(_plain(typed), METHODS, 2, 0.5)
    hint = f" Nearest: {', '.join(near)}." if near else ""
    raise BadInput(f"There is no method {typed!r}.{hint} Methods: {', '.join(METHODS)}.")


def name_of(typed: str) -> str | None:
    """What a person typed -> the name of the method it means, installed or not; None for none."""
    name = _plain(typed)
    return next((known for known in METHODS if _plain(known) == _plain(_OTHER_NAMES.get(name, name))), None)


def names_typed(typed: Sequence[str]) -> tuple[str, ...]:
    """Names as typed, one in each or several with commas between -> one in each."""
    return tuple(name.strip() for word in typed for name in word.split(",") if name.strip())


def settings_of(method: Method, given: Mapping[str, str | int | float | bool]) -> Any:
    """Method, knob: value as typed or as it is -> its settings. Raises BadInput for a knob or a value it has not."""
    fields = {f.name: f for f in fields_of(method.settings)}
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            there = ", ".join(fields) or "no settings"
            raise BadInput(f"{method.title} has no setting {name!r}; it has {there}.")
        found[name] = _value(method, name, fields[name].type, value)
    return method.settings(**found)


def settings_dict(settings: Any) -> dict[str, Any]:
    return dataclasses.asdict(settings)


def _value(method: Method, name: str, kind: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if kind is bool:
            return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[value.lower()]
        return kind(value) if kind in (int, float) else value
    except (ValueError, KeyError):
        word = {int: "a whole number", float: "a number", bool: "yes or no"}[kind]
        raise BadInput(f"{name} of {method.title} must be {word}. Got {value!r}.") from None


def _plain(typed: str) -> str:
    return "".join(c for c in typed.lower() if c.isalnum() or c == "+")
