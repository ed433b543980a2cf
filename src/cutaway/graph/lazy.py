"""A graph with its layers whose Python is written when it is first called: edits come faster than they are run whole.

fx writes and compiles a network's forward function whenever its graph is set or changed, 3 ms each for MobileNetV2.
The live view runs steps one by one and never calls it.
"""

from __future__ import annotations

from torch import fx
from torch.fx._lazy_graph_module import _LazyGraphModule


def lazy_module(layers: fx.GraphModule, graph: fx.Graph) -> fx.GraphModule:
    """Module that holds the layers, graph -> a module of its own with the same layers; compiled at its first call."""
    made: fx.GraphModule = _LazyGraphModule(layers, graph, class_name="Network")
    return made
