"""Steps of graphs -> numbers: two steps that compute the same from the same get the same number, whatever their names.

That is how a cache knows what an edit left alone: a step may be renamed or moved, steps may come and go, and only what
computes something else gets a new number. "The same" means the same layer object (or one of its class with its settings
and its very weight tensors), unchanged since, on inputs with the same numbers.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Collection, Hashable, Iterator
from typing import Any

import torch
from torch import fx, nn

from cutaway.engine.run import finder
from cutaway.errors import BadInput
from cutaway.graph.names import names_of

_fresh = itertools.count(1)
_NOTHING = nn.Module()
_REACHES = 64
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
    """What each step of one graph computes -> its number; the steps of the next graph that do the same get the same.

    `graph`: the one that was numbered; `of_step`: its steps and their numbers, in running order.
    """

    __slots__ = (
        "_held",
        "_known",
        "_layers",
        "_place",
        "_reaches",
        "_root",
        "_seen",
        "_steps",
        "_used",
        "graph",
        "of_step",
    )

    def __init__(self) -> None:
        self.graph: fx.Graph | None = None
        self.of_step: dict[fx.Node, int] = {}
        self._known: dict[Any, int] = {}  # key of a step -> its number
        self._root: nn.Module = _NOTHING
        self._steps: dict[str, list[fx.Node]] = {}  # path of a layer -> the steps that it is
        self._held: dict[str, list[fx.Node]] = {}  # path of a layer -> steps that read its weights by themselves
        self._place: dict[fx.Node, int] = {}  # step -> how many run before it
        self._reaches: dict[tuple[fx.Node, ...], list[fx.Node]] = {}  # changed steps -> all they reach in the graph
        self._used: dict[fx.Node, tuple[nn.Module, int]] = {}  # step -> its layer, the layer's number
        self._layers: dict[Any, int] = {}  # key of a layer -> its number
        self._seen: dict[int, _Seen] = {}  # layers, by id

    def of(self, graph: fx.GraphModule, changed: Collection[str] = (), *, pure: bool = False) -> Numbers:
        """Graph, names of steps that changed in ways nobody can see (written through .data) -> its Numbers, which know
        this graph and no other: what only the one before held on to (old weights) is let go.

        `pure`: nothing was written into a layer since the graph before was numbered, so one that is the same object is
        the same and not looked at. Raises BadInput for a changed name that the graph does not have.
        """
        steps = names_of(graph) if changed else {}
        if missing := [name for name in changed if name not in steps]:
            raise BadInput(f"The network has no layer {missing[0]!r}, which was said to have changed.")
        new = {steps[name] for name in changed}
        after = Numbers()
        after.graph, after._root, after._layers = graph.graph, graph, self._layers.copy()
        known, now, numbers, used = self._known, after._known, after.of_step, after._used
        before, seen, layer_at = self._seen, after._seen, finder(graph)
        for node in graph.graph.nodes:
            op = node.op
            if op == "call_module":
                path = str(node.target)
                layer = layer_at(path)
                if pure and (same := before.get(id(layer))):  # nearly every layer, and the call would cost as much
                    seen[id(layer)], what = same, same.number
                else:
                    what = after._layer_number(layer, before)
                used[node] = layer, what
                after._steps.setdefault(path, []).append(node)
                key = _layer_key(node, what, numbers)
            elif op == "output":
                continue
            else:
                key = _key(graph, node, numbers)
            number = now.get(key) or known.get(key)
            if number is None or node in new:
                number = next(_fresh)
            numbers[node] = now[key] = number
        after._place = {node: place for place, node in enumerate(numbers)}
        for node in numbers:
            if node.op == "get_attr" and (owner := str(node.target).rpartition(".")[0]) in after._steps:
                after._held.setdefault(owner, []).append(node)
        after._forget()
        return after

    def of_same(self, graph: fx.GraphModule) -> tuple[Numbers, list[fx.Node]]:
        """As `of`, for a module of the very graph that was numbered, whose layers are the same objects, not written
        into, or others; and the steps that the others reach, in running order. Nothing else is looked at.
        """
        replaced = list(_others(self._root, graph))
        others = [(node, layer) for path, layer in replaced for node in self._steps.get(path, ())]
        read = [node for path, _ in replaced for node in self._held.get(path, ())]
        after = Numbers()
        after.graph, after._root, after._place = self.graph, graph, self._place
        after._steps, after._held = self._steps, self._held
        after._used, after.of_step, after._known = self._used.copy(), self.of_step.copy(), self._known.copy()
        after._layers, after._seen = self._layers.copy(), self._seen.copy()
        for node, layer in others:
            after._used[node] = layer, after._layer_number(layer, self._seen)
        numbers, now = after.of_step, after._known
        after._reaches, first = self._reaches, (*(node for node, _ in others), *read)
        steps = self._reaches.get(first)
        if steps is None:
            if len(self._reaches) >= _REACHES:
                self._reaches.clear()
            found = (node for node in _reached(first) if node.op != "output")
            steps = self._reaches[first] = sorted(found, key=self._place.__getitem__)
        for node in steps:
            is_layer = node.op == "call_module"
            key = _layer_key(node, after._used[node][1], numbers) if is_layer else _key(graph, node, numbers)
            now[key] = numbers[node] = now.get(key) or next(_fresh)
        after._forget()
        return after, steps

    def layer_of(self, node: fx.Node) -> nn.Module:
        """A step that is a layer -> the layer."""
        return self._used[node][0]

    def _forget(self) -> None:
        """Layers that no step is are let go, and most of what no step computes."""
        layers = set(map(operator.itemgetter(1), self._used.values()))
        for old in [key for key, number in self._layers.items() if number not in layers]:
            del self._layers[old]  # made anew it would ask every key, of many tensors, for its hash
        held = set(map(id, map(operator.itemgetter(0), self._used.values())))
        if len(self._seen) > len(held):
            self._seen = {key: seen for key, seen in self._seen.items() if key in held}
        if len(self._known) > 2 * len(self.of_step):
            numbers = set(self.of_step.values())
            self._known = {key: number for key, number in self._known.items() if number in numbers}

    def _layer_number(self, layer: nn.Module, before: dict[int, _Seen]) -> int:
        """Layer, layers of the graph before -> the number of its class, its settings as they are now, its very tensors,
        the layers inside it."""
        found = before.get(id(layer))
        if found is None or not found.is_still(layer):
            key = tuple(map(_own_key, layer.modules()))
            number: int = self._layers.setdefault(key, next(_fresh))
            settings = (value for name, value in vars(layer).items() if name[0] != "_")
            if layer._modules or not all(map(_settled, settings)):
                return number  # a list, or a layer inside, can change and be the same object
            found = _Seen(layer, number)
        self._seen[id(layer)] = found
        return found.number


def _others(old: nn.Module, new: nn.Module, above: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Two modules -> (path, the new one's) of blocks and layers that are not the same object; in shared blocks nothing
    is looked at.
    """
    for name, module in new._modules.items():
        was = old._modules.get(name)
        if module is not was and module is not None:
            yield above + name, module
            yield from _others(was if was is not None else _NOTHING, module, f"{above}{name}.")


def _reached(nodes: Collection[fx.Node]) -> set[fx.Node]:
    """Steps -> they and all that read them, near and far."""
    found, todo = set(nodes), list(nodes)
    while todo:
        new = [user for user in todo.pop().users if user not in found]
        found.update(new)
        todo += new
    return found


def _layer_key(node: fx.Node, what: int, numbers: dict[fx.Node, int]) -> Any:
    """A step that is a layer, the layer's number -> what it computes from what."""
    args = node.args
    if len(args) == 1 and not node.kwargs and isinstance(args[0], fx.Node):  # nearly every layer
        return (what, numbers[args[0]])
    return (node.op, what, _frozen(args, numbers), _frozen(node.kwargs, numbers))


def _key(graph: fx.GraphModule, node: fx.Node, numbers: dict[fx.Node, int]) -> Any:
    """A step that is no layer -> what it computes from what."""
    if node.op == "placeholder":
        return ("input", node.args and _frozen(node.args, numbers))
    if node.op == "get_attr":
        return ("stored", _frozen(functools.reduce(getattr, str(node.target).split("."), graph), numbers))
    return (node.op, node.target, _frozen(node.args, numbers), _frozen(node.kwargs, numbers))


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
