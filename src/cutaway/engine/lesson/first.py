"""The network's own first convolution, with what went into it: what a lesson on filters shows beside the reader's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import fx, nn

from cutaway.engine.lesson.window import Step
from cutaway.engine.trace import Trace
from cutaway.graph.names import names_of, steps_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class First:
    """Layer's name, weights (filters, C, kh, kw), bias (filters,), how its window moves, what it got (C, H, W)."""

    name: str
    weights: Floats
    bias: Floats
    step: Step
    stack: Floats


def first_convolution(graph: fx.GraphModule, trace: Trace) -> First | None:
    """Graph, its run on one picture -> First; None where no convolution over all its input channels with equal steps
    both ways and plain zeros around it comes first."""
    found = next(((name, node) for name, node in steps_of(graph).items() if _layer(graph, node) is not None), None)
    if found is None:
        return None
    name, node = found
    layer = _layer(graph, node)
    assert layer is not None
    step = _step(layer)
    given = {n: name for name, n in names_of(graph).items()}[node.all_input_nodes[0]]
    if step is None or layer.groups != 1 or given not in trace:
        return None
    weights = layer.weight.detach().double().numpy()
    bias = np.zeros(len(weights)) if layer.bias is None else layer.bias.detach().double().numpy()
    return First(name, weights, bias, step, trace[given][0].double().numpy())


def _layer(graph: fx.GraphModule, node: fx.Node) -> nn.Conv2d | None:
    layer = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    return layer if isinstance(layer, nn.Conv2d) else None


def _step(layer: nn.Conv2d) -> Step | None:
    """None where the layer moves differently down and across, or lays something other than zeros around."""
    padding = layer.padding
    if type(layer) is not nn.Conv2d or layer.padding_mode != "zeros" or isinstance(padding, str):
        return None
    pairs = [(int(p[0]), int(p[1])) for p in (layer.stride, padding, layer.dilation)]
    if any(down != across for down, across in pairs):
        return None
    return Step(*(down for down, _ in pairs))
