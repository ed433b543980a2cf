"""A tree of Keras layers and their weights -> the graph. Does not know where the weights come from.

Walks Sequential and functional models, nested in any way. A layer without weights that is used several times becomes
one layer per use; one with weights stays one layer that several nodes of the graph run.
"""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from cutaway.errors import BadModel
from cutaway.formats.keras_calls import Call, Ref, shown
from cutaway.formats.keras_emit import Emit, Operand, Value
from cutaway.formats.keras_layers import build_layer
from cutaway.formats.keras_tree import Layer
from cutaway.formats.keras_weights import LayerPath, Stored, Weights
from cutaway.graph.build import GraphBuilder

ASSUMED_SIZE = 224
_LARGEST_SIDE = 16_384
_MOST_USES = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The graph, the picture it takes (height, width, channels), what it makes of one, and sentences of note."""

    graph: fx.GraphModule
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, ...]
    probabilities: bool
    notes: tuple[str, ...]


@dataclass(slots=True)
class Progress:
    """How far the building came: output shapes by layer path (channels last), and the layer it is at."""

    shapes: dict[LayerPath, tuple[int, ...]] = field(default_factory=dict)
    at: LayerPath = ()


@dataclass(frozen=True, slots=True)
class _Use:
    """The first use of a layer with weights: what it read, the nodes it became, what they make."""

    given: Value
    nodes: tuple[fx.Node, ...]
    made: Value


@dataclass(slots=True)
class _Walk:
    builder: GraphBuilder
    weights: Weights
    keras: int
    progress: Progress
    first_uses: dict[LayerPath, _Use] = field(default_factory=dict)
    uses: int = 0

    def run(self, layer: Layer, path: LayerPath, call: Call, operands: Sequence[Operand]) -> Value:
        self.progress.at = path
        self.uses += 1
        if self.uses > _MOST_USES:
            raise BadModel(f"The network uses layers more than {_MOST_USES} times, the most that are accepted.")
        if layer.refusal:
            raise BadModel(layer.refusal)
        if layer.is_container:
            value = self.container(layer, path, operands)
        elif path in self.first_uses:
            value = self.again(layer, self.first_uses[path], operands)
        else:
            value = self.leaf(layer, path, call, operands)
        self.progress.shapes.setdefault(path, value.shape)
        return value

    def leaf(self, layer: Layer, path: LayerPath, call: Call, operands: Sequence[Operand]) -> Value:
        emit = Emit(layer, self.builder, lambda: self.arrays(path), self.keras, call.named)
        value = build_layer(emit, operands)
        if emit.has_weights and isinstance(operands[0], Value):
            self.first_uses[path] = _Use(operands[0], tuple(emit.nodes), value)
        return value

    def again(self, layer: Layer, first: _Use, operands: Sequence[Operand]) -> Value:
        """The same layers with the same weights on another value."""
        (given,) = operands if len(operands) == 1 else (None,)
        if not isinstance(given, Value) or given.shape != first.given.shape:
            found = " and ".join(str(v.shape) if isinstance(v, Value) else "a number" for v in operands)
            raise BadModel(
                f"Layer {shown(layer.name)} ({shown(layer.kind)}): it is used on values of different shapes, "
                f"{first.given.shape} and {found}, which cannot be opened."
            )
        node = self.builder.repeat(first.nodes, {first.given.node: given.node})
        return Value(node, first.made.shape, first.made.made_by)

    def arrays(self, path: LayerPath) -> Sequence[Stored]:
        return self.weights(path)

    def container(self, layer: Layer, path: LayerPath, operands: Sequence[Operand]) -> Value:
        if len(operands) != 1 or not isinstance(operands[0], Value):
            raise BadModel(f"The model {shown(layer.name)} takes one input; the file gives it {len(operands)}.")
        self.uses += len(layer.layers)
        if layer.kind != "Sequential":
            return self.functional(layer, path, operands[0])
        _must_differ(layer)
        value = operands[0]
        for child in layer.layers:
            if child.kind == "InputLayer":
                self.progress.shapes.setdefault((*path, child.name), value.shape)
            else:
                value = self.run(child, (*path, child.name), Call(()), [value])
        return value

    def functional(self, layer: Layer, path: LayerPath, given: Value) -> Value:
        _must_be_plain(layer)
        key = _numbering(layer, self.keras)
        made = {(layer.inputs[0].layer, 0): given}
        self.progress.shapes.setdefault((*path, layer.inputs[0].layer), given.shape)
        steps = [(child, n, call) for child in layer.layers for n, call in enumerate(child.calls or ())]
        missing = [{key(o) for o in call.operands if isinstance(o, Ref)} - made.keys() for _, _, call in steps]
        readers: dict[tuple[str, int], list[int]] = {}
        for at, keys in enumerate(missing):
            for k in keys:
                readers.setdefault(k, []).append(at)
        ready = [at for at, keys in enumerate(missing) if not keys]
        done = 0
        while ready:
            child, n, call = steps[heapq.heappop(ready)]
            done += 1
            operands = [made[key(o)] if isinstance(o, Ref) else o for o in call.operands]
            made[child.name, n] = self.run(child, (*path, child.name), call, operands)
            for at in readers.pop((child.name, n), ()):
                missing[at].discard((child.name, n))
                if not missing[at]:
                    heapq.heappush(ready, at)
        if done < len(steps):
            stuck = next(child for (child, _, _), keys in zip(steps, missing) if keys)
            self.progress.at = (*path, stuck.name)
            raise BadModel(f"Layer {shown(stuck.name)} waits for a value that no layer of the file makes.")
        end = key(layer.outputs[0])
        if end not in made:
            raise BadModel(
                f"The output of the model {shown(layer.name)} comes from a layer that the file does not hold."
            )
        return made[end]


def _must_be_plain(layer: Layer) -> None:
    if len(layer.inputs) != 1 or len(layer.outputs) != 1:
        raise BadModel(
            f"The model {shown(layer.name)} has {len(layer.inputs)} inputs and {len(layer.outputs)} outputs; "
            "only models with one of each can be opened."
        )
    _must_differ(layer)
    for child in layer.layers:
        for ref in (o for call in child.calls or () for o in call.operands if isinstance(o, Ref)):
            if ref.output != 0:
                raise BadModel(
                    f"Layer {shown(child.name)} reads output {ref.output} of {shown(ref.layer)}; "
                    "only first outputs are known."
                )


def _must_differ(layer: Layer) -> None:
    if len({child.name for child in layer.layers}) != len(layer.layers):
        raise BadModel(
            f"The model {shown(layer.name)} has two layers of one name; its connections cannot be told apart."
        )


def _numbering(model: Layer, keras: int) -> Callable[[Ref], tuple[str, int]]:
    """How this model's refs count the uses of its layers -> ref: (layer, use from 0).

    Keras 2 counts a nested model's own wiring as its use 0, and older files count uses outside this model too.
    """
    uses = {child.name: len(child.calls or ()) for child in model.layers}
    nested = {child.name for child in model.layers if child.is_container}
    refs = [o for child in model.layers for call in child.calls or () for o in call.operands if isinstance(o, Ref)]
    seen: dict[str, set[int]] = {}
    for ref in (*refs, *model.outputs):
        seen.setdefault(ref.layer, set()).add(ref.call)

    def number(ref: Ref) -> tuple[str, int]:
        count = uses.get(ref.layer, 0)
        if count <= 1:
            return ref.layer, 0
        start = 1 if keras < 3 and ref.layer in nested else 0
        calls = seen[ref.layer]
        if max(calls) - start < count and min(calls) >= start:
            return ref.layer, ref.call - start
        return ref.layer, sorted(calls).index(ref.call) if len(calls) == count else ref.call

    return number


def build_network(model: Layer, weights: Weights, keras: int, progress: Progress | None = None) -> Network:
    """Tree, weights by layer path, Keras' major version -> the network. Raises BadModel naming the layer at fault.

    `progress` is kept up to date on the way, so that it tells how far the building came when it fails.
    """
    if model.refusal:
        raise BadModel(model.refusal)
    shape, notes = _picture_shape(model)
    walk = _Walk(GraphBuilder(), weights, keras, progress or Progress())
    given = _entered(walk.builder, model, shape)
    result = walk.container(model, (), [given])
    node, classes, more, probabilities = _ended(walk.builder, result)
    graph = walk.builder.finish(node).eval()
    return Network(graph, shape, classes, probabilities, (*notes, *more))


def _entered(builder: GraphBuilder, model: Layer, shape: tuple[int, int, int]) -> Value:
    node = builder.input()
    stated = _stated_shape(model)
    if len(stated) == 3:
        return Value(node, shape)
    flat = builder.call("without_channel", torch.squeeze, node, 1)  # (N, H, W); the graph's order of (H, W) is (W, H)
    return Value(builder.call("columns_first", torch.permute, flat, (0, 2, 1)), shape[:2])


def _picture_shape(model: Layer) -> tuple[tuple[int, int, int], list[str]]:
    stated, notes = _stated_shape(model), []
    if len(stated) == 2:
        stated = [*stated, 1]
    if len(stated) != 3:
        raise BadModel(f"The network takes values of shape {tuple(stated)}, not pictures (height, width, channels).")
    if any(n is None for n in stated[:2]):
        notes.append(f"The file leaves the picture's size open; {ASSUMED_SIZE} px was assumed.")
    height, width, channels = (ASSUMED_SIZE if n is None and i < 2 else n for i, n in enumerate(stated))
    if channels not in (1, 3):
        raise BadModel(f"The network takes pictures of {channels} channels; 3 (RGB) and 1 (gray) can be fed.")
    if not all(type(n) is int and 1 <= n <= _LARGEST_SIDE for n in (height, width)):
        raise BadModel(
            f"The network takes pictures of {height} x {width} px; sides from 1 to {_LARGEST_SIDE} are accepted."
        )
    return (height, width, channels), notes


def _stated_shape(model: Layer) -> list[Any]:
    for layer in _first_layers(model):
        for key in ("batch_input_shape", "batch_shape", "build_input_shape"):
            shape = layer.settings.get(key)
            if isinstance(shape, list) and len(shape) >= 2:
                return shape[1:]
    raise BadModel("The file does not say what size of picture the network takes.")


def _first_layers(layer: Layer) -> Iterator[Layer]:
    """The innermost first layer says it most surely: a functional model's own input, a Sequential's first child."""
    if layer.layers:
        first = layer.layers[0]
        if layer.inputs:
            first = next((child for child in layer.layers if child.name == layer.inputs[0].layer), first)
        yield from _first_layers(first)
    yield layer


def _ended(builder: GraphBuilder, result: Value) -> tuple[fx.Node, tuple[int, ...], list[str], bool]:
    """Last value -> output node with one number a class. A single number becomes two classes."""
    last = result.made_by
    if len(result.shape) != 1:
        return result.node, result.shape, [f"The network ends in maps of shape {result.shape}, not in classes."], False
    if result.shape != (1,):
        notes = (
            ["Every class has a sigmoid of its own; probabilities are shown divided by their sum."]
            if last == "Sigmoid"
            else []
        )
        return result.node, result.shape, notes, last in ("Softmax", "Sigmoid")
    if last == "Sigmoid":
        other = builder.call("other_class", operator.sub, 1.0, result.node)
        both = builder.call("two_classes", torch.cat, [other, result.node], 1)
        return both, (2,), ["The one sigmoid output p became two classes: 1 - p and p."], True
    zero = builder.call("other_class", operator.mul, result.node, 0.0)
    both = builder.call("two_classes", torch.cat, [zero, result.node], 1)
    return (
        both,
        (2,),
        ["The network ends in one plain number; it was taken for the logit of the second of two classes."],
        False,
    )
