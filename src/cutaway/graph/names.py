"""The name a person uses for a step of the network <-> its node: a layer's module path, a function's node name."""

from __future__ import annotations

import difflib

from torch import fx

from cutaway.errors import BadInput


def names_of(graph: fx.GraphModule) -> dict[str, fx.Node]:
    """Graph -> name: node in running order, the input first, the output node left out.

    A layer is named by its module path ("layer1.0.conv1"), a function by its node ("add_3"). Where one layer with
    weights serves several nodes, the later uses take their node's name.
    """
    found: dict[str, fx.Node] = {}
    for node in graph.graph.nodes:
        if node.op == "output":
            continue
        name = str(node.target) if node.op in ("call_module", "get_attr") else node.name
        found[name if name not in found else node.name] = node
    return found


def steps_of(graph: fx.GraphModule) -> dict[str, fx.Node]:
    """Like `names_of`, without the input and the stored numbers: only what is computed."""
    return {
        name: node
        for name, node in names_of(graph).items()
        if node.op in ("call_module", "call_function", "call_method")
    }


def step_named(graph: fx.GraphModule, name: str) -> fx.Node:
    """Name as in `names_of` -> its node. Raises BadInput with the nearest names where there is none."""
    steps = names_of(graph)
    if name in steps:
        return steps[name]
    begin = [n for n in steps if name and n.startswith(name)][:3]  # a block's name, or one not typed to its end
    near = begin or difflib.get_close_matches(name, steps, 3, 0.4) or [n for n in steps if name and name in n][:3]
    hint = f"Nearest: {', '.join(near)}." if near else f"The first are {', '.join(list(steps)[:5])}."
    raise BadInput(f"The network has no layer {name!r}. {hint}")
