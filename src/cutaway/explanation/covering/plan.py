"""Plan: which cells of which map are computed for each window, step by step, before whole maps take over."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx

from cutaway.engine.cut import part_of
from cutaway.engine.run import input_of, run
from cutaway.explanation.covering.rules import Rule, Shape, rules_of
from cutaway.explanation.covering.span import Cells, Cut, Slide, Span

NEARLY_ALL = 0.65
"""Of a map: from this share of its cells on, cutting crops out costs more than computing the rest saves."""
_STILL = Slide()


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A graph in eval mode with what does not depend on windows: shapes for one picture, constants, rules."""

    graph: fx.GraphModule
    x: fx.Node
    shapes: dict[fx.Node, Shape]
    rules: dict[fx.Node, Rule | None]
    dtype: torch.dtype
    tails: dict[tuple[fx.Node, ...], fx.GraphModule]

    def places(self, node: fx.Node) -> tuple[int, int]:
        """-> which dimensions of a node's value are rows and columns."""
        rule = self.rules.get(node)
        return rule.map.places if rule else (2, 3)

    def tail(self, ends: list[fx.Node]) -> fx.GraphModule:
        """-> the part of the graph that takes these nodes' values as arguments to give the output."""
        if tuple(ends) not in self.tails:
            self.tails[tuple(ends)] = part_of(self.graph, ends, None)
        return self.tails[tuple(ends)]

    @classmethod
    def of(cls, graph: fx.GraphModule, x: torch.Tensor) -> Network:
        """Graph, one picture (1, C, H, W) -> Network; runs it once."""
        given = input_of(graph)
        shapes: dict[fx.Node, Shape] = {given: tuple(x.shape)}

        def look(node: fx.Node, value: object) -> None:
            if isinstance(value, torch.Tensor):
                shapes[node] = tuple(value.shape)

        run(graph, {given: x}, (), look)
        fixed = _constant_nodes(graph, given)
        values = run(part_of(graph, [], fixed), {}, ())[1]
        rules = rules_of(graph, given, shapes, dict(zip(fixed, values, strict=True)))
        return cls(graph, given, shapes, rules, x.dtype, {})


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One input of a step: the node whose map is cut, and how along rows and columns; `base` names the map that is
    there before (a moved map's own), padded for a step that slides."""

    source: fx.Node
    base: fx.Node
    rows: Cut
    columns: Cut
    places: tuple[int, int] = (2, 3)

    @property
    def trivial(self) -> bool:
        return self.rows.trivial and self.columns.trivial


@dataclass(frozen=True, slots=True, eq=False)
class PlanStep:
    """`rule.run` on the crops gives the patch of `node`; `done`: nodes whose patches nobody needs any more."""

    node: fx.Node
    rule: Rule
    crops: tuple[Crop, ...]
    rows: Span
    columns: Span
    done: tuple[fx.Node, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """For windows that are every pair of n spans of rows and m spans of columns. `ends`: the crops (whole maps) that
    `tail` takes as its arguments to give the output."""

    rows: Span
    columns: Span
    steps: tuple[PlanStep, ...]
    ends: tuple[Crop, ...]
    tail: fx.GraphModule

    @functools.cached_property
    def bases(self) -> frozenset[fx.Node]:
        """Nodes whose map of the uncovered picture is cut from."""
        crops = [crop for step in self.steps for crop in step.crops] + list(self.ends)
        return frozenset(crop.base for crop in crops if not crop.trivial)


def plan_of(network: Network, rows: tuple[Cells, Cells], columns: tuple[Cells, Cells]) -> Plan:
    """Network, first and last row of each of n spans, first and last column of each of m -> Plan."""
    height, width = network.shapes[network.x][2:]
    spans = {network.x: (Span.of(*rows, height), Span.of(*columns, width))}
    steps: list[PlanStep] = []
    for node, rule in network.rules.items():
        if rule is None or any(source not in spans for source in rule.sources):
            continue
        found = _spans_of(rule, [spans[source] for source in rule.sources])
        if found[0].size * found[1].size >= NEARLY_ALL * found[0].cells * found[1].cells:
            continue
        spans[node] = found
        crops = tuple(_crop(node, rule, source, spans, network.places(source)) for source in rule.sources)
        steps.append(PlanStep(node, rule, crops, *found, ()))
    ends = _crossing(network.graph, spans)
    steps = _needed(steps, ends)
    whole = tuple(_whole(node, spans[node], network.places(node)) for node in ends)
    return Plan(*spans[network.x], _with_ends(steps, ends), whole, network.tail(ends))


def _spans_of(rule: Rule, given: Sequence[tuple[Span, Span]]) -> tuple[Span, Span]:
    found = []
    for axis, cells in enumerate(rule.map.cells):
        first = given[0][axis]
        if rule.moved is not None:
            found.append(first.moved(rule.moved[axis], cells))
        elif rule.slides is not None:
            found.append(first.through(rule.slides[axis], cells))
        else:
            found.append(functools.reduce(Span.joined, (spans[axis] for spans in given)))
    return found[0], found[1]


def _crop(
    node: fx.Node, rule: Rule, source: fx.Node, spans: dict[fx.Node, tuple[Span, Span]], places: tuple[int, int]
) -> Crop:
    cuts = []
    for axis in (0, 1):
        given, wanted = spans[source][axis], spans[node][axis]
        slide = rule.slides[axis] if rule.slides else _STILL
        before = rule.moved[axis] if rule.moved else slide.before
        cuts.append(Cut.between(given, wanted.start * slide.stride, slide.taken(wanted.size), before))
    return Crop(source, node if rule.moved else source, cuts[0], cuts[1], places)


def _whole(node: fx.Node, spans: tuple[Span, Span], places: tuple[int, int]) -> Crop:
    rows, columns = (Cut.between(span, np.zeros_like(span.start), span.cells) for span in spans)
    return Crop(node, node, rows, columns, places)


def _crossing(graph: fx.GraphModule, spans: dict[fx.Node, tuple[Span, Span]]) -> list[fx.Node]:
    """Nodes with spans that steps without them, or the output, read."""
    return [node for node in graph.graph.nodes if node in spans and any(user not in spans for user in node.users)]


def _needed(steps: list[PlanStep], ends: Sequence[fx.Node]) -> list[PlanStep]:
    wanted, kept = set(ends), []
    for step in reversed(steps):
        if step.node in wanted:
            kept.append(step)
            wanted.update(step.rule.sources)
    return kept[::-1]


def _with_ends(steps: list[PlanStep], ends: Sequence[fx.Node]) -> tuple[PlanStep, ...]:
    """The same steps, each knowing which patches are read for the last time."""
    seen, found = set(ends), []
    for step in reversed(steps):
        done = tuple(dict.fromkeys(n for n in step.rule.sources if n not in seen))
        seen.update(done)
        found.append(PlanStep(step.node, step.rule, step.crops, step.rows, step.columns, done))
    return tuple(found[::-1])


def _constant_nodes(graph: fx.GraphModule, x: fx.Node) -> list[fx.Node]:
    changing: set[fx.Node] = {x}
    found = []
    for node in graph.graph.nodes:
        if node.op == "output" or node in changing:
            continue
        if any(before in changing for before in node.all_input_nodes):
            changing.add(node)
        else:
            found.append(node)
    return found
