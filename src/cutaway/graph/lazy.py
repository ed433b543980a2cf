"""A graph with its layers whose Python is written when it is first called: edits come faster than they are run whole.

fx writes and compiles a network's forward function whenever its graph is set or changed, 3 ms each for MobileNetV2.
The live view runs steps one by one and never calls it. Where an edit changes weights or settings only, not even the
graph is copied (6 ms).
"""

from __future__ import annotations

import threading

from torch import fx, nn
from torch.fx._lazy_graph_module import _LazyGraphModule
from torch.fx.graph import PythonCode

from cutaway.graph.build import shell

_WRITING = threading.RLock()
_STORES = ("_parameters", "_buffers", "_modules")


class _Lazy(_LazyGraphModule):
    """One thread at a time writes Python: fx marks a graph's nodes as it does so, and modules share graphs."""

    def _real_recompile(self) -> PythonCode:
        with _WRITING:
            return super()._real_recompile()


def lazy_module(layers: fx.GraphModule, graph: fx.Graph) -> fx.GraphModule:
    """Module that holds the layers, graph -> a module of its own with the same layers; compiled at its first call."""
    made: fx.GraphModule = _Lazy(layers, graph, class_name="Network")
    return made


def sharing_module(whole: fx.GraphModule) -> fx.GraphModule:
    """Module -> another with the very same graph, blocks and layers, of which `put_layer` replaces one in this only.

    From then on the graph belongs to both: who wants to change it makes a copy of it first (`lazy_module`).
    """
    made: fx.GraphModule = _Lazy(nn.Module(), fx.Graph(), class_name="Network")
    for store in _STORES:
        made.__dict__[store] = dict(whole.__dict__[store])
    made.__dict__["_non_persistent_buffers_set"] = set(whole._non_persistent_buffers_set)
    for name in {str(n.target).partition(".")[0] for n in whole.graph.nodes if n.op == "get_attr"}:
        if not hasattr(made, name):  # stored numbers that are neither a parameter nor a buffer
            setattr(made, name, getattr(whole, name))
    made.training = whole.training
    made.__dict__["_graph"] = whole.graph  # without becoming its owner: the graph must not keep every edit alive
    return made


def put_layer(made: fx.GraphModule, path: str, layer: nn.Module, own: set[str]) -> None:
    """Module, path of a layer, another, blocks that are the module's own -> the other is in its place, in this module
    only: the blocks on the way become its own.
    """
    *parents, last = path.split(".")
    block: nn.Module = made
    for depth, name in enumerate(parents, 1):
        if (above := ".".join(parents[:depth])) not in own:
            own.add(above)
            block._modules[name] = shell(block.get_submodule(name))
        block = block.get_submodule(name)
    block.add_module(last, layer)
