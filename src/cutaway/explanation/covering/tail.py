"""Tail: the part of a network behind the last crops, which takes whole maps, as many windows at a time as pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import fx

from cutaway.engine.cut import needed, part_of
from cutaway.explanation.covering.rules import Shape

AT_ONCE = 25
"""Windows whose large maps are computed at a time: with 12 MobileNetV2 takes 5 % longer, 49 are no faster."""
_FEW_CELLS = 64
"""Of a map: behind the last larger one a layer reads weights more than maps, and windows should share them: MobileNetV2
from its 7 x 7 maps on (timed by the benchmark `occlusion`)."""
_AT_MOST = 50 * 2**16
"""Numbers in such maps at a time: 13 MB in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """Maps of N windows go through `parts`, each for so many windows at a time; all but the last give a tuple."""

    parts: tuple[tuple[fx.GraphModule, int], ...]

    def logits(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """The values (N, ...) that the first part takes, let go once they were read -> (N, K)."""
        *before, (last, at_once) = self.parts
        for part, count in before:
            maps[:] = [_joined(values) for values in zip(*(part(*some) for some in _chunks(maps, count)), strict=True)]
        return _joined([last(*some) for some in _chunks(maps, at_once)])


class Tails:
    """A graph's tails, each made when it is asked for; what two of them end with is made once."""

    def __init__(self, graph: fx.GraphModule, shapes: Mapping[fx.Node, Shape]) -> None:
        """`shapes`: of the steps' values for one picture."""
        self._graph, self._shapes = graph, shapes
        self._made: dict[tuple[fx.Node, ...], Tail] = {}

    def behind(self, ends: Sequence[fx.Node]) -> Tail:
        """Nodes whose values are given -> what gives the output from them, cut in two where one value is all that the
        rest needs and no map is large any more."""
        given = tuple(ends)
        if given not in self._made:
            self._made[given] = self._tail(given)
        return self._made[given]

    def _tail(self, given: tuple[fx.Node, ...]) -> Tail:
        steps = _depending(self._graph, given)
        shapes = [self._shapes.get(node, ()) for node in steps]
        first = next((at for at in _narrow(steps, len(given)) if _small(shapes[at:])), None)
        if first is not None and first >= len(given):
            part = part_of(self._graph, given, [steps[first]])
            return Tail(((part, AT_ONCE), *self.behind([steps[first]]).parts))
        most = AT_ONCE if first is None else max(_AT_MOST // max(map(prod, shapes)), AT_ONCE)
        return Tail(((part_of(self._graph, given, None), most),))


def _chunks(maps: Sequence[torch.Tensor], at_once: int) -> Iterator[tuple[torch.Tensor, ...]]:
    count = -(-len(maps[0]) // at_once)
    return zip(*(values.chunk(count) for values in maps), strict=True)


def _joined(values: Sequence[torch.Tensor]) -> torch.Tensor:
    return values[0] if len(values) == 1 else torch.cat(list(values))


def _small(shapes: Sequence[Shape]) -> bool:
    """Of one picture's values: whether the first is a tensor with a row for each picture, and no map has many cells.
    A map's channels are taken to be its longest side."""
    rows = len(shapes[0]) > 1 and shapes[0][0] == 1
    return rows and max(prod(shape) // max(shape, default=1) for shape in shapes) <= _FEW_CELLS


def _depending(graph: fx.GraphModule, given: Sequence[fx.Node]) -> list[fx.Node]:
    """-> the given values and the steps from them to the output, in running order, without the output."""
    (output,) = (node for node in graph.graph.nodes if node.op == "output")
    wanted, found = needed(output.all_input_nodes, set(given)), dict.fromkeys(given)
    for node in graph.graph.nodes:
        if node in wanted and any(before in found for before in node.all_input_nodes):
            found.setdefault(node)
    return list(found)


def _narrow(steps: Sequence[fx.Node], given: int) -> Iterator[int]:
    """Steps in running order, how many of them are given values -> numbers of those that alone are read behind them."""
    order = {node: i for i, node in enumerate(steps)}
    last_reader = 0  # of all values before
    for i, node in enumerate(steps):
        if i + 1 >= given and last_reader <= i:
            yield i
        readers = (len(steps) if user.op == "output" else order.get(user, 0) for user in node.users)
        last_reader = max(last_reader, *readers)
