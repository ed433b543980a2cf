"""Explanation: a map for one picture and one question, with how it was made and what its checks found."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadModel
from cutaway.events import Progress
from cutaway.explanation.method import Answer, Method, settings_dict
from cutaway.explanation.question import Question


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the picture can be believed, and why, in one sentence a beginner can read."""

    level: Literal["passes", "doubtful", "fails"]
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """What was measured of one map.

    `completeness`: |sum of the map - (f(x) - f(baseline))| / |f(x) - f(baseline)|, None where the method does not
    promise it. `deletion` and `insertion`: area under the class's probability while the pixels are removed, or brought
    back, from the most important on (0 to 1; low and high are good); beside them the areas of a random order and of an
    edge detector's. Curves: the probability after 0 to all pixels, in equal steps. `randomised`: Spearman's rank
    correlation with the map of the same network with random weights. `shifted`: with the map of the picture moved by
    one pixel, moved back; None where that cannot be measured. `edges`: rank correlation with an edge detector's map.
    `notes`: how a check was shortened. Rank correlations take the maps without their signs, but for `shifted`.
    """

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
    verdict: Verdict
    seconds: float = 0.0
    edges: float | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        rounded = {
            name: [round(v, 5) for v in value] if isinstance(value, tuple) else _rounded(value)
            for name in self.__slots__
            if name != "notes" and isinstance(value := getattr(self, name), float | int | tuple | None)
        }
        return {**rounded, "notes": list(self.notes), "verdict": self.verdict.level, "sentence": self.verdict.sentence}


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """`map` float32 (H, W) at the size the network gets: signed, in units of f, not normalised.

    `value`: f(x), the logit of `target` (less that of `against`, where one is given). `base`: f of the baseline, None
    where the map does not promise to add up to value - base.
    """

    map: NDArray[np.float32]
    method: str
    target: str
    against: str
    layer: str
    settings: dict[str, Any]
    value: float
    base: float | None
    picture: str
    sha256: str
    seconds: float
    notes: tuple[str, ...] = ()
    checks: Checks | None = None

    @property
    def question(self) -> str:
        """The class, or of two the first rather than the second: "dog", "dog rather than cat"."""
        return f"{self.target} rather than {self.against}" if self.against else self.target

    def to_dict(self) -> dict[str, Any]:
        low, high = (float(self.map.min()), float(self.map.max())) if self.map.size else (0.0, 0.0)
        return {
            "picture": self.picture, "sha256": self.sha256, "method": self.method, "target": self.target,
            "against": self.against or None, "layer": self.layer or None, "settings": self.settings,
            "value": _rounded(self.value), "base": _rounded(self.base), "size": list(self.map.shape),
            "min": _rounded(low), "max": _rounded(high), "sum": _rounded(float(self.map.sum(dtype=np.float64))),
            "seconds": round(self.seconds, 3), "notes": list(self.notes),
            "checks": self.checks.to_dict() if self.checks else None,
        }  # fmt: skip


def explained(method: Method, question: Question, settings: Any) -> Generator[Progress, None, tuple[Answer, float]]:
    """Method, question, its settings -> its Answer and the seconds it took; the one way every method is run.

    Raises BadModel where a map holds numbers that are not finite.
    """
    started = time.perf_counter()
    made = method.explain(question, settings)
    answer = made if isinstance(made, Answer) else (yield from made)
    if not np.isfinite(answer.maps).all():
        raise BadModel(
            f"{method.title} gave values that are not finite: the network overflows on this picture "
            f"(settings: {settings_dict(settings)}); try another method, or `cutaway watch` to find the layer."
        )
    return answer, time.perf_counter() - started


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
