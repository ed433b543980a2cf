"""A network in bfloat16 up to its last maps: half the numbers to move, products with eight bits, sums in float32."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn

from cutaway.graph.functions import name_of

NOT_NATIVE = "Computed in float32: this processor has no products in bfloat16, and imitated ones are slower."
_ENDING = nn.Linear | nn.ReLU | nn.Dropout | nn.Flatten | nn.AdaptiveAvgPool2d | nn.Identity
_ENDING_CALLS = frozenset({"mean", "flatten", "relu", "adaptive_avg_pool2d", "squeeze", "float", "contiguous"})


def halved(graph: fx.GraphModule) -> fx.GraphModule:
    """Graph -> a twin whose layers hold and give bfloat16, but not the last pool and the dense layers behind it.

    These stay in float32: a logit of 10 in bfloat16 is one of a grid 0.06 apart, which hides what small parts add.
    """
    twin = copy.deepcopy(graph)
    (output,) = (node for node in twin.graph.nodes if node.op == "output")
    ending: list[fx.Node] = [output]
    while len(before := ending[-1].all_input_nodes) == 1 and _ends(twin, before[0]):
        ending.append(before[0])
    exact = {id(tensor) for node in ending if node.op == "call_module" for tensor in _tensors(twin, node)}
    for layer in twin.modules():
        own = (*layer._parameters.values(), *layer._buffers.values())
        if not any(id(tensor) in exact for tensor in own if tensor is not None):
            _halve(layer)
    first = ending[-1]
    if first is not output:
        with twin.graph.inserting_before(first):
            last = first.all_input_nodes[0]
            first.replace_input_with(last, twin.graph.call_method("float", (last,)))
        twin.recompile()
    return twin


def _ends(twin: fx.GraphModule, node: fx.Node) -> bool:
    if len(node.users) != 1 or node.op == "placeholder":
        return False
    if node.op == "call_module":
        return isinstance(twin.get_submodule(str(node.target)), _ENDING)
    name = node.target if node.op == "call_method" else name_of(node.target)  # type: ignore[arg-type]
    return name in _ENDING_CALLS


def _tensors(twin: fx.GraphModule, node: fx.Node) -> list[torch.Tensor]:
    layer = twin.get_submodule(str(node.target))
    return [*layer.parameters(), *layer.buffers()]


def _halve(layer: nn.Module) -> None:
    for name, weight in layer._parameters.items():
        if weight is not None:
            layer._parameters[name] = nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False)
    for name, buffer in layer._buffers.items():
        if buffer is not None and buffer.is_floating_point():
            layer._buffers[name] = buffer.to(torch.bfloat16)
