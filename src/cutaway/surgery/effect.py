"""What an edit does to one picture: every layer before and after with a number each, and the probabilities.

Only what depends on the edit is run again (engine.node_cache); layers answer to each other by name, which edits keep.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.node_cache import NodeCache
from cutaway.engine.prepare import prepare
from cutaway.errors import BadInput
from cutaway.graph.build import add_submodule
from cutaway.graph.kinds import kind_of, settings_of
from cutaway.image import Image
from cutaway.image.fit import fit_picture
from cutaway.model import Model

Status = Literal["same", "values", "shape", "only before", "only after"]
Shape = tuple[int, ...]
_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class LayerEffect:
    """One step before and after. Shapes without the batch axis, None where the step is not there.

    `relative`: norm of the difference over the norm of the values before; `largest`: largest absolute difference;
    `correlation`: Pearson's over all values, None where one side is constant. All None unless both shapes are equal.
    `ran`: whether it had to be computed again.
    """

    name: str
    status: Status
    before: Shape | None
    after: Shape | None
    relative: float | None = None
    largest: float | None = None
    correlation: float | None = None
    ran: bool = False

    def to_dict(self) -> dict[str, Any]:
        shapes = {"before": _listed(self.before), "after": _listed(self.after)}
        numbers = {key: _plain(getattr(self, key)) for key in ("relative", "largest", "correlation")}
        return {"layer": self.name, "status": self.status, **shapes, **numbers, "ran": self.ran}


@dataclass(frozen=True, slots=True)
class ClassEffect:
    """One class: its probability in [0, 1] before and after, None where a model has no such class."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True, eq=False)
class Effect:
    """Two models on one picture. `before` and `after` hold every step's value and go into the next `effect`."""

    picture: str
    before: NodeCache
    after: NodeCache
    classes: tuple[ClassEffect, ...]
    """In the order of the first model's outputs, classes that only the second has last."""

    @property
    def ran(self) -> tuple[str, ...]:
        """Steps of the edited network that were computed again."""
        return self.after.ran

    @cached_property
    def layers(self) -> tuple[LayerEffect, ...]:
        """Every step in running order; a step that the edit took out stands where it was."""
        one, two, ran = self.before.trace.values, self.after.trace.values, set(self.after.ran)
        return tuple(_layer(name, one.get(name), two.get(name), name in ran) for name in _merged(list(one), list(two)))

    @property
    def changed(self) -> tuple[LayerEffect, ...]:
        """The steps whose values or shapes are others than before."""
        return tuple(layer for layer in self.layers if layer.status != "same")

    @property
    def non_finite(self) -> str:
        """The first step of the edited network that gives NaN or infinity, "" where none does."""
        return self.after.trace.non_finite

    @property
    def answers(self) -> tuple[ClassEffect, ClassEffect]:
        """The likeliest class before, and the likeliest after."""
        return (
            max(self.classes, key=lambda c: -1.0 if c.before is None else c.before),
            max(self.classes, key=lambda c: -1.0 if c.after is None or math.isnan(c.after) else c.after),
        )

    def maps(self, name: str) -> tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None]:
        """Step's name -> its values before, after, and their difference, without the batch axis; None for what is not
        there (a difference where the shapes differ). Raises BadInput for a name that neither has."""
        one, two = self.before.trace.values.get(name), self.after.trace.values.get(name)
        if one is None and two is None:
            raise BadInput(f"Neither network has a layer {name!r}.")
        left, right = (None if v is None else v[0].float().numpy() for v in (one, two))
        apart = right - left if left is not None and right is not None and left.shape == right.shape else None
        return left, right, apart

    def to_dict(self) -> dict[str, Any]:
        first, then = self.answers
        return {
            "picture": self.picture,
            "answer": {"before": first.name, "after": then.name},
            "probabilities": [
                {"class": c.name, "before": _plain(c.before), "after": _plain(c.after)} for c in self.classes
            ],
            "run_again": len(self.ran),
            "steps": len(self.after.trace),
            "non_finite": self.non_finite,
            "layers": [layer.to_dict() for layer in self.layers],
        }


def effect(before: Model, after: Model, picture: Image, *, cache: NodeCache | None = None) -> Effect:
    """Model, edited model, picture -> Effect. `cache`: of the first model on this picture, from an effect before.

    Only steps that depend on the edit are run again, bit for bit as a full run; where the edit changes what a picture
    goes through before the network, all of them. Raises BadModel naming a layer that cannot work on what it gets.
    """
    cache = cache or NodeCache.of(before.graph, _input(before, picture))
    if after.contract == before.contract:
        then = cache.after(after.graph)
    else:
        then = NodeCache.of(after.graph, _input(after, picture))
    shares = [probabilities(m, c.trace.output)[0] for m, c in ((before, cache), (after, then))]
    return Effect(picture.name, cache, then, _classes(before, after, *shares))


def logits_of(model: Model, output: torch.Tensor) -> NDArray[np.float32]:
    """Model, what its graph gave (N, K) -> float32 logits (N, K), as Model.logits does."""
    with torch.inference_mode():
        out = output.float()
        found: NDArray[np.float32] = (torch.log(out.clamp_min(_EPSILON)) if model.probabilities else out).numpy()
    return found


def probabilities(model: Model, output: torch.Tensor) -> NDArray[np.float32]:
    """Model, what its graph gave (N, K) -> probabilities (N, K), temperature applied, as Model.predict does."""
    logits = torch.from_numpy(np.array(logits_of(model, output)))
    found: NDArray[np.float32] = torch.softmax(logits / model.temperature, 1).numpy()
    return found


def sharing(before: Model, after: Model) -> Model:
    """Two models read from files -> the second on the first's layers wherever they are equal bit for bit.

    So what no edit changed is known to be the same, and is not run again. The models given stay as they are.
    """
    graph = fx.GraphModule(after.graph, copy.deepcopy(after.graph.graph), class_name="Network").eval()
    there = dict(before.graph.named_modules())
    paths = {str(node.target) for node in graph.graph.nodes if node.op == "call_module"}
    for path in sorted(paths):
        old, new = there.get(path), graph.get_submodule(path)
        if old is not None and old is not new and _equal(old, new):
            add_submodule(graph, path, old)
    return dataclasses.replace(after, graph=graph)


def _equal(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    """Whether two layers compute the same: listed kind, settings, every weight bit for bit."""
    if type(one) is not type(two) or kind_of(one) is None or settings_of(one) != settings_of(two):
        return False
    mine, other = one.state_dict(), two.state_dict()
    return mine.keys() == other.keys() and all(torch.equal(mine[k], other[k]) for k in mine)


def _input(model: Model, picture: Image) -> torch.Tensor:
    return prepare(fit_picture(picture, model.contract)[None], model.contract)  # (1, C, H, W)


def _classes(
    before: Model, after: Model, one: NDArray[np.float32], two: NDArray[np.float32]
) -> tuple[ClassEffect, ...]:
    """Outputs answer to each other by place where there are as many (a renamed class is the same), else by name."""
    if len(one) == len(two):
        names = [b if b == a else f"{b} = {a}" for b, a in zip(_names(before, one), _names(after, two), strict=True)]
        return tuple(ClassEffect(n, float(p), float(q)) for n, p, q in zip(names, one, two, strict=True))
    left, right = dict(zip(_names(before, one), one, strict=True)), dict(zip(_names(after, two), two, strict=True))
    return tuple(ClassEffect(n, _share(left, n), _share(right, n)) for n in dict.fromkeys([*left, *right]))


def _names(model: Model, shares: NDArray[np.float32]) -> tuple[str, ...]:
    return model.classes if len(model.classes) == len(shares) else tuple(f"class {n}" for n in range(len(shares)))


def _share(shares: Mapping[str, np.float32], name: str) -> float | None:
    return float(shares[name]) if name in shares else None


def _merged(one: list[str], two: list[str]) -> list[str]:
    """Names in running order, before and after -> all of them; one that is gone follows the one it followed."""
    found, kept = list(two), set(two)
    at = 0
    for name in one:
        if name in kept:
            at = found.index(name) + 1
        else:
            found.insert(at, name)
            at += 1
    return found


def _layer(name: str, one: torch.Tensor | None, two: torch.Tensor | None, ran: bool) -> LayerEffect:
    shapes = (None if one is None else tuple(one.shape[1:]), None if two is None else tuple(two.shape[1:]))
    if one is None or two is None:
        return LayerEffect(name, "only after" if one is None else "only before", *shapes, ran=ran)
    if one.shape != two.shape:
        return LayerEffect(name, "shape", *shapes, ran=ran)
    if one is two or torch.equal(one, two):
        return LayerEffect(name, "same", *shapes, 0.0, 0.0, 1.0, ran)
    x, y = one.flatten().double(), two.flatten().double()
    apart, size = y - x, float(x.norm())
    gap = float(apart.norm())
    relative = gap / size if size else (math.inf if gap else 0.0)
    return LayerEffect(name, "values", *shapes, relative, float(apart.abs().max()), _correlation(x, y), ran)


def _correlation(x: torch.Tensor, y: torch.Tensor) -> float | None:
    x, y = x - x.mean(), y - y.mean()
    scale = float(x.norm() * y.norm())
    return float(x @ y) / scale if scale and math.isfinite(scale) else None


def _listed(shape: Shape | None) -> list[int] | None:
    return None if shape is None else list(shape)


def _plain(value: float | None) -> float | None:
    """Six digits, without infinity and NaN, which JSON has not."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
