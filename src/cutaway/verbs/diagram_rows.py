"""A graph -> the plain rows that draw.diagram takes: name, kind, shape, inputs, block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cutaway.draw.blocks import DiagramRow
from cutaway.draw.families import family_of

if TYPE_CHECKING:
    from torch import fx

Path = tuple[str, ...]

# "block_1_expand", "conv2_block1_1_conv", "expanded_conv_3_project": names that carry their block before the last word.
_BLOCK = re.compile(r"((?:[a-z]+\d*_)*?block_?\d+[a-z]?)_\w+", re.IGNORECASE)
_NUMBERED = re.compile(r"((?:[a-z]+\d*_)*?[a-z]+_?\d+[a-z]?)_\w+", re.IGNORECASE)
_CLOSING = ("pool", "shape", "dense", "softmax")
"""Families that a block hands its values to as often as it holds them: inside only where the block goes on after."""
_LOOK_AHEAD = 4


def diagram_rows(graph: fx.GraphModule, shapes: Mapping[str, tuple[int, ...]]) -> tuple[DiagramRow, ...]:
    """Graph, node name: shape with the batch axis (graph.shapes.shapes_of) -> rows in running order.

    Steps whose value is no tensor (a size, a number) are left out, and what they take is passed on. A step whose name
    tells no block belongs to the block of what it takes: the later block of a skip, the common one of branches.
    """
    from cutaway.graph.names import names_of
    from cutaway.verbs.layer_choice import kind_at

    rows: list[DiagramRow] = []
    paths: dict[str, Path] = {}
    feeds: set[tuple[Path, Path]] = set()
    passed: dict[fx.Node, tuple[str, ...]] = {}
    for name, node in names_of(graph).items():
        into = tuple(dict.fromkeys(i for n in node.all_input_nodes for i in passed.get(n, ())))
        if node.op == "get_attr" or node.name not in shapes:
            passed[node] = into
            continue
        passed[node] = (name,)
        kind = "Input" if node.op == "placeholder" else kind_at(graph, node)
        made = _has_made_name(name, kind)
        path = () if made else _named_path(name)  # "avg_pool2d_3" is the fourth of its kind, not a part of "avg_pool2d"
        if made:
            path = _inherited([paths[i] for i in into], feeds)
            if family_of(kind) in _CLOSING:
                path = _shared(path, _next_path(node)) or _beside(node)
        paths[name] = path
        feeds.update(_divided(paths[i], path) for i in into)
        rows.append(DiagramRow(name, kind, shapes[node.name][1:], into, ".".join(path)))
    return tuple(rows)


def _named_path(name: str) -> Path:
    """ "layer1.0.conv1" -> ("layer1", "0"); "block_1_expand" -> ("block_1",); "fc" -> ()."""
    path, _, _ = name.rpartition(".")
    if path:
        return tuple(path.split("."))
    found = _BLOCK.fullmatch(name) or _NUMBERED.fullmatch(name)
    return (found[1],) if found else ()


def _has_made_name(name: str, kind: str) -> bool:
    """Whether a step is named after what it does ("relu_4", "add"), not by who built the network ("avgpool")."""
    bare = re.sub(r"_\d+$", "", name).replace("_", "").lower()
    return bare == re.sub(r"[^a-z0-9]", "", kind.lower()) or bare == re.sub(r"\d*d?$", "", kind.lower())


def _inherited(inputs: list[Path], feeds: set[tuple[Path, Path]]) -> Path:
    found: Path = inputs[0] if inputs else ()
    joined = False
    for other in inputs[1:]:
        if joined and _shared(found, other) == found:
            continue  # one branch more of the block that those before have in common
        a, b = _divided(found, other)
        if (a, b) in feeds:
            found = other  # a skip: it ends in the later block
        elif (b, a) not in feeds:
            found, joined = _shared(found, other), True  # branches
    return found


def _divided(a: Path, b: Path) -> tuple[Path, Path]:
    """Two paths -> both cut after the first step in which they differ; () for one that the other goes on from."""
    n = len(_shared(a, b))
    return a[: n + 1] if len(a) > n else (), b[: n + 1] if len(b) > n else ()


def _shared(a: Path, b: Path) -> Path:
    n = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:n]


def _beside(node: fx.Node) -> Path:
    """Node -> the block that all other steps lie in which take the same value: the pool of an inception block is one of
    its branches."""
    others = [other for before in node.all_input_nodes for other in before.users if other is not node]
    paths = [_named_path(str(other.target)) if other.op == "call_module" else () for other in others]
    found = paths[0] if len(paths) > 1 else ()
    for path in paths[1:]:
        found = _shared(found, path)
    return found


def _next_path(node: fx.Node) -> Path:
    """Node -> the block of the next step whose name tells one, a few steps on."""
    for _ in range(_LOOK_AHEAD):
        users = list(node.users)
        if not users or users[0].op == "output":
            return ()
        node = users[0]
        if path := _named_path(str(node.target) if node.op == "call_module" else node.name):
            return path
    return ()
