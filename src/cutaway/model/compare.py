"""Two models -> what they share and where they part: layers, settings, weights, contract, classes, and on pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import fx, nn

from cutaway.engine.fast import fast_twin
from cutaway.engine.prepare import prepare
from cutaway.engine.trace import trace_steps
from cutaway.errors import BadModel
from cutaway.graph.shapes import multiply_adds, shapes_of
from cutaway.image import Image
from cutaway.image.fit import fit_picture
from cutaway.model.align import Step, align, steps
from cutaway.model.model import Model

Size = tuple[int, int, int]
Shapes = dict[str, tuple[int, ...]]
Status = Literal["equal", "rounding", "weights", "settings", "only a", "only b"]
ROUNDING = 1e-5
"""Relative difference of weights up to which layers are said to be equal but for rounding (merged batch norms)."""
PARTED = 1e-3
"""Relative difference of activations from which two models are said to have parted (rounding stays far below)."""


@dataclass(frozen=True, slots=True)
class WeightChange:
    """How far the weights of two layers are apart, all arrays of equal shape taken together.

    `largest`: largest absolute difference; `relative`: norm of the difference over the norm of a's weights;
    `correlation`: Pearson's, None where one side is constant. `shapes`: arrays whose shapes differ, or that one side
    lacks (an empty shape), which are left out of the figures.
    """

    largest: float
    relative: float
    correlation: float | None
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps that answer to each other; "" for the one that is not there.

    `settings`: name -> (a's value, b's value) where they differ. `activation`: norm of the difference of their values
    over the norm of a's, over all pictures; None without pictures or where shapes differ.
    """

    a: str
    b: str
    kind: str
    shape: tuple[int, ...]
    status: Status
    settings: dict[str, tuple[Any, Any]]
    weights: WeightChange | None = None
    activation: float | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two models in figures."""

    layers: int
    parameters: int
    multiply_adds: int
    classes: tuple[str, ...]
    input: str


@dataclass(frozen=True, slots=True)
class PictureDifference:
    """One picture: each model's likeliest class with its probability, and the largest difference of a probability
    (None where the classes of the two have nothing to do with each other)."""

    name: str
    a: tuple[str, float]
    b: tuple[str, float]
    difference: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`pairs` in running order. `parts_at`: the first step whose values differ by more than PARTED on the pictures.

    `notes`: sentences about what was assumed (batch norms folded to compare with a file that has none).
    """

    a: Side
    b: Side
    pairs: tuple[Pair, ...]
    contract: dict[str, tuple[Any, Any]]
    pictures: tuple[PictureDifference, ...] = ()
    parts_at: str = ""
    notes: tuple[str, ...] = ()

    def counted(self, status: Status) -> int:
        """How many pairs have a status."""
        return sum(pair.status == status for pair in self.pairs)


def compare_models(a: Model, b: Model) -> Comparison:
    """Two models -> what they share and where they differ, without a picture."""
    graphs, notes = _alike(a.graph, b.graph)
    sizes = [(m.contract.in_channels, *m.contract.size) for m in (a, b)]
    shapes = [shapes_of(graph, size) for graph, size in zip(graphs, sizes, strict=True)]
    if sizes[0] != sizes[1] and (common := _at_one_size(graphs, sizes)) is not None:
        at, shapes = common
        notes = (*notes, f"Shapes are compared at {at[1]} x {at[2]} px, which both networks take.")
    pairs = [_pair(*pair) for pair in align(*(steps(g, s) for g, s in zip(graphs, shapes, strict=True)))]
    mine, other = a.contract.to_dict(), b.contract.to_dict()
    contract = {name: (mine[name], other[name]) for name in mine if mine[name] != other[name]}
    return Comparison(_side(a), _side(b), tuple(pairs), contract, notes=notes)


def compare_on(
    found: Comparison, a: Model, b: Model, pictures: Iterable[tuple[str, Image]]
) -> Iterator[tuple[int, Comparison]]:
    """Comparison and named pictures -> (pictures done, the comparison so far with their figures), one by one.

    Each model is fed as its own contract says. Memory: the values of both networks for one picture.
    """
    graphs, _ = _alike(a.graph, b.graph)
    both = [(p.a, p.b) for p in found.pairs if p.a and p.b]
    apart, size = dict.fromkeys(both, 0.0), dict.fromkeys(both, 0.0)
    seen: list[PictureDifference] = []
    for name, picture in pictures:
        values = [_values(g, m, picture) for g, m in zip(graphs, (a, b), strict=True)]
        for pair in both:
            one, two = values[0].get(pair[0]), values[1].get(pair[1])
            if one is None or two is None or one.shape != two.shape:
                apart[pair] = math.nan
                continue
            apart[pair] += float((one.double() - two.double()).square().sum())
            size[pair] += float(one.double().square().sum())
        seen.append(_picture(name, picture, a, b))
        pairs = tuple(replace(p, activation=_ratio(apart, size, (p.a, p.b))) for p in found.pairs)
        parted = next((p.a for p in pairs if p.activation is not None and p.activation > PARTED), "")
        yield len(seen), replace(found, pairs=pairs, pictures=tuple(seen), parts_at=parted)


def _alike(a: fx.GraphModule, b: fx.GraphModule) -> tuple[list[fx.GraphModule], tuple[str, ...]]:
    """Where one file has its batch norms merged into its convolutions, the other's are merged to compare the two."""
    norms = [_has_norms(graph) for graph in (a, b)]
    graphs = [a, b]
    if norms[0] == norms[1]:
        return graphs, ()
    folded = 0 if norms[0] else 1
    graphs[folded] = fast_twin(graphs[folded])
    for module in graphs[folded].modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    which = "first" if folded == 0 else "second"
    return graphs, (
        f"Only the {which} model has batch norms; they were merged into its convolutions before comparing weights.",
    )


def _has_norms(graph: fx.GraphModule) -> bool:
    used = [graph.get_submodule(str(n.target)) for n in graph.graph.nodes if n.op == "call_module"]
    return any(isinstance(module, nn.BatchNorm2d) for module in used)


def _at_one_size(graphs: list[fx.GraphModule], sizes: list[Size]) -> tuple[Size, list[Shapes]] | None:
    """Shapes of both networks at one of their sizes; None where each takes only its own."""
    for size in sizes:
        try:
            return size, [shapes_of(graph, size) for graph in graphs]
        except BadModel:
            continue
    return None


def _side(model: Model) -> Side:
    shapes = shapes_of(model.graph, (model.contract.in_channels, *model.contract.size))
    nodes = [n for n in model.graph.graph.nodes if n.op.startswith("call") and n.name in shapes]
    work = sum(multiply_adds(model.graph, n, shapes) for n in nodes)
    parameters = sum(p.numel() for p in model.graph.parameters())
    return Side(len(nodes), parameters, work, model.classes, model.contract.describe())


def _pair(a: Step | None, b: Step | None) -> Pair:
    if a is None or b is None:
        alone = a or b
        assert alone is not None
        names = (alone.name, "") if a else ("", alone.name)
        return Pair(*names, alone.kind, alone.shape, "only a" if a else "only b", {})
    mine, other = _filled(a, b), _filled(b, a)
    changed = {
        name: (a.settings.get(name), b.settings.get(name))
        for name in dict.fromkeys([*a.settings, *b.settings])
        if not _same(a.settings.get(name), b.settings.get(name))
        and not (name == "bias" and "bias" in mine and torch.equal(mine["bias"], other["bias"]))
    }
    if a.shape != b.shape:
        changed["output shape"] = (a.shape, b.shape)
    weights = _weights(mine, other)
    return Pair(a.name, b.name, a.kind, a.shape, _status(changed, weights), changed, weights)


def _filled(step: Step, beside: Step) -> dict[str, torch.Tensor]:
    """A step's weights, with zeros for the bias that only the other has: no bias is a bias of 0."""
    if "bias" in step.weights or "bias" not in beside.weights or not step.weights:
        return step.weights
    return {**step.weights, "bias": torch.zeros_like(beside.weights["bias"])}


def _same(a: Any, b: Any) -> bool:
    """Whether two settings mean the same: 2 is (2, 2)."""
    if isinstance(a, tuple | list) != isinstance(b, tuple | list):
        pair, one = (a, b) if isinstance(a, tuple | list) else (b, a)
        return isinstance(one, int) and all(value == one for value in pair)
    return bool(a == b)


def _status(changed: dict[str, Any], weights: WeightChange | None) -> Status:
    if changed:
        return "settings"
    if weights is None:
        return "equal"
    return "rounding" if not weights.shapes and weights.relative <= ROUNDING else "weights"


def _weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> WeightChange | None:
    """Weights by name -> how far they are apart, None where they are equal bit for bit."""
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    mine, other = [], []
    for name in dict.fromkeys([*a, *b]):
        one, two = a.get(name), b.get(name)
        if one is None or two is None or one.shape != two.shape:
            shapes[name] = (tuple(one.shape) if one is not None else (), tuple(two.shape) if two is not None else ())
        else:
            mine.append(one.double().flatten())
            other.append(two.double().flatten())
    if not shapes and all(torch.equal(x, y) for x, y in zip(mine, other, strict=True)):
        return None
    if not mine:
        return WeightChange(math.nan, math.nan, None, shapes)
    x, y = torch.cat(mine), torch.cat(other)
    gap, norm = x - y, float(x.norm())
    relative = float(gap.norm()) / norm if norm else math.inf if float(gap.norm()) else 0.0
    largest = float(gap.abs().max()) if gap.numel() else 0.0
    return WeightChange(largest, relative, _correlation(x, y), shapes)


def _correlation(x: torch.Tensor, y: torch.Tensor) -> float | None:
    x, y = x - x.mean(), y - y.mean()
    scale = float(x.norm() * y.norm())
    return float(x @ y) / scale if scale and math.isfinite(scale) else None


def _values(graph: fx.GraphModule, model: Model, picture: Image) -> dict[str, torch.Tensor]:
    pixels = fit_picture(picture, model.contract)[np.newaxis]
    return dict(trace_steps(graph, prepare(pixels, model.contract)).values)


def _ratio(apart: dict[Any, float], size: dict[Any, float], pair: tuple[str, str]) -> float | None:
    gap = apart.get(pair, math.nan)
    if math.isnan(gap):
        return None
    if not size[pair]:
        return math.inf if gap else 0.0
    return math.sqrt(gap / size[pair])


def _picture(name: str, picture: Image, a: Model, b: Model) -> PictureDifference:
    one, two = a.predict([picture])[0], b.predict([picture])[0]
    difference = None
    if len(set(a.classes)) == len(one) == len(two) and set(a.classes) == set(b.classes):
        same_order = two[[b.classes.index(c) for c in a.classes]]
        difference = float(np.abs(one - same_order).max())
    return PictureDifference(name, _top(one, a), _top(two, b), difference)


def _top(row: Any, model: Model) -> tuple[str, float]:
    best = int(row.argmax())
    return model.classes[best] if model.classes else f"class {best}", float(row[best])
