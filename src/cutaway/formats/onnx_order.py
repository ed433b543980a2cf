"""Nodes of an ONNX graph in an order they can be worked out in, unneeded ones left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cutaway.errors import BadModel


def shown(node: Any) -> str:
    """A node as a sentence names it: its name, or what it makes, and its operator."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{name[:100]!r} ({node.op_type[:60]})"


def ordered(
    nodes: Sequence[Any], wanted: Iterable[str], known: Callable[[str], bool], file: str
) -> list[tuple[int, Any]]:
    """(place in the file, node) of all that `wanted` values need, each after what it reads.

    `known`: whether a value is there already. Raises BadModel: two nodes make one value, a value that nothing makes,
    or nodes that wait for one another in a circle.
    """
    maker = _makers(nodes, file)
    done: set[int] = set()
    waiting: set[int] = set()
    order: list[tuple[int, Any]] = []
    todo: list[tuple[str, int | None, bool]] = [(name, None, False) for name in wanted]
    while todo:
        name, reader, finished = todo.pop()
        at = maker.get(name)
        if at is None:
            if not known(name):
                by = "The output of the graph" if reader is None else f"The node {shown(nodes[reader])}"
                raise BadModel(f"{file}: {by} reads {name[:100]!r}, which nothing in the file makes.")
            continue
        if finished:
            waiting.discard(at)
            done.add(at)
            order.append((at, nodes[at]))
        elif at not in done:
            if at in waiting:
                raise BadModel(f"{file}: the node {shown(nodes[at])} waits for its own result: the graph has a circle.")
            waiting.add(at)
            todo.append((name, reader, True))
            todo += [(n, at, False) for n in needs(nodes[at]) if maker.get(n) not in done]
    return order


def _makers(nodes: Sequence[Any], file: str) -> Mapping[str, int]:
    maker: dict[str, int] = {}
    for at, node in enumerate(nodes):
        for name in node.output:
            if name and maker.setdefault(name, at) != at:
                raise BadModel(f"{file}: two nodes make {name[:100]!r}; the second is {shown(node)}.")
    return maker


def needs(node: Any) -> list[str]:
    """Names of the values a node reads, those that its inner graphs read from outside included."""
    names = [name for name in node.input if name]
    for setting in node.attribute:
        for graph in (setting.g, *setting.graphs) if setting.type in (5, 10) else ():
            inside = {name for n in graph.node for name in n.output} | {t.name for t in graph.initializer}
            inside |= {i.name for i in graph.input}
            read = [name for n in graph.node for name in needs(n)] + [o.name for o in graph.output]
            names += [name for name in read if name not in inside]
    return list(dict.fromkeys(names))
