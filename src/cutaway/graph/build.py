"""GraphBuilder: layer after layer -> one fx GraphModule. Readers and hand-written networks use it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadModel

_PATH = re.compile(r"[\w-]+(\.[\w-]+)*")
_LONGEST = 300
"""Letters of a name: every block above a step is told by its name, so that long ones would fill the memory."""


def safe_name(name: str) -> str:
    """Any text -> a layer name of letters, digits, _, - and . ("expanded/conv:0" -> "expanded_conv_0").

    fx writes Python source from these names, so nothing else may reach it.
    """
    cleaned = re.sub(r"[^\w.]+", "_", name[:_LONGEST]).strip("._")
    cleaned = re.sub(r"\.{2,}", ".", cleaned)
    return cleaned or "layer"


def must_be_safe(name: str) -> str:
    """Layer name -> the same. Raises BadModel where it holds anything but letters, digits, _, - and .."""
    if len(name) > _LONGEST:
        raise BadModel(f"The model names a layer {name[:60]!r}... of {len(name):,} letters; at most {_LONGEST}.")
    if not _PATH.fullmatch(name):
        raise BadModel(f"The model names a layer {name[:60]!r}; only letters, digits, _, - and . are accepted.")
    return name


class GraphBuilder:
    """Builds a graph node by node; `layer` and `call` return the node that later ones take as input."""

    def __init__(self) -> None:
        self._root = nn.Module()
        self._graph = fx.Graph()
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def input(self, name: str = "input") -> fx.Node:
        return self._graph.placeholder(safe_name(name))

    def layer(self, name: str, module: nn.Module, *inputs: fx.Node) -> fx.Node:
        """Adds `module` under `name` (made safe and unique) on `inputs` -> its node."""
        path = self._unique(safe_name(name))
        add_submodule(self._root, path, module)
        return self._graph.call_module(path, inputs)

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> fx.Node:
        """Adds a call of a listed function under a readable node name -> its node."""
        node_name = self._unique(safe_name(name)).replace(".", "_")
        return self._graph.create_node("call_function", function, args, kwargs, name=node_name)

    def constant(self, name: str, tensor: torch.Tensor) -> fx.Node:
        """Adds fixed numbers under `name` (made safe and unique) -> the node that reads them."""
        path = self._unique(safe_name(name).replace(".", "_"))
        self._root.register_buffer(path, tensor)
        return self._graph.get_attr(path)

    def repeat(self, nodes: Sequence[fx.Node], instead: Mapping[fx.Node, fx.Node]) -> fx.Node:
        """Adds `nodes` once more: the same layers, reading `instead` of what they read -> the last of them.

        The new nodes are called `<name>_again`, then `<name>_again_2`, ...
        """
        made = dict(instead)
        for node in nodes:
            name = self._unique(f"{node.name}_again")
            made[node] = self._graph.create_node(node.op, node.target, node.args, node.kwargs, name=name)
            for read in node.all_input_nodes:
                made[node].replace_input_with(read, made[read])
        return made[nodes[-1]]

    def finish(self, output: fx.Node) -> fx.GraphModule:
        self._graph.output(output)
        self._graph.lint()
        return fx.GraphModule(self._root, self._graph, class_name="Network")

    def _unique(self, name: str) -> str:
        unique, n = name, self._numbers.get(name, 2)
        while unique in self._taken:
            unique, n = f"{name}_{n}", n + 1
        self._numbers[name] = n
        self._taken.add(unique)
        return unique


def shell(layer: nn.Module) -> nn.Module:
    """Layer or block -> another with the same settings, on the same weights and layers, which can be given others."""
    fresh = copy.copy(layer)
    for name, held in vars(layer).items():
        if isinstance(held, dict):
            fresh.__dict__[name] = held.copy()
    return fresh


def add_submodule(root: nn.Module, path: str, module: nn.Module) -> None:
    """Puts `module` at a dotted path below `root`, making the containers on the way."""
    *parents, last = path.split(".")
    for parent in parents:
        child = getattr(root, parent, None)
        if not isinstance(child, nn.Module):
            child = nn.Module()
            root.add_module(parent, child)
        root = child
    root.add_module(last, module)
