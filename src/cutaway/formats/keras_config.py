"""A tree of Keras layers and their weights -> the graph. Does not know where the weights come from.

Walks Sequential and functional models, nested in any way. A layer without weights that is used several times becomes
one layer per use; a layer with weights (or a nested model) that is shared is named and refused.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from cutaway.errors import BadModel
from cutaway.formats.keras_emit import Emit, Value
from cutaway.formats.keras_layers import build_layer
from cutaway.formats.keras_tree import Layer, Ref, shown
from cutaway.formats.keras_weights import LayerPath, Stored, Weights
from cutaway.graph.build import GraphBuilder

ASSUMED_SIZE = 224
_LARGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The graph, the picture it takes (height, width, channels), what it makes of one, and sentences of note."""

    graph: fx.GraphModule
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, ...]
    probabilities: bool
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Walk:
    builder: GraphBuilder
    weights: Weights
    keras: int
    called: dict[LayerPath, int] = field(default_factory=dict)

    def run(self, layer: Layer, path: LayerPath, operands: Sequence[Value | float]) -> Value:
        uses = self.called[path] = self.called.get(path, 0) + 1
        if layer.is_container:
            if uses > 1:
                raise BadModel(
                    f"The model {shown(layer.name)} inside the file is used more than once, which cannot be opened."
                )
            return self.container(layer, path, operands)
        emit = Emit(layer, self.builder, lambda: self.arrays(path), self.keras)
        if uses > 1 and emit.has_weights:
            raise emit.refuse("it is used more than once with the same weights; shared layers cannot be opened.")
        return build_layer(emit, operands)

    def arrays(self, path: LayerPath) -> Sequence[Stored]:
        return self.weights(path)

    def container(self, layer: Layer, path: LayerPath, operands: Sequence[Value | float]) -> Value:
        if len(operands) != 1 or not isinstance(operands[0], Value):
            raise BadModel(f"The model {shown(layer.name)} takes one input; the file gives it {len(operands)}.")
        if layer.kind != "Sequential":
            return self.functional(layer, path, operands[0])
        value = operands[0]
        for child in layer.layers:
            if child.kind != "InputLayer":
                value = self.run(child, (*path, child.name), [value])
        return value

    def functional(self, layer: Layer, path: LayerPath, given: Value) -> Value:
        if len(layer.inputs) != 1 or len(layer.outputs) != 1:
            raise BadModel(
                f"The model {shown(layer.name)} has {len(layer.inputs)} inputs and {len(layer.outputs)} outputs; "
                "only models with one of each can be opened."
            )
        made = {(layer.inputs[0].layer, 0): given}
        by_name = {child.name: child for child in layer.layers}
        if len(by_name) != len(layer.layers):
            raise BadModel(
                f"The model {shown(layer.name)} has two layers of one name; its connections cannot be told apart."
            )
        waiting = [(child, n, call) for child in layer.layers for n, call in enumerate(child.calls or ())]
        while waiting:
            still = []
            for child, n, call in waiting:
                keys = [_key(by_name, o) if isinstance(o, Ref) else o for o in call]
                if all(k in made for k in keys if isinstance(k, tuple)):
                    operands = [made[k] if isinstance(k, tuple) else k for k in keys]
                    made[child.name, n] = self.run(child, (*path, child.name), operands)
                else:
                    still.append((child, n, call))
            if len(still) == len(waiting):
                raise BadModel(f"Layer {shown(still[0][0].name)} waits for a value that no layer of the file makes.")
            waiting = still
        key = _key(by_name, layer.outputs[0])
        if key not in made:
            raise BadModel(
                f"The output of the model {shown(layer.name)} comes from a layer that the file does not hold."
            )
        return made[key]


def _key(by_name: dict[str, Layer], ref: Ref) -> tuple[str, int]:
    """Keras counts a nested model's own wiring as its first use, and older files count uses outside this model."""
    layer = by_name.get(ref.layer)
    uses = len(layer.calls or ()) if layer else 0
    return ref.layer, ref.call if uses > 1 else 0


def build_network(model: Layer, weights: Weights, keras: int) -> Network:
    """Tree, weights by layer path, Keras' major version -> the network. Raises BadModel naming the layer at fault."""
    shape, notes = _picture_shape(model)
    walk = _Walk(GraphBuilder(), weights, keras)
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
