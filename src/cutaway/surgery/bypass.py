"""What can be left out of a network with the shapes staying as they are: single layers, whole blocks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import fx

from cutaway.draw.families import family_of
from cutaway.graph.blocks import blocks_of
from cutaway.graph.names import names_of, steps_of
from cutaway.model import Model
from cutaway.surgery.patient import Patient

Shape = tuple[int, ...]
_NOT_ASKED = frozenset({"dropout", "shape", "softmax"})


@dataclass(frozen=True, slots=True)
class Way:
    """A layer or block `name` that can be left out: all that reads step `at` reads step `instead`."""

    name: str
    at: str
    instead: str


Refused = tuple[tuple[str, str], ...]
"""(name, why it cannot be left out)."""


def ways_around_layers(graph: fx.GraphModule, shapes: Mapping[str, Shape]) -> tuple[tuple[Way, ...], Refused]:
    """Graph, node name: shape with the batch axis -> layers that can be bypassed, and those that cannot.

    Layers and functions of one value; what does nothing at prediction (dropout, flatten) or makes
    probabilities of the answers (softmax) is in neither list.
    """
    names = {node: name for name, node in names_of(graph).items()}
    found, refused = [], []
    for name, node in steps_of(graph).items():
        given = [n for n in node.all_input_nodes if n.op != "get_attr" and n.name in shapes]
        if len(given) != 1 or node.name not in shapes or family_of(_kind(graph, node)) in _NOT_ASKED:
            continue
        if shapes[given[0].name] == shapes[node.name]:
            found.append(Way(name, name, names[given[0]]))
        elif node.op == "call_module":
            refused.append((name, f"{_by(shapes[given[0].name])} go in, {_by(shapes[node.name])} come out"))
    return tuple(found), tuple(refused)


def ways_around_blocks(graph: fx.GraphModule, shapes: Mapping[str, Shape]) -> tuple[tuple[Way, ...], Refused]:
    """Graph, shapes -> blocks (graph.blocks) of two steps or more with one value in, one out, both of one shape; and
    those that cannot be bypassed."""
    names = {node: name for name, node in names_of(graph).items()}
    steps = steps_of(graph)
    inside: dict[str, list[fx.Node]] = {}
    for name, path in blocks_of(graph).items():
        for block in path:
            inside.setdefault(block, []).append(steps[name])
    found, refused, seen = [], [], set[frozenset[fx.Node]]()
    for block, nodes in inside.items():
        if len(nodes) < 2 or frozenset(nodes) in seen or len(nodes) == len(steps):
            continue
        seen.add(frozenset(nodes))
        given, ends = _doors(nodes, shapes)
        if len(given) != 1 or len(ends) != 1:
            refused.append((block, f"{_count(given, 'value goes', 'values go')} in and {len(ends)} out"))
        elif shapes[given[0].name] != shapes[ends[0].name]:
            refused.append((block, f"{_by(shapes[given[0].name])} go in, {_by(shapes[ends[0].name])} come out"))
        else:
            found.append(Way(block, names[ends[0]], names[given[0]]))
    return tuple(found), tuple(refused)


def without(model: Model, way: Way) -> fx.GraphModule:
    """Model, way around a part -> the network without it; layers are shared."""
    patient = Patient(model)
    patient.bypass(way.at, way.instead)
    patient.graph.recompile()
    return patient.graph


def _doors(nodes: Collection[fx.Node], shapes: Mapping[str, Shape]) -> tuple[list[fx.Node], list[fx.Node]]:
    """Nodes of a block -> the nodes outside that it reads, its own nodes that are read from outside."""
    own = set(nodes)
    given = dict.fromkeys(
        n for node in nodes for n in node.all_input_nodes if n not in own and n.op != "get_attr" and n.name in shapes
    )
    return list(given), [node for node in nodes if any(user not in own for user in node.users)]


def _kind(graph: fx.GraphModule, node: fx.Node) -> str:
    if node.op == "call_module":
        return type(graph.get_submodule(str(node.target))).__name__
    return getattr(node.target, "__name__", str(node.target))


def _by(shape: Shape) -> str:
    return " x ".join(map(str, shape[1:])) or "numbers"


def _count(things: Collection[object], one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"
