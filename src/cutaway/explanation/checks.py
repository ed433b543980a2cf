"""A method's maps -> what can be measured of them, and the verdict: cheap enough to come with every explanation.

One picture costs 138 runs of the network forward (curves of the map, of pixels drawn by lot and of an edge detector)
and the method twice more: on the network with random weights, and on the picture moved by one pixel. What does not
depend on the method is measured once (`controls`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.events import Progress
from cutaway.explanation.baseline import baseline
from cutaway.explanation.deletion import Curves, Ends, by_lot, curves, ends, first_by
from cutaway.explanation.edges import edges
from cutaway.explanation.explanation import Checks, explained
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question
from cutaway.explanation.randomise import untrained
from cutaway.explanation.ranks import rank_correlation
from cutaway.explanation.shifted import agreement, moved
from cutaway.explanation.verdict import Figures, verdict

Maps = NDArray[np.float32]  # (N, H, W)
REMOVED, BROUGHT_BACK = "mean", "blur"
"""Removed pixels take the picture's mean colour: a blurred picture keeps its colours, and a network that reads colour
would lose nothing. They come back into a blurred one, which has no edges between what is there and what is not."""
# The second maps of slow methods are made with fewer samples, and so is a map of the picture itself to compare with.
_QUICK: dict[str, dict[str, int]] = {
    "smoothgrad": {"samples": 10},
    "integrated-gradients": {"steps": 10},
    "scorecam": {"channels": 32},
    "rise": {"masks": 300},
    "lime": {"samples": 150},
    "shap": {"samples": 150},
}
_WINDOWS = 14
"""Of occlusion along the shorter side; second maps take them side by side instead of overlapping."""
_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """What the maps of all methods are held against, made once for a question of N pictures.

    `lot`, `edges`: curves of pixels drawn by lot, and in an edge detector's order. `untrained`: the question put to a
    network with random weights; `moved`: about the pictures moved by one pixel.
    """

    ends: tuple[Ends, ...]
    lot: tuple[Curves, ...]
    edges: tuple[Curves, ...]
    edge_maps: Maps
    untrained: Question
    moved: Question


def controls(question: Question, random: Question | None = None) -> Generator[Progress, None, Controls]:
    """Question -> its Controls. `random`: another question to the network with random weights, where it was made."""
    n = len(question)
    removed, blurred = baseline(question, REMOVED), baseline(question, BROUGHT_BACK)
    drawn, by_edges, between = [], [], []
    edge_maps = edges(question.pixels)
    for i in range(n):
        yield Progress("check: controls", i, n, "pictures")
        between.append(ends(question, i, removed[i], blurred[i]))
        drawn.append(curves(question, i, between[i], by_lot(question.size)))
        by_edges.append(curves(question, i, between[i], first_by(edge_maps[i])))
    again = untrained(question) if random is None else _put_to(random, question)
    yield Progress("check: controls", n, n, "pictures")
    return Controls(tuple(between), tuple(drawn), tuple(by_edges), edge_maps, again, moved(question))


def check(
    method: Method, question: Question, settings: Any, answer: Answer, against: Controls | None = None
) -> Generator[Progress, None, list[Checks]]:
    """Method, question, settings, its Answer -> Checks for each picture. `against`: the question's Controls, which
    are made here where several methods do not share them.

    The randomised map follows Adebayo et al. 2018 (see randomise.py); its rank correlation is their "absolute" one,
    of the maps without signs: edges that change their sign are still edges. Raises BadModel.
    """
    started = time.perf_counter()
    if against is None:
        against = yield from controls(question)
    task, n = f"check: {method.title}", len(question)
    yield Progress(task, 0, n, "pictures")
    quick, maps = _quick(method, settings, answer, question.size), answer.maps
    notes: tuple[str, ...] = ()
    if quick != _pinned(settings, answer):
        maps = (yield from explained(method, question, quick))[0].maps
        notes = (f"Randomisation and shift were measured on maps with {_difference(settings, quick)}.",)
    random = (yield from explained(method, against.untrained, quick))[0].maps
    shifted = (yield from explained(method, against.moved, quick))[0].maps
    own = []
    for i in range(n):
        own.append(curves(question, i, against.ends[i], first_by(answer.maps[i])))
        yield Progress(task, i + 1, n, "pictures")
    each = (time.perf_counter() - started) / n
    return [
        _checks(method, question, answer, against, i, own[i], _alike(maps[i], random[i]),
                agreement(maps[i], shifted[i]), notes, each)
        for i in range(n)
    ]  # fmt: skip


def completeness(answer: Answer, question: Question, row: int) -> float | None:
    """-> |sum of the map - (f(x) - f(baseline))| as a share of |f(x) - f(baseline)|; None where nothing is promised."""
    if answer.base is None:
        return None
    promised = float(question.value[row]) - float(answer.base[row])
    found = float(answer.maps[row].sum(dtype=np.float64))
    return abs(found - promised) / max(abs(promised), _TINY)


def _checks(
    method: Method, question: Question, answer: Answer, against: Controls, row: int, own: Curves,
    randomised: float | None, shifted: float | None, notes: tuple[str, ...], seconds: float,
) -> Checks:  # fmt: skip
    lot, by_edges = against.lot[row], against.edges[row]
    full, low, blur = against.ends[row].probabilities
    complete = completeness(answer, question, row)
    figures = Figures(
        complete, *own.areas, *lot.areas, *by_edges.areas, full - low, full - blur, randomised, shifted,
        alike := _alike(answer.maps[row], against.edge_maps[row]),
    )  # fmt: skip
    return Checks(
        complete, *own.areas, *lot.areas, *by_edges.areas, own.deletion, own.insertion, lot.deletion, lot.insertion,
        randomised, shifted, verdict(method.title, figures), seconds, alike, notes,
    )  # fmt: skip


def _alike(map_: Maps, other: Maps) -> float | None:
    """-> rank correlation without signs; 0 where only the other map is the same everywhere: it kept nothing."""
    if np.ptp(np.abs(map_)) == 0:
        return None
    found = rank_correlation(np.abs(map_), np.abs(other))
    return 0.0 if found is None else found


def _pinned(settings: Any, answer: Answer) -> Any:
    """-> the same settings with the layer that was taken, so that every map is of the same one."""
    if answer.layer and any(f.name == "layer" for f in dataclasses.fields(settings)):
        return dataclasses.replace(settings, layer=answer.layer)
    return settings


def _quick(method: Method, settings: Any, answer: Answer, size: tuple[int, int]) -> Any:
    """-> settings that cost less, where the method has a number of samples or windows that overlap."""
    pinned = _pinned(settings, answer)
    there = {f.name: getattr(pinned, f.name) for f in dataclasses.fields(pinned)}
    fewer = {k: v for k, v in _QUICK.get(method.name, {}).items() if k in there and not 0 < there[k] <= v}
    if method.name == "occlusion" and there["stride"] == 0:
        fewer["stride"] = there["window"] or max(1, min(size) // _WINDOWS)
    return dataclasses.replace(pinned, **fewer)


def _difference(settings: Any, quick: Any) -> str:
    names = [f.name for f in dataclasses.fields(settings) if f.name != "layer"]
    return ", ".join(f"{n}={getattr(quick, n)}" for n in names if getattr(quick, n) != getattr(settings, n))


def _put_to(random: Question, question: Question) -> Question:
    """A question to the network with random weights -> the same put about other pictures."""
    return random.with_(pixels=question.pixels, x=question.x, classes=question.classes, against=question.against)
