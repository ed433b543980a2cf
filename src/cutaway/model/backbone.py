"""Any classifier -> its backbone (pictures to feature vectors), and a backbone with a new head -> a classifier."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph.build import add_submodule
from cutaway.graph.shapes import shapes_of
from cutaway.image import InputContract

# A flattened map longer than this (VGG's 25,088) is no feature vector: the input of the last dense layer is taken then.
_LONGEST_VECTOR = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """`graph` turns (N, C, H, W) into feature vectors (N, features); `cut_at` is the layer whose output they are."""

    graph: fx.GraphModule
    contract: InputContract
    features: int
    cut_at: str


def backbone_of(graph: fx.GraphModule, contract: InputContract) -> Backbone:
    """Classifier graph -> its backbone, cut where the map has become one vector per picture.

    The classifier's tail (dense layers, activations, dropout, softmax) is walked back from the output. Raises BadModel
    where no vector is found.
    """
    shapes = shapes_of(graph, (contract.in_channels, *contract.size))
    tail = _tail(graph, shapes)
    vectors = [node for node in tail if _vector_length(shapes.get(node.name, ())) is not None]
    if len(vectors) < 2:
        raise BadModel("No feature vector was found before the network's output, so it cannot serve as a backbone.")
    first = vectors[-1]
    if (_vector_length(shapes[first.name]) or 0) > _LONGEST_VECTOR:
        first = _input_of_last_dense(graph, vectors)
    length = _vector_length(shapes[first.name])
    assert length is not None
    return Backbone(_upto(graph, first, flat=len(shapes[first.name]) == 2), contract, length, str(first.target))


def with_head(backbone: Backbone, head: nn.Sequential) -> fx.GraphModule:
    """Backbone and head (feature vectors to logits) -> one classifier graph; the head's layers are named head.NAME."""
    graph = copy.deepcopy(backbone.graph)
    if "head" in dict(graph.named_children()):
        _rename_child(graph, "head", "body_head")  # timm's last norms: what is named head.* is the new head and no more
    output = next(node for node in graph.graph.nodes if node.op == "output")
    value = output.args[0]
    for name, module in head.named_children():
        path = f"head.{name}"
        add_submodule(graph, path, copy.deepcopy(module))
        with graph.graph.inserting_before(output):
            value = graph.graph.call_module(path, (value,))
    output.args = (value,)
    graph.recompile()
    return graph


def _rename_child(graph: fx.GraphModule, old: str, new: str) -> None:
    while hasattr(graph, new):
        new += "_"
    graph.add_module(new, graph.get_submodule(old))
    graph.delete_submodule(old)
    for node in graph.graph.nodes:
        if node.op in ("call_module", "get_attr") and (node.target == old or str(node.target).startswith(f"{old}.")):
            node.target = new + str(node.target).removeprefix(old)


def _tail(graph: fx.GraphModule, shapes: dict[str, tuple[int, ...]]) -> list[fx.Node]:
    """Nodes from the output backwards while each has one input that is a value, and that value is a vector."""
    (node,) = (n.args[0] for n in graph.graph.nodes if n.op == "output")
    tail: list[fx.Node] = []
    while isinstance(node, fx.Node) and _vector_length(shapes.get(node.name, ())) is not None:
        tail.append(node)
        inputs = [n for n in node.all_input_nodes if n.op != "get_attr" and n.name in shapes]
        if len(inputs) != 1:
            break
        node = inputs[0]
    return tail


def _vector_length(shape: tuple[int, ...]) -> int | None:
    if len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1)):
        return shape[1]
    return None


def _input_of_last_dense(graph: fx.GraphModule, vectors: list[fx.Node]) -> fx.Node:
    for position, node in enumerate(vectors[:-1]):
        if node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), nn.Linear):
            before = vectors[position + 1]
            while before.op == "call_module" and isinstance(graph.get_submodule(str(before.target)), nn.Dropout):
                before = before.all_input_nodes[0]
            return before
    raise BadModel("No dense layer was found before the network's output, so it cannot serve as a backbone.")


def _upto(graph: fx.GraphModule, node: fx.Node, *, flat: bool) -> fx.GraphModule:
    kept, needed = fx.Graph(), _ancestors(node)
    copies: dict[fx.Node, fx.Node] = {}
    for old in graph.graph.nodes:
        if old in needed or old.op == "placeholder":
            copies[old] = kept.node_copy(old, lambda n: copies[n])
    root = copy.deepcopy(graph)
    value = copies[node]
    if not flat:
        add_submodule(root, "flatten_features", nn.Flatten())
        value = kept.call_module("flatten_features", (value,))
    kept.output(value)
    cut = fx.GraphModule(root, kept, class_name="Network")
    cut.delete_all_unused_submodules()
    return cut.eval()


def _ancestors(node: fx.Node) -> set[fx.Node]:
    found, waiting = {node}, [node]
    while waiting:
        for before in waiting.pop().all_input_nodes:
            if before not in found:
                found.add(before)
                waiting.append(before)
    return found
