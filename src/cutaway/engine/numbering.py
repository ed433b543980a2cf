"""Steps of graphs -> numbers: two steps that compute the same from the same get the same number, whatever their names.

That is how a cache knows what an edit left alone: a step may be renamed or moved, steps may come and go, and only what
computes something else gets a new number. "The same" means the same layer object (or one of its class with its settings
and its very weight tensors), unchanged since, on inputs with the same numbers.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection
from typing import Any

import torch
from torch import fx, nn

from cutaway.engine.run import layer_at
from cutaway.errors import BadInput
from cutaway.graph.names import names_of

_fresh = itertools.count()
_PLAIN = {int, float, bool, str, type(None)}


class _Same:
    """A tensor as a key: itself, as often written into as now. Holding it keeps its place in memory from others."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor
        self._version = 0 if tensor.is_inference() else tensor._version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._tensor is other._tensor and self._version == other._version

    def __hash__(self) -> int:
        return hash((id(self._tensor), self._version))


class Numbers:
    """What a step computes -> its number. Copies share nothing, so a cache that was made stays as it is."""

    def __init__(self, known: dict[Any, int] | None = None) -> None:
        self._known = dict(known or {})

    def copy(self) -> Numbers:
        return Numbers(self._known)

    def only(self, numbers: Collection[int]) -> Numbers:
        """Numbers -> those of them; what the others held on to (weights of edits long gone) is let go."""
        wanted = set(numbers)
        return Numbers({key: n for key, n in self._known.items() if n in wanted})

    def of(self, graph: fx.GraphModule, changed: Collection[str] = ()) -> dict[fx.Node, int]:
        """Graph, names of steps that changed in ways nobody can see (written through .data) -> node: number.

        Raises BadInput for a changed name that the graph does not have.
        """
        steps = names_of(graph)
        if missing := [name for name in changed if name not in steps]:
            raise BadInput(f"The network has no layer {missing[0]!r}, which was said to have changed.")
        new = {steps[name] for name in changed}
        numbers: dict[fx.Node, int] = {}
        for node in graph.graph.nodes:
            if node.op == "output":
                continue
            key = self._key(graph, node, numbers)
            if node in new or key not in self._known:
                self._known[key] = next(_fresh)
            numbers[node] = self._known[key]
        return numbers

    def _key(self, graph: fx.GraphModule, node: fx.Node, numbers: dict[fx.Node, int]) -> Any:
        if node.op == "placeholder":
            return ("input", node.args and _frozen(node.args, numbers))
        if node.op == "get_attr":
            return ("stored", _frozen(functools.reduce(getattr, str(node.target).split("."), graph), numbers))
        what = _layer_key(layer_at(graph, str(node.target))) if node.op == "call_module" else node.target
        return (node.op, what, _frozen(node.args, numbers), _frozen(node.kwargs, numbers))


def _layer_key(layer: nn.Module) -> Any:
    """Layer -> its class, its settings as they are now, its very tensors; and those of the layers inside it."""
    return _own_key(layer) if not layer._modules else tuple(map(_own_key, layer.modules()))


def _own_key(layer: nn.Module) -> Any:
    settings = [_frozen(v, {}) for k, v in vars(layer).items() if k[0] != "_"]  # a class sets them in one order
    tensors = [v if v is None else _Same(v) for own in (layer._parameters, layer._buffers) for v in own.values()]
    return (type(layer), tuple(vars(layer)), *settings, *tensors)


def _frozen(value: Any, numbers: dict[fx.Node, int]) -> Any:
    """An argument of a step -> a key that equals another's where both say the same (1, 1.0 and True are three)."""
    if type(value) in _PLAIN:
        return (type(value), value)
    if isinstance(value, fx.Node):
        return ("step", numbers[value])
    if isinstance(value, torch.Tensor):
        return _Same(value)
    if isinstance(value, tuple | list):
        return (type(value), *(_frozen(v, numbers) for v in value))
    if isinstance(value, dict):
        return (dict, *((k, _frozen(v, numbers)) for k, v in value.items()))
    if isinstance(value, slice):
        return (slice, *(_frozen(v, numbers) for v in (value.start, value.stop, value.step)))
    try:
        hash(value)
    except TypeError:
        return ("unlike any other", next(_fresh))
    return (type(value), value)
