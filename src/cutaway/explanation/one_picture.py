"""One picture of one model, explained piece by piece: what classes, methods and checks share is made once and kept."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.prepare import prepare
from cutaway.errors import BadModel
from cutaway.events import Progress
from cutaway.explanation.checks import Controls, check, controls
from cutaway.explanation.explanation import Checks, Explanation, explained
from cutaway.explanation.method import Answer, Method, settings_dict
from cutaway.explanation.question import Question, ask
from cutaway.explanation.target import class_name
from cutaway.model import Model

MOST_MAPS = 200
"""Maps that are kept; of 224 px each is 200 kB."""


@dataclass(frozen=True, slots=True)
class Why:
    """What is asked: why this class, or why this one rather than that; by index."""

    target: int
    against: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    answer: Answer
    seconds: float
    checks: Checks | None = None


class OnePicture:
    """Model, uint8 (H, W, 3) at its contract's size -> its explanations, each made when first asked for.

    `probabilities` (K,) are those that `predict` gives. Raises BadModel for an answer that is not finite. Two threads
    may ask at once: what both need is then made twice, and is the same.
    """

    def __init__(self, model: Model, pixels: NDArray[np.uint8], name: str = "picture", sha256: str = "") -> None:
        self.model, self.name, self.sha256 = model, name, sha256
        self.whole = ask(model, pixels[None])
        with torch.inference_mode():
            logits = self.whole.network(prepare(pixels[None], model.contract))[0].float()
        if not bool(torch.isfinite(logits).all()):
            raise BadModel(
                "The network's answer to this picture is not finite, so there is nothing to explain; the page Machine "
                "shows the layer where that begins."
            )
        scaled = logits / model.temperature
        shares = torch.sigmoid(scaled) if len(scaled) == 1 else torch.softmax(scaled, 0)
        self.probabilities: NDArray[np.float32] = shares.numpy()
        self._made: dict[tuple[str, str, Why], _Made] = {}
        self._questions: dict[Why, Question] = {}
        self._controls: dict[Why, Controls] = {}

    @property
    def likeliest(self) -> int:
        return int(self.probabilities.argmax())

    def question(self, why: Why) -> Question:
        """-> the question that methods answer; those about other classes share its network."""
        if why not in self._questions:
            against = None if why.against is None else torch.tensor([why.against])
            self.whole.fast  # noqa: B018 - made once; the questions made of it share it
            self._questions[why] = self.whole.with_(classes=torch.tensor([why.target]), against=against)
        return self._questions[why]

    def known(self, method: Method, settings: Any, why: Why) -> Explanation | None:
        """-> the explanation with what was measured of it so far; None where it was not made yet."""
        found = self._made.get(_key(method, settings, why))
        return None if found is None else self._told(method, settings, why, found)

    def made(self, method: Method, settings: Any, why: Why) -> Generator[Progress, None, Explanation]:
        """-> the explanation, made now or before. Raises what the method raises."""
        key = _key(method, settings, why)
        if key not in self._made:
            answer, seconds = yield from explained(method, self.question(why), settings)
            self._keep(key, _Made(answer, seconds))
        return self._told(method, settings, why, self._made[key])

    def checked(self, method: Method, settings: Any, why: Why) -> Generator[Progress, None, Explanation]:
        """-> the explanation with its checks; what all methods are held against is measured once for a class."""
        yield from self.made(method, settings, why)
        key = _key(method, settings, why)
        found = self._made[key]
        if found.checks is None:
            against = yield from self._measured(why)
            (checks,) = yield from check(method, self.question(why), settings, found.answer, against)
            found = dataclasses.replace(found, checks=checks)
            self._keep(key, found)
        return self._told(method, settings, why, found)

    def _measured(self, why: Why) -> Generator[Progress, None, Controls]:
        if why not in self._controls:
            other = next(iter(self._controls.values()), None)
            self._controls[why] = yield from controls(self.question(why), other.untrained if other else None)
        return self._controls[why]

    def _keep(self, key: tuple[str, str, Why], found: _Made) -> None:
        self._made[key] = found
        while len(self._made) > MOST_MAPS:
            self._made.pop(next(iter(self._made)), None)

    def _told(self, method: Method, settings: Any, why: Why, found: _Made) -> Explanation:
        answer, classes = found.answer, self.model.classes
        return Explanation(
            map=answer.maps[0], method=method.name, target=class_name(why.target, classes),
            against="" if why.against is None else class_name(why.against, classes), layer=answer.layer,
            settings=settings_dict(settings), value=float(self.question(why).value[0]),
            base=None if answer.base is None else float(answer.base[0]), picture=self.name, sha256=self.sha256,
            seconds=found.seconds, notes=answer.notes, checks=found.checks,
        )  # fmt: skip


def _key(method: Method, settings: Any, why: Why) -> tuple[str, str, Why]:
    return method.name, json.dumps(settings_dict(settings), sort_keys=True), why
