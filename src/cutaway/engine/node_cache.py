"""NodeCache: all that one run on one picture computed, so that an edited network runs only what the edit changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from cutaway.engine.numbering import Numbers
from cutaway.engine.run import Plan, input_of, plan_of, run
from cutaway.engine.trace import Trace, tensors_by_name
from cutaway.graph.names import names_of

_PLANS = 16


@dataclass(frozen=True, slots=True, eq=False)
class NodeCache:
    """`trace` of a graph on the input `x`; `ran` names the steps that had to be computed for it, in running order.

    Tensors are shared with the caches it was made from, so a chain of edits costs what each edit changed. The cache of
    the network before an edit stays as it was: going back is `before.trace`. `steps`: how many the graph has, whether
    or not the trace holds them all.
    """

    x: torch.Tensor
    trace: Trace
    ran: tuple[str, ...]
    _numbers: Numbers = field(repr=False)
    _names: dict[fx.Node, str] = field(repr=False)
    _computed: dict[fx.Node, Any] = field(repr=False)
    _plans: dict[Any, Plan] = field(repr=False)  # of edits that left the graph as it was; shared with their caches

    @classmethod
    def of(cls, graph: fx.GraphModule, x: torch.Tensor) -> NodeCache:
        """Graph, prepared input (N, C, H, W) -> the cache of a full run. Raises BadModel as `trace_steps` does."""
        return _cache(graph, x, {}, Numbers(), (), pure=False)

    @property
    def steps(self) -> int:
        return len(self._names)

    def after(
        self,
        graph: fx.GraphModule,
        changed: Collection[str] = (),
        *,
        pure: bool = False,
        keep: Collection[str] | None = None,
    ) -> NodeCache:
        """Edited graph, names of its changed steps -> its cache on the same input; unchanged steps are not run again.

        Added, removed, renamed and rewired steps are found by themselves, as are settings, replaced weights and weights
        written in place; `changed` is for what leaves no mark (`weight.data[0] = 0`). `pure`: the graph was made by
        edits (surgery), which never write into a layer or a graph they share: then layers are not looked through, and
        of a graph that is the very same only what an edit reached. `keep`: names of the steps whose values are wanted,
        where not all are: of the others the trace has only what was not run anew, and memory is used again. Names that
        the graph does not have are nobody's. Equal to a full run, bit for bit.

        Raises BadInput for a changed name that is not there, BadModel naming the layer that cannot work on its input.
        """
        if pure and not changed and graph.graph is self._numbers.graph:
            return self._of_same(graph, keep)
        known = {number: self._computed[n] for n, number in self._numbers.of_step.items() if n in self._computed}
        return _cache(graph, self.x, known, self._numbers, changed, pure, keep)

    def _of_same(self, graph: fx.GraphModule, keep: Collection[str] | None) -> NodeCache:
        """As `after`, where the edit left the graph itself as it was."""
        numbers, reached = self._numbers.of_same(graph)
        before, now = self._numbers.of_step, numbers.of_step
        known = {before[node]: self._computed[node] for node in reached if node in self._computed}
        same = {node: known[now[node]] for node in reached if now[node] in known}  # undone
        given = {**self._computed, **same}
        for node in reached:
            if node not in same:
                given.pop(node, None)
        known_plan = (keep if keep is None else frozenset(keep), *reached)
        plain = not same and len(self._computed) == len(self._names)  # then what is left to do is always the same
        plan = self._plans.get(known_plan) if plain else None
        if plan is None:
            plan = _plan(graph, given, numbers, self._numbers, self._names, keep)
            if plain:
                if len(self._plans) >= _PLANS:
                    self._plans.clear()
                self._plans[known_plan] = plan
        return _made(graph, self.x, given, numbers, self._names, plan, self._plans)


def rerun(graph: fx.GraphModule, cache: NodeCache, changed: Collection[str] = ()) -> Trace:
    """Edited graph, cache of the graph before, names of changed steps -> its Trace on the same input."""
    return cache.after(graph, changed).trace


def _cache(
    graph: fx.GraphModule,
    x: torch.Tensor,
    known: dict[int, Any],
    before: Numbers,
    changed: Collection[str],
    pure: bool,
    keep: Collection[str] | None = None,
) -> NodeCache:
    numbers = before.of(graph, changed, pure=pure)
    given = {node: known[n] for node, n in numbers.of_step.items() if n in known}
    given[input_of(graph)] = x
    names = {node: name for name, node in names_of(graph).items()}
    return _made(graph, x, given, numbers, names, _plan(graph, given, numbers, before, names, keep), {})


def _plan(
    graph: fx.GraphModule,
    given: Mapping[fx.Node, Any],
    numbers: Numbers,
    before: Numbers,
    names: dict[fx.Node, str],
    keep: Collection[str] | None,
) -> Plan:
    """A graph, values that are there, numbers of its steps and of those before the edit -> what is to be run.

    A step that the edit did not reach but whose value was not kept before is computed and stays: the next edit at the
    same place finds it.
    """
    if keep is None:
        return plan_of(graph, [node for node in names if node not in given], None)
    wanted = {node for node, name in names.items() if name in keep}
    nodes = _needed(graph, wanted, given, names)
    old = set(before.of_step.values())
    return plan_of(graph, nodes, {node for node in nodes if node in wanted or numbers.of_step[node] in old})


def _made(
    graph: fx.GraphModule,
    x: torch.Tensor,
    given: dict[fx.Node, Any],
    numbers: Numbers,
    names: dict[fx.Node, str],
    plan: Plan,
    plans: dict[Any, Plan],
) -> NodeCache:
    fresh, output = run(graph, given, plan=plan, layer_of=numbers.layer_of)
    values = fresh if plan.keep is None else {**given, **fresh}
    ran = tuple(names[node] for node in plan.nodes)
    return NodeCache(x, Trace(tensors_by_name(names, values), output), ran, numbers, names, values, plans)


def _needed(
    graph: fx.GraphModule, wanted: set[fx.Node], given: Mapping[fx.Node, Any], names: Iterable[fx.Node]
) -> list[fx.Node]:
    """Steps whose values are wanted beside the output -> they and what they are made of, but not what is given."""
    output = next(reversed(graph.graph.nodes))
    found: set[fx.Node] = set()
    waiting = [*wanted, *output.all_input_nodes]
    while waiting:
        node = waiting.pop()
        if node not in given and node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return [node for node in names if node in found]
