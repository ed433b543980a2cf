"""Which layers of a network to show: the ones asked for by name or family, or a telling few spread over its depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cutaway.draw.families import FAMILIES, WORDS, family_of
from cutaway.errors import BadInput

if TYPE_CHECKING:
    from torch import fx

Shape = tuple[int, ...]
TELLING = 8
"""Layers with maps in the default choice; up to two rows of numbers follow them."""


def kind_at(graph: fx.GraphModule, node: fx.Node) -> str:
    """Node -> what it is called for people: the class of its layer or the function's name."""
    if node.op == "call_module":
        return type(graph.get_submodule(str(node.target))).__name__
    return getattr(node.target, "__name__", str(node.target))


def choose_layers(graph: fx.GraphModule, shapes: Mapping[str, Shape], asked: str) -> tuple[str, ...]:
    """Graph, node name: shape with batch axis, what was typed -> names of steps in running order.

    `asked`: "" for a telling choice, "all", a family ("conv", "activation", ...), a kind ("relu", "Conv2d"), or names
    of layers and blocks separated by commas. Raises BadInput with the nearest names or the families there are.
    """
    from cutaway.graph.blocks import blocks_of
    from cutaway.graph.names import step_named, steps_of

    steps = {name: node for name, node in steps_of(graph).items() if node.name in shapes}
    kinds = {name: kind_at(graph, node) for name, node in steps.items()}
    if not asked:
        return telling_layers(graph, shapes)
    blocks = blocks_of(graph)
    words = [word.strip() for word in asked.split(",") if word.strip()]
    found: list[str] = []
    for word in words:
        if word in steps:
            found.append(word)
        elif inside := [n for n, path in blocks.items() if n in steps and word in path]:
            found += inside
        elif word.lower() == "all":
            found += steps
        elif named := [n for n, kind in kinds.items() if word.lower() in (kind.lower(), family_of(kind))]:
            found += named
        elif word.lower() in FAMILIES:
            there = ", ".join(dict.fromkeys(family_of(kind) for kind in kinds.values()))
            raise BadInput(f"The network has no layer of the family {word!r} ({WORDS[word.lower()]}); it has {there}.")
        else:
            step_named(graph, word)  # raises with the nearest names, unless it is the input or a stored number
            raise BadInput(f"{word!r} is not computed by a layer of the network; name one of its layers.")
    if not found:
        raise BadInput("layers names nothing; give names separated by commas, a family such as conv, or leave it out.")
    order = {name: i for i, name in enumerate(steps)}
    return tuple(sorted(set(found), key=order.__getitem__))


def telling_layers(graph: fx.GraphModule, shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    """Graph, node name: shape -> at most ten steps: the first activation, the end of each stage (the last value before
    the resolution changes, activations preferred), others between them evenly over depth, then the rows of numbers."""
    from cutaway.graph.names import steps_of

    steps = {name: node for name, node in steps_of(graph).items() if node.name in shapes}
    active = _active(graph, steps)
    spatial = [n for n, node in steps.items() if _side(shapes[node.name]) > 1 and _worth(graph, node)]
    ends: dict[tuple[int, ...], str] = {}
    for name in spatial:
        size = shapes[steps[name].name][2:]
        if name in active or size not in ends or ends[size] not in active:
            ends[size] = name
    chosen = list(ends.values())
    rich = [name for name in spatial if name in active] or spatial
    chosen += rich[:1]
    order = {name: i for i, name in enumerate(steps)}
    if len(set(chosen)) > TELLING:
        chosen = _spread(sorted(set(chosen), key=order.__getitem__), TELLING)
    while rich and len(set(chosen)) < min(TELLING, len(set(rich) | set(chosen))):
        chosen.append(_farthest(rich, chosen, order))
    numbers = _rows_of_numbers(graph, steps, shapes, active)
    return tuple(sorted({*chosen, *numbers}, key=order.__getitem__)) or tuple(list(steps)[-1:])


def _active(graph: fx.GraphModule, steps: Mapping[str, fx.Node]) -> set[str]:
    """Steps that are activations, or only join or pass on activations (the end of an inception block)."""
    names: dict[fx.Node, str] = {node: name for name, node in steps.items()}
    found: set[str] = set()
    for name, node in steps.items():
        kind = kind_at(graph, node)
        before = [names.get(n) for n in node.all_input_nodes]
        joins = kind.lower() in ("cat", "concatenate") and len(before) > 1
        if family_of(kind) == "activation" or (joins and all(n in found for n in before)):
            found.add(name)
    return found


def _worth(graph: fx.GraphModule, node: fx.Node) -> bool:
    return family_of(kind_at(graph, node)) not in ("shape", "dropout", "attention")


def _side(shape: Shape) -> int:
    return max(shape[2:]) if len(shape) == 4 else 0


def _spread(names: Sequence[str], n: int) -> list[str]:
    """Names -> n of them at equal distances, both ends kept."""
    return [names[round(i * (len(names) - 1) / (n - 1))] for i in range(n)]


def _farthest(rich: Sequence[str], chosen: Sequence[str], order: Mapping[str, int]) -> str:
    """The activation that lies farthest from any chosen layer, the earlier one of two."""
    places = [order[name] for name in chosen]
    return max((n for n in rich if n not in chosen), key=lambda n: min(abs(order[n] - p) for p in places))


def _rows_of_numbers(
    graph: fx.GraphModule, steps: Mapping[str, fx.Node], shapes: Mapping[str, Shape], active: set[str]
) -> list[str]:
    """Up to two rows of numbers between the last maps and the answer: the pooled features, the last hidden layer."""
    last = next(reversed(list(steps)), "")
    maps = [i for i, node in enumerate(steps.values()) if _side(shapes[node.name]) > 1]
    after = list(steps.items())[(maps[-1] + 1) if maps else 0 :]
    answers = math.prod(shapes[steps[last].name][1:]) if last else 0
    rows = [
        name for name, node in after
        if _worth(graph, node) and family_of(kind_at(graph, node)) != "softmax"
        and math.prod(shapes[node.name][1:]) != answers and sum(n > 1 for n in shapes[node.name][1:]) == 1
    ]  # fmt: skip
    hidden = [name for name in rows if name in active]
    return list(dict.fromkeys([*rows[:1], *(hidden[-1:] or [])]))
