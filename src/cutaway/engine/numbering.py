"""Steps of graphs -> numbers: two steps that compute the same from the same get the same number, whatever their names.

That is how a cache knows what an edit left alone: a step may be renamed or moved, steps may come and go, and only what
computes something else gets a new number. "The same" means the same layer object (or one of its class with its settings
and its very weight tensors), unchanged since, on inputs with the same numbers.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Collection, Hashable
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


class _Seen:
    """A layer as it was when it was numbered: while its settings and tensors are the very same objects, not written
    into since, its number holds. Looking is ten times quicker than making its key again."""

    __slots__ = ("_ids", "_layer", "_settings", "_stored", "_tensors", "_versions", "number")

    def __init__(self, layer: nn.Module, number: int) -> None:
        self._layer, self.number = layer, number
        self._settings = list(vars(layer).values())
        self._stored = _tensors(layer)  # held, as the settings are, so that no other object gets their places
        self._ids = list(map(id, self._stored))
        self._tensors = [t for t in self._stored if t is not None and not t.is_inference()]
        self._versions = [t._version for t in self._tensors]

    def is_still(self, layer: nn.Module) -> bool:
        return (
            layer is self._layer
            and all(map(operator.is_, vars(layer).values(), self._settings))
            and len(vars(layer)) == len(self._settings)
            and list(map(id, _tensors(layer))) == self._ids
            and [t._version for t in self._tensors] == self._versions
        )


class Numbers:
    """What a step computes -> its number. Copies share nothing, so a cache that was made stays as it is."""

    def __init__(
        self,
        known: dict[Any, int] | None = None,
        layers: dict[Any, int] | None = None,
        seen: dict[int, _Seen] | None = None,
    ) -> None:
        self._known = dict(known or {})
        self._layers = dict(layers or {})  # key of a layer -> its number
        self._seen = seen or {}  # layers of the graph that was numbered last, by id; replaced as a whole

    def copy(self) -> Numbers:
        return Numbers(self._known, self._layers, self._seen)

    def only(self, numbers: Collection[int]) -> Numbers:
        """Numbers -> those of them; what the others held on to (weights of edits long gone) is let go."""
        wanted = set(numbers)
        kept = Numbers(self._known, self._layers, self._seen)  # copied and then thinned: keys are not hashed again
        for gone in [key for key, n in kept._known.items() if n not in wanted]:
            del kept._known[gone]
        layers = {key[1] if key[0] == "call_module" else key[0] for key in kept._known}
        for old in [key for key, n in kept._layers.items() if n not in layers]:
            del kept._layers[old]
        return kept

    def of(self, graph: fx.GraphModule, changed: Collection[str] = (), *, pure: bool = False) -> dict[fx.Node, int]:
        """Graph, names of steps that changed in ways nobody can see (written through .data) -> node: number.

        `pure`: nothing was written into a layer since the graph before was numbered, so one that is the same object is
        the same and not looked at. Raises BadInput for a changed name that the graph does not have.
        """
        steps = names_of(graph) if changed else {}
        if missing := [name for name in changed if name not in steps]:
            raise BadInput(f"The network has no layer {missing[0]!r}, which was said to have changed.")
        new = {steps[name] for name in changed}
        numbers: dict[fx.Node, int] = {}
        seen: dict[int, _Seen] = {}
        known = self._known
        for node in graph.graph.nodes:
            if node.op == "output":
                continue
            key = self._key(graph, node, numbers, seen, pure)
            number = known.get(key)
            if number is None or node in new:
                number = known[key] = next(_fresh)
            numbers[node] = number
        self._seen = seen
        return numbers

    def _key(
        self, graph: fx.GraphModule, node: fx.Node, numbers: dict[fx.Node, int], seen: dict[int, _Seen], pure: bool
    ) -> Any:
        if node.op == "call_module":
            what: Any = self._layer_number(layer_at(graph, str(node.target)), seen, pure)
            args = node.args
            if len(args) == 1 and isinstance(args[0], fx.Node) and not node.kwargs:  # nearly every layer
                return (what, numbers[args[0]])
        elif node.op == "placeholder":
            return ("input", node.args and _frozen(node.args, numbers))
        elif node.op == "get_attr":
            return ("stored", _frozen(functools.reduce(getattr, str(node.target).split("."), graph), numbers))
        else:
            what = node.target
        return (node.op, what, _frozen(node.args, numbers), _frozen(node.kwargs, numbers))

    def _layer_number(self, layer: nn.Module, seen: dict[int, _Seen], pure: bool) -> int:
        """Layer -> the number of its class, its settings as they are now, its very tensors, the layers inside it."""
        found = self._seen.get(id(layer))
        if found is None or not (pure or found.is_still(layer)):
            key = tuple(map(_own_key, layer.modules()))
            number: int = self._layers.setdefault(key, next(_fresh))
            settings = (value for name, value in vars(layer).items() if name[0] != "_")
            if layer._modules or not all(map(_settled, settings)):
                return number  # a list, or a layer inside, can change and be the same object
            found = _Seen(layer, number)
        seen[id(layer)] = found
        return found.number


def _own_key(layer: nn.Module) -> Any:
    settings = [_frozen(v, {}) for k, v in vars(layer).items() if k[0] != "_"]  # a class sets them in one order
    tensors = [v if v is None else _Same(v) for v in _tensors(layer)]
    return (type(layer), tuple(vars(layer)), *settings, *tensors)


def _tensors(layer: nn.Module) -> list[torch.Tensor | None]:
    return [*layer._parameters.values(), *layer._buffers.values()]


def _settled(value: Any) -> bool:
    """Whether a setting that is the very same object also says the same."""
    if type(value) in _PLAIN:
        return True
    return (
        all(map(_settled, value))
        if isinstance(value, tuple)
        else isinstance(value, Hashable) and not (isinstance(value, torch.Tensor))
    )


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
