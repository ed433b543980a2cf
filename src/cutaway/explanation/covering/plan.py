"""Plan: which cells of which map are computed for each window, step by step, before whole maps take over."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from cutaway.engine.cut import part_of
from cutaway.engine.run import input_of, run
from cutaway.explanation.covering.rules import Rule, Shape, rules_of
from cutaway.explanation.covering.span import Cells, Cut, Slide, Span
from cutaway.explanation.covering.tail import Tail, Tails

NEARLY_ALL = 0.65
"""Of a map: from this share of its cells on, cutting crops out costs more than computing the rest saves."""
_STILL = Slide()


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One picture (1, C, H, W), the values of all steps, the logits (1, K)."""

    x: torch.Tensor
    values: dict[fx.Node, Any]
    logits: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A graph in eval mode with what does not depend on windows: shapes for one picture, constants, rules.

    `known`: what was found of the picture it was made with, until that is used.
    """

    graph: fx.GraphModule
    x: fx.Node
    shapes: dict[fx.Node, Shape]
    rules: dict[fx.Node, Rule | None]
    dtype: torch.dtype
    tails: Tails
    known: list[Known]

    def places(self, node: fx.Node) -> tuple[int, int]:
        """-> which dimensions of a node's value are rows and columns."""
        rule = self.rules.get(node)
        return rule.map.places if rule else (2, 3)

    @classmethod
    def of(cls, graph: fx.GraphModule, x: torch.Tensor) -> Network:
        """Graph, one picture (1, C, H, W) -> Network; runs it once."""
        given = input_of(graph)
        x = x.contiguous(memory_format=torch.channels_last)
        values, logits = run(graph, {given: x})
        shapes = {node: tuple(value.shape) for node, value in values.items() if isinstance(value, torch.Tensor)}
        fixed = _constant_nodes(graph, given)
        constants = run(part_of(graph, [], fixed), {}, ())[1]
        rules = rules_of(graph, given, shapes, dict(zip(fixed, constants, strict=True)))
        return cls(graph, given, shapes, rules, x.dtype, Tails(graph, shapes), [Known(x, values, logits)])

    def run(self, x: torch.Tensor, wanted: Collection[fx.Node]) -> tuple[dict[fx.Node, torch.Tensor], torch.Tensor]:
        """One picture (1, C, H, W), nodes -> (node: its map, the logits). The picture this network was made with is
        not run anew until the first of its maps were asked for; then the others are let go."""
        known = self.known[0] if self.known else None
        if known is None or not torch.equal(known.x, x):
            return run(self.graph, {self.x: x}, wanted)
        if wanted:
            self.known.clear()
        return {node: known.values[node] for node in wanted}, known.logits


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
    tail: Tail

    @functools.cached_property
    def bases(self) -> frozenset[fx.Node]:
        """Nodes whose map of the uncovered picture is cut from."""
        crops = [crop for step in self.steps for crop in step.crops] + list(self.ends)
        return frozenset(crop.base for crop in crops if not crop.trivial)


def plan_of(network: Network, rows: tuple[Cells, Cells], columns: tuple[Cells, Cells]) -> Plan:
    """Network, first and last row of each of n spans, first and last column of each of m -> Plan."""
    return crossed(Line.of(network, 0, *rows), Line.of(network, 1, *columns))


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Windows along one axis (0: rows, 1: columns): which cells of each map they change and how crops are cut along it,
    worked out once for all plans of this line."""

    network: Network
    axis: int
    spans: dict[fx.Node, Span]
    cuts: dict[tuple[fx.Node, fx.Node | None], Cut]

    @classmethod
    def of(cls, network: Network, axis: int, first: Cells, last: Cells) -> Line:
        """Network, axis, first and last pixel of each of n windows -> Line."""
        return cls(network, axis, {network.x: Span.of(first, last, network.shapes[network.x][2 + axis])}, {})

    def span(self, node: fx.Node, rule: Rule) -> Span:
        """A step, whose sources were asked for before it -> the cells that change."""
        found = self.spans.get(node)
        if found is None:
            given, cells = [self.spans[source] for source in rule.sources], rule.map.cells[self.axis]
            if rule.moved is not None:
                found = given[0].moved(rule.moved[self.axis], cells)
            elif rule.slides is not None:
                found = given[0].through(rule.slides[self.axis], cells)
            else:
                found = functools.reduce(Span.joined, given)
            self.spans[node] = found
        return found

    def cut(self, source: fx.Node, node: fx.Node, rule: Rule) -> Cut:
        """One of the sources of a step -> how the step's crops of it are made."""
        found = self.cuts.get((source, node))
        if found is None:
            given, wanted = self.spans[source], self.spans[node]
            slide = rule.slides[self.axis] if rule.slides else _STILL
            before = rule.moved[self.axis] if rule.moved else slide.before
            found = Cut.between(given, wanted.start * slide.stride, slide.taken(wanted.size), before)
            self.cuts[source, node] = found
        return found

    def whole(self, node: fx.Node) -> Cut:
        """-> how whole maps are made."""
        found = self.cuts.get((node, None))
        if found is None:
            span = self.spans[node]
            self.cuts[node, None] = found = Cut.between(span, np.zeros_like(span.start), span.cells)
        return found


def crossed(rows: Line, columns: Line) -> Plan:
    """Lines of n and m windows -> the plan for every pair of them."""
    network, lines = rows.network, (rows, columns)
    x, inside = network.x, {network.x}
    steps: list[PlanStep] = []
    for node, rule in network.rules.items():
        if rule is None or not inside.issuperset(rule.sources):
            continue
        down, across = (line.span(node, rule) for line in lines)
        if down.size * across.size >= NEARLY_ALL * down.cells * across.cells:
            continue
        inside.add(node)
        crops = tuple(_crop(lines, source, node, rule) for source in rule.sources)
        steps.append(PlanStep(node, rule, crops, down, across, ()))
    ends = _crossing(network.graph, inside)
    whole = tuple(Crop(node, node, rows.whole(node), columns.whole(node), network.places(node)) for node in ends)
    return Plan(
        rows.spans[x], columns.spans[x], _with_ends(_needed(steps, ends), ends), whole, network.tails.behind(ends)
    )


def _crop(lines: tuple[Line, Line], source: fx.Node, node: fx.Node, rule: Rule) -> Crop:
    rows, columns = (line.cut(source, node, rule) for line in lines)
    return Crop(source, node if rule.moved else source, rows, columns, lines[0].network.places(source))


def _crossing(graph: fx.GraphModule, inside: set[fx.Node]) -> list[fx.Node]:
    """Nodes of these that others, or the output, read."""
    return [node for node in graph.graph.nodes if node in inside and any(user not in inside for user in node.users)]


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
