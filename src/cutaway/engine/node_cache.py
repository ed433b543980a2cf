"""NodeCache: all that one run on one picture computed, so that an edited network runs only what the edit changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from cutaway.engine.numbering import Numbers
from cutaway.engine.run import input_of, run
from cutaway.engine.trace import Trace, tensors_by_name
from cutaway.graph.names import names_of


@dataclass(frozen=True, slots=True, eq=False)
class NodeCache:
    """`trace` of a graph on the input `x`; `ran` names the steps that had to be computed for it, in running order.

    Tensors are shared with the caches it was made from, so a chain of edits costs what each edit changed. The cache of
    the network before an edit stays as it was: going back is `before.trace`.
    """

    x: torch.Tensor
    trace: Trace
    ran: tuple[str, ...]
    _numbers: Numbers = field(repr=False)
    _names: dict[fx.Node, str] = field(repr=False)
    _computed: dict[fx.Node, Any] = field(repr=False)

    @classmethod
    def of(cls, graph: fx.GraphModule, x: torch.Tensor) -> NodeCache:
        """Graph, prepared input (N, C, H, W) -> the cache of a full run. Raises BadModel as `trace_steps` does."""
        return _cache(graph, x, {}, Numbers(), (), False)

    def after(self, graph: fx.GraphModule, changed: Collection[str] = (), *, pure: bool = False) -> NodeCache:
        """Edited graph, names of its changed steps -> its cache on the same input; unchanged steps are not run again.

        Added, removed, renamed and rewired steps are found by themselves, as are settings, replaced weights and weights
        written in place; `changed` is for what leaves no mark (`weight.data[0] = 0`). `pure`: the graph was made by
        edits (surgery), which never write into a layer or a graph they share: then layers are not looked through, and
        of a graph that is the very same only what an edit reached. Equal to a full run, bit for bit.

        Raises BadInput for a name that is not there, BadModel naming the layer that cannot work on what it gets.
        """
        if pure and not changed and graph.graph is self._numbers.graph:
            return self._of_same(graph)
        known = {number: self._computed[node] for node, number in self._numbers.of_step.items()}
        return _cache(graph, self.x, known, self._numbers, changed, pure)

    def _of_same(self, graph: fx.GraphModule) -> NodeCache:
        """As `after`, where the edit left the graph itself as it was."""
        numbers, reached = self._numbers.of_same(graph)
        before, now = self._numbers.of_step, numbers.of_step
        known = {before[node]: self._computed[node] for node in reached}
        again = [node for node in reached if now[node] not in known]
        given = {**self._computed, **{node: known[now[node]] for node in reached if now[node] in known}}
        for node in again:
            del given[node]
        values, output = run(graph, given)
        ran = tuple(self._names[node] for node in again)
        fresh = tensors_by_name({node: self._names[node] for node in reached}, values)
        return NodeCache(self.x, Trace({**self.trace.values, **fresh}, output), ran, numbers, self._names, values)


def rerun(graph: fx.GraphModule, cache: NodeCache, changed: Collection[str] = ()) -> Trace:
    """Edited graph, cache of the graph before, names of changed steps -> its Trace on the same input."""
    return cache.after(graph, changed).trace


def _cache(
    graph: fx.GraphModule,
    x: torch.Tensor,
    known: dict[int, Any],
    numbers: Numbers,
    changed: Collection[str],
    pure: bool,
) -> NodeCache:
    numbers = numbers.of(graph, changed, pure=pure)
    given = {node: known[n] for node, n in numbers.of_step.items() if n in known}
    given[input_of(graph)] = x
    names = {node: name for name, node in names_of(graph).items()}
    values, output = run(graph, given)
    ran = tuple(name for node, name in names.items() if node not in given)
    return NodeCache(x, Trace(tensors_by_name(names, values), output), ran, numbers, names, values)
