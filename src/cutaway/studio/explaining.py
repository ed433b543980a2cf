"""Explanations for the page: the pictures that are explained now, what can be asked about them, and one map as sent."""

from __future__ import annotations

import base64
import hashlib
import threading
import typing
from collections.abc import Generator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from cutaway.errors import BadInput, CutawayError, one_line
from cutaway.events import Event, Found
from cutaway.studio.desk import Desk
from cutaway.studio.keep import Keep
from cutaway.studio.schemas import explain as told

if TYPE_CHECKING:
    from cutaway.explanation.explanation import Explanation
    from cutaway.explanation.method import Method
    from cutaway.explanation.one_picture import OnePicture
    from cutaway.explanation.one_picture import Why as Asked

PICTURES = 3
PERCENTILES = (95.0, 99.0, 99.5, 99.9, 100.0)
"""Of |values|: where the colours may end."""
_KINDS: dict[Any, Any] = {int: "whole", float: "number", bool: "yes-no"}
_kept: WeakKeyDictionary[Desk, Keep[OnePicture]] = WeakKeyDictionary()
_lock = threading.Lock()


def one_picture(desk: Desk, asked: told.ExplainRequest) -> OnePicture:
    """Request -> its picture, ready to be explained by its model as edited. Raises as opening either does."""
    from cutaway.explanation.one_picture import OnePicture

    model = desk.model(asked)
    pixels = desk.pixels(asked, model.contract)
    sha = hashlib.sha256(pixels.tobytes()).hexdigest()
    with _lock:
        keep = _kept.setdefault(desk, Keep(PICTURES))
    return keep.get((model, sha), lambda: OnePicture(model, pixels, asked.picture, sha))


def why_of(picture: OnePicture, asked: told.ExplainRequest) -> Asked:
    """What was typed for the classes -> their indices. Raises BadInput for one that is not there, or twice the same."""
    from cutaway.explanation.one_picture import Why
    from cutaway.explanation.target import class_name, class_named

    classes, answers = picture.model.classes, len(picture.probabilities)
    against = class_named(asked.against, classes, answers) if asked.against else None
    if against is not None and answers == 1:
        raise BadInput("The network gives one answer only, so there is no second class to compare with.")
    if asked.target:
        target = class_named(asked.target, classes, answers)
    else:
        order = np.argsort(-picture.probabilities, kind="stable")
        target = int(next(k for k in order if k != against))
    if target == against:
        raise BadInput(f"{class_name(target, classes)} cannot be compared with itself; choose another class.")
    return Why(target, against)


def card(desk: Desk, asked: told.ExplainRequest) -> told.ExplainCard:
    """-> what can be asked, and with which methods."""
    from cutaway.explanation.layer import layers_with_maps, map_layer
    from cutaway.explanation.target import class_name

    picture = one_picture(desk, asked)
    why, question = why_of(picture, asked), picture.whole
    channels, height, width = question.x.shape[1:]
    count, shape = len(picture.probabilities), (channels, height, width)
    names = tuple(class_name(i, picture.model.classes) for i in range(count))
    layers = layers_with_maps(question.network, shape)
    target, against = names[why.target], None if why.against is None else names[why.against]
    return told.ExplainCard(
        title=desk.title(asked.model), classes=names, probabilities=tuple(map(float, picture.probabilities)),
        target=why.target, against=why.against,
        question=target if against is None else f"{target} rather than {against}",
        value=float(picture.question(why).value[0]), size=question.size,
        layer=map_layer(question.network, shape).name if layers else "",
        layers=tuple(told.WeighedLayer(name=n, channels=c, cells=cells) for n, (c, cells) in layers.items()),
        methods=_methods(picture),
    )  # fmt: skip


def _methods(picture: OnePicture) -> tuple[told.MethodCard, ...]:
    from cutaway.explanation.method import METHODS, method_named
    from cutaway.verbs.explain_methods import Chosen, refuse_without_gradient

    there, absent = [], {}
    for name in METHODS:
        try:
            there.append(method_named(name))
        except CutawayError as error:  # not installed
            absent[name] = str(error)
    chosen = [Chosen(method, method.settings(), False) for method in there]
    without = dict(refuse_without_gradient(chosen, picture.whole, forced=False))
    cards = {method.name: _card(method, without.get(method.name, "")) for method in there}
    for name, why in absent.items():
        cards[name] = told.MethodCard(name=name, title=name, says="", paper="", departs="", runs="", cost="slow",
                                      layered=False, units="score", why=why, knobs=())  # fmt: skip
    return tuple(cards[name] for name in METHODS)


def _card(method: Method, why: str) -> told.MethodCard:
    from cutaway.options import fields_of

    knobs = tuple(
        told.Knob(name=f.name, kind=_KINDS.get(f.type, "text"), default=_typed(f.default), help=f.help,
                  choices=tuple(map(str, typing.get_args(f.type))))
        for f in fields_of(method.settings) if f.name != "layer"
    )  # fmt: skip
    return told.MethodCard(
        name=method.name, title=method.title, says=method.says, paper=method.paper, departs=method.departs,
        runs=method.runs, cost=method.cost, layered=method.layered, units=method.units, why=why, knobs=knobs,
    )  # fmt: skip


def map_told(desk: Desk, asked: told.MethodMapRequest) -> told.MethodMap:
    """-> the method's map; made now where that takes an instant, else the one that a job has made.

    Raises BadInput for a slower one that is not there, and what the method raises.
    """
    from cutaway.explanation.method import method_named, settings_of

    picture = one_picture(desk, asked)
    method, why = method_named(asked.method), why_of(picture, asked)
    settings = settings_of(method, asked.settings)
    found = picture.known(method, settings, why)
    if found is None:
        if method.cost != "instant":
            raise BadInput(f"The map of {method.title} is not made yet, or no longer kept; make it.")
        found = _drained(picture.made(method, settings, why))
    return _sent(found)


def maps(desk: Desk, asked: told.MethodMapsRequest) -> Generator[Event, None, dict[str, Any]]:
    """-> tells of each map when it is made ("map"), measured ("checks") or refused ("refused", with the reason)."""
    from cutaway.explanation.method import method_named, settings_of

    picture = one_picture(desk, asked)
    why = why_of(picture, asked)
    done: list[str] = []
    for wanted in asked.methods:
        try:
            method = method_named(wanted.name)
            settings = settings_of(method, wanted.settings)
            yield from picture.made(method, settings, why)
            yield Found("map", method.title, (wanted.name,))
            if asked.check:
                yield from picture.checked(method, settings, why)
                yield Found("checks", method.title, (wanted.name,))
        except CutawayError as error:
            yield Found("refused", str(error), (wanted.name,))
        else:
            done.append(wanted.name)
    return {"made": done}


def _drained(work: Generator[Any, None, Explanation]) -> Explanation:
    try:
        while True:
            next(work)
    except StopIteration as ended:
        found: Explanation = ended.value
        return found


def _sent(found: Explanation) -> told.MethodMap:
    values = found.map.astype("<f4")
    size = np.abs(found.map.astype(np.float64))
    return told.MethodMap(
        method=found.method, question=found.question, layer=found.layer,
        settings={name: _typed(value) for name, value in found.settings.items()}, value=found.value, base=found.base,
        seconds=found.seconds, notes=found.notes, size=(values.shape[0], values.shape[1]),
        values=base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
        low=float(values.min()), high=float(values.max()), sum=float(found.map.sum(dtype=np.float64)),
        signed=bool((values < 0).any()), shades=tuple(_shade(size, p) for p in PERCENTILES), checks=_checks(found),
    )  # fmt: skip


def _shade(size: np.ndarray[Any, np.dtype[np.float64]], percentile: float) -> told.Shade:
    """As draw.overlay.shades_of: a map of a few places only ends at its largest value."""
    high = float(np.percentile(size, percentile))
    high = high if high > 0 else float(size.max(initial=0.0))
    return told.Shade(percentile=percentile, high=high, beyond=float((size > high).mean()))


def _checks(found: Explanation) -> told.ChecksTold | None:
    checks = found.checks
    if checks is None:
        return None
    names = [name for name in told.ChecksTold.model_fields if name not in ("level", "sentence")]
    return told.ChecksTold(
        level=checks.verdict.level, sentence=checks.verdict.sentence, **{name: getattr(checks, name) for name in names}
    )


def _typed(value: Any) -> str:
    """A setting's value -> what is typed for it."""
    return ("no", "yes")[value] if isinstance(value, bool) else one_line(str(value))
