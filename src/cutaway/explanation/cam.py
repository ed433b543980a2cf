"""What the class activation maps share: one run up to a layer, a gradient through the part behind it, signed maps."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import fx

from cutaway.engine.cut import part_of
from cutaway.engine.fast import light_twin
from cutaway.engine.run import input_of, run
from cutaway.explanation.layer import MapLayer, map_layer
from cutaway.explanation.method import Answer
from cutaway.explanation.question import Question
from cutaway.explanation.why_black import KINDS, tally, why_black
from cutaway.graph.names import step_named
from cutaway.model import Model

PLACED = "cells are drawn the layer's stride apart, which is a plain resize but for networks without padding."


@dataclass(frozen=True, slots=True)
class LayerSettings:
    """What all of them can be told."""

    layer: str = ""
    """Step or block whose maps are weighed; empty: the deepest with maps of at least 6 cells on the shorter side."""
    relu: bool = False
    """Keep only what speaks for the class, as the papers do; otherwise what speaks against it is below zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """A layer's value for the question's N pictures and the gradient of f in it, both (N, C, h, w)."""

    layer: MapLayer
    value: torch.Tensor
    gradient: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Halves:
    """`stem` gives the values that `tail` needs for the logits; the layer's is number `at` among them.

    The stem is a light twin on the network's own weights: it runs once.
    """

    stem: fx.GraphModule
    tail: fx.GraphModule
    at: int


_HALVES: WeakKeyDictionary[fx.GraphModule, dict[str, _Halves]] = WeakKeyDictionary()


def activation(question: Question, typed: str) -> tuple[MapLayer, torch.Tensor]:
    """Question, a layer's name ("": chosen) -> the layer, its value (N, C, h, w); nothing behind it is run.

    Raises BadInput where the name is not there or means a step without places.
    """
    layer = map_layer(question.network, _shape(question), typed)
    halves = _halves(question.network, layer)
    return layer, _channels_first(layer, _crossing(question, halves)[halves.at])


def with_gradient(question: Question, typed: str) -> Activation:
    """Question, a layer's name ("": chosen) -> Activation, all pictures at once.

    Up to the layer nothing is recorded; the gradient goes through the part behind it only. Raises as `activation`.
    """
    layer = map_layer(question.network, _shape(question), typed)
    halves = _halves(question.network, layer)
    crossing = _crossing(question, halves)
    with torch.inference_mode(False), torch.enable_grad():
        given = [value.clone() if isinstance(value, torch.Tensor) else value for value in crossing]
        leaf = given[halves.at]
        assert isinstance(leaf, torch.Tensor)
        leaf.requires_grad_()
        f = question.values(halves.tail(*given)).sum()
        (gradient,) = torch.autograd.grad(f, leaf)
    return Activation(layer, _channels_first(layer, leaf.detach()), _channels_first(layer, gradient))


def answer(question: Question, layer: MapLayer, maps: torch.Tensor, relu: bool, notes: tuple[str, ...] = ()) -> Answer:
    """Maps (N, h, w) of a layer's cells -> Answer at the pictures' size."""
    kept = maps.clamp_min(0) if relu else maps
    placed = layer.placed(kept, question.size).float()
    return Answer(placed.contiguous().numpy(), layer.name, notes=notes)


def silences(question: Question, found: Activation, maps: torch.Tensor, relu: bool) -> tuple[str, ...]:
    """Question, its Activation and maps (N, h, w) before a ReLU -> a sentence for each picture left without a map."""
    drawn = maps.clamp_min(0) if relu else maps
    rows = [row for row in range(len(maps)) if not drawn[row].any()]
    return tuple(f"{_begin(question, row)} map is empty: {_why(question, found, maps[row], row)}" for row in rows)


def silent_layer(question: Question, layer: MapLayer, value: torch.Tensor) -> tuple[str, ...]:
    """Question, layer, its value (N, C, h, w) -> a sentence why for each picture on which all of it is zero."""
    rows = [row for row in range(len(value)) if not value[row].any()]
    return tuple(f"{_begin(question, row)} map is empty: {_none_fires(question, layer, row)}" for row in rows)


def _begin(question: Question, row: int) -> str:
    return f"Picture {row + 1}: the" if len(question) > 1 else "The"


def _why(question: Question, found: Activation, map_: torch.Tensor, row: int) -> str:
    value, gradient, name = found.value[row], found.gradient[row], found.layer.name
    if not value.any():
        return _none_fires(question, found.layer, row)
    alive = f"{int(value.flatten(1).any(1).sum()):,} of {len(value):,} channels of {name} fire"
    if not gradient.any():
        return (
            f"{alive}, but none of them can change the answer: its gradient there is zero everywhere, as what follows "
            f"{name} lets nothing through on this picture."
        )
    if map_.any():
        return (
            f"every place of {name} speaks against the class (down to {float(map_.min()):.3g}), and relu keeps only "
            "what speaks for it; leave relu out to see it."
        )
    return f"{alive}, but only where they get no weight."


def _none_fires(question: Question, layer: MapLayer, row: int) -> str:
    asked = Model(question.network, question.contract, ())
    reasons = tally(why_black(asked, layer.name, range(layer.channels), question.x[row : row + 1]))
    kind = next(iter(reasons))
    return (
        f"none of the {layer.channels:,} channels of {layer.name} fires on this picture ({reasons[kind]:,} of them: "
        f"{KINDS[kind]}); `cutaway silent` tells whether they fire on any."
    )


def _shape(question: Question) -> tuple[int, int, int]:
    _, channels, height, width = question.x.shape
    return channels, height, width


def _halves(network: fx.GraphModule, layer: MapLayer) -> _Halves:
    known = _HALVES.setdefault(network, {})
    if layer.name not in known:
        known[layer.name] = _cut_behind(network, layer.name)
    return known[layer.name]


def _cut_behind(network: fx.GraphModule, name: str) -> _Halves:
    node = step_named(network, name)
    behind: set[fx.Node] = set()
    for later in network.graph.nodes:
        if later is not node and any(before is node or before in behind for before in later.all_input_nodes):
            behind.add(later)
    needed = _needed(network, behind)
    crossing = [n for n in network.graph.nodes if n in needed and n not in behind and n.op != "get_attr"]
    stem = part_of(network, [input_of(network)], crossing)
    return _Halves(light_twin(stem), part_of(network, crossing, None), crossing.index(node))


def _needed(network: fx.GraphModule, behind: set[fx.Node]) -> set[fx.Node]:
    """What the answer and the nodes behind the layer read, as far as the answer depends on it."""
    found: set[fx.Node] = set()
    for node in reversed(network.graph.nodes):
        if node.op == "output" or (node in behind and node in found):
            found.update(node.all_input_nodes)
    return found


def _crossing(question: Question, halves: _Halves) -> tuple[object, ...]:
    x = dict.fromkeys([input_of(halves.stem)], question.x)
    values: tuple[object, ...] = run(halves.stem, x, ())[1]
    return values


def _channels_first(layer: MapLayer, value: object) -> torch.Tensor:
    assert isinstance(value, torch.Tensor)
    return value.permute(0, 3, 1, 2) if layer.channels_last else value
