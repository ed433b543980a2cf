"""A graph cut in two, and the CutCache: many pictures through a network whose first part stays the same.

Only the tensors that cross the cut are kept: 98 to 514 kB a picture for MobileNetV2 (all its maps: 76 MiB).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from cutaway.engine.numbering import Numbers
from cutaway.engine.run import input_of, run
from cutaway.engine.trace import trace_steps
from cutaway.errors import BadModel, must_be
from cutaway.graph.names import names_of, step_named

GIGABYTE = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """`head` turns the input into the tuple of values that `tail` takes as arguments to give the output.

    `crossing` names these values: steps of the head that the tail reads, the input among them where it does.
    """

    head: fx.GraphModule
    tail: fx.GraphModule
    crossing: tuple[str, ...]


def split_at(graph: fx.GraphModule, names: Collection[str]) -> Split:
    """Graph, names of steps -> its two parts: the tail holds them and all that depends on them, the head the rest.

    Both share the graph's layers. `tail(*head(x))` equals `graph(x)` bit for bit. Raises BadInput for a name that is
    not there.
    """
    known = {node: name for name, node in names_of(graph).items()}
    crossing = _crossing(graph, [step_named(graph, name) for name in names])
    return Split(
        part_of(graph, [input_of(graph)], crossing),
        part_of(graph, crossing, None),
        tuple(known[node] for node in crossing),
    )


def part_of(graph: fx.GraphModule, given: Sequence[fx.Node], wanted: Sequence[fx.Node] | None) -> fx.GraphModule:
    """Graph, nodes whose values are given, nodes whose values are wanted (None: the output) -> a graph of its own.

    It takes the given values as arguments in their order and gives a tuple of the wanted ones (the output as it is);
    what neither needs is left out. Layers are shared. Raises BadModel where something is needed that nothing gives.
    """
    output = _output(graph)
    steps = needed(output.all_input_nodes if wanted is None else wanted, set(given))
    part = fx.Graph()
    copies = {node: part.placeholder(node.name) for node in given}
    for node in graph.graph.nodes:
        if node not in steps or node in copies:
            continue
        if node.op == "placeholder" and not node.args:
            raise BadModel(
                f"The part of the network that was asked for needs its input {node.name}, which is not given."
            )
        copies[node] = part.node_copy(node, copies.__getitem__)
    result = output.args[0] if wanted is None else tuple(wanted)
    part.output(fx.map_arg(result, copies.__getitem__))
    return fx.GraphModule(graph, part, class_name="Network")


class CutCache:
    """Prepared batches through what an edit leaves alone, once; then each edited network runs only the rest.

    `batches` is read by number and may prepare a batch each time it is asked. Values are kept up to `most_bytes`; what
    is beyond is computed again from the batches, so memory is bounded and answers stay the same.
    """

    def __init__(
        self,
        graph: fx.GraphModule,
        names: Collection[str],
        batches: Sequence[torch.Tensor],
        *,
        most_bytes: int = GIGABYTE,
    ) -> None:
        """Raises BadInput for a name that is not there or a negative bound, BadModel as `trace_steps` does."""
        if most_bytes < 0:
            raise must_be("most_bytes", "0 or more", most_bytes)
        self._batches = batches
        self._numbers = Numbers().of(graph)
        nodes = _crossing(graph, [step_named(graph, name) for name in names])
        crossing = [node for node in nodes if node.op != "placeholder"]  # the input is in the batches
        self._cut = [self._numbers.of_step[node] for node in crossing]
        self._kept: list[tuple[Any, ...]] = []
        self.bytes = 0
        """Of the values that are kept."""
        self._fill(part_of(graph, [input_of(graph)], crossing), most_bytes)

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def kept(self) -> int:
        """How many of the batches, from the first, have their values kept."""
        return len(self._kept)

    def reuses(self, graph: fx.GraphModule, changed: Collection[str] = ()) -> bool:
        """Whether an edited graph can start from the kept values: True where the edit lies below the cut alone."""
        return self._start(graph, changed)[1] is not None

    def outputs(self, graph: fx.GraphModule, changed: Collection[str] = ()) -> Iterator[torch.Tensor]:
        """Edited graph, steps that changed without a mark (see NodeCache.after) -> its output for each batch, in order.

        Equal to running the edited graph on every batch, bit for bit, wherever the edit lies: above the cut nothing can
        be reused, and everything runs. Raises BadInput for a name that is not there, BadModel naming a layer.
        """
        start, tail = self._start(graph, changed)
        for index in range(len(self._batches)):
            if tail is None or index >= len(self._kept):
                yield trace_steps(graph, self._batches[index], ()).output
                continue
            by_number = dict(zip(self._cut, self._kept[index], strict=True))
            given = zip(_inputs(tail), (by_number[n] for n in start), strict=True)
            output: torch.Tensor = run(tail, dict(given), ())[1]
            yield output

    def _start(self, graph: fx.GraphModule, changed: Collection[str]) -> tuple[list[int], fx.GraphModule | None]:
        """The kept values an edited graph starts from, and the graph from there; None where it needs the input."""
        number = self._numbers.of(graph, changed).of_step
        cut = set(self._cut)
        start = {node: n for node, n in number.items() if n in cut}
        try:
            return list(start.values()), part_of(graph, list(start), None)
        except BadModel:
            return [], None

    def _fill(self, head: fx.GraphModule, most_bytes: int) -> None:
        for index in range(len(self._batches)):
            values: tuple[Any, ...] = run(head, dict.fromkeys(_inputs(head), self._batches[index]), ())[1]
            size = sum(map(_size, values))
            if self.bytes + size > most_bytes:
                break
            self.bytes += size
            self._kept.append(values)


def _inputs(graph: fx.GraphModule) -> list[fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "placeholder"]


def _crossing(graph: fx.GraphModule, changed: Sequence[fx.Node]) -> list[fx.Node]:
    """Nodes that do not depend on the changed ones but are read by what does (the output where nothing of it does)."""
    tail: set[fx.Node] = set(changed)
    for node in graph.graph.nodes:
        if any(before in tail for before in node.all_input_nodes):
            tail.add(node)
    head = {node for node in graph.graph.nodes if node not in tail and node.op != "get_attr"}
    read = needed(_output(graph).all_input_nodes, head)
    return [node for node in graph.graph.nodes if node in read and node in head]


def _output(graph: fx.GraphModule) -> fx.Node:
    found: fx.Node = next(node for node in graph.graph.nodes if node.op == "output")
    return found


def needed(wanted: Sequence[fx.Node], given: set[fx.Node]) -> set[fx.Node]:
    """Nodes whose values are needed for the wanted ones, the given ones included, what lies before these left out."""
    found, waiting = set(wanted), [node for node in wanted if node not in given]
    while waiting:
        for before in waiting.pop().all_input_nodes:
            if before not in found:
                found.add(before)
                if before not in given:
                    waiting.append(before)
    return found


def _size(value: Any) -> int:
    """Bytes a kept value holds on to: a view keeps the whole of what it looks into."""
    if isinstance(value, torch.Tensor):
        return value.untyped_storage().nbytes()
    return sum(map(_size, value)) if isinstance(value, tuple | list) else 0
