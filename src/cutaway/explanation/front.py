"""Network -> its linear beginning and the rest, so that many gradients need the beginning only once.

The first convolution works at full size and costs a tenth of a network's gradient. Being linear, it turns a straight
line of pictures into a straight line of its maps, and the mean of many gradients behind it into the mean before it.
"""

from __future__ import annotations

import copy
import math
import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from cutaway.engine.cut import part_of
from cutaway.engine.run import input_of
from cutaway.graph import extra

_LINEAR = (
    nn.Conv2d | nn.Linear | nn.AvgPool2d | nn.AdaptiveAvgPool2d | nn.Flatten | nn.Identity | nn.ZeroPad2d
    | nn.ReflectionPad2d | nn.ReplicationPad2d | extra.Rescale | extra.ChannelsLastFlatten
)  # fmt: skip
_ARITHMETIC = frozenset({operator.add, operator.sub, operator.mul, operator.truediv, operator.neg})


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """`rest(*head(x))` equals `network(x)`; `head` is linear but for a constant, and gives a tuple of float tensors."""

    head: fx.GraphModule
    rest: fx.GraphModule

    def values(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Pictures -> what the rest starts from, without gradients."""
        with torch.no_grad():
            found: tuple[torch.Tensor, ...] = self.head(x)
        return found

    def own_rest(self) -> fx.GraphModule:
        """-> a rest whose layers can be replaced by others."""
        return fx.GraphModule(self.rest, copy.deepcopy(self.rest.graph), class_name="Network")

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Pictures -> what the network gives, without gradients."""
        with torch.no_grad():
            found: torch.Tensor = self.rest(*self.head(x))
        return found

    def back(self, x: torch.Tensor, gradients: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Pictures (N, C, H, W), gradients with respect to `values(x)` -> with respect to the pictures."""
        with torch.enable_grad():
            x = x.detach().clone().requires_grad_()
            (found,) = torch.autograd.grad(self.head(x), x, gradients)
        return found


def front_of(network: fx.GraphModule) -> Front:
    """Network for gradients (layers are shared, and may be set not to work in place) -> cut behind its linear steps."""
    picture = input_of(network)
    linear = {picture}
    for node in network.graph.nodes:
        if _is_linear(network, node, linear):
            linear.add(node)
    crossing = [n for n in network.graph.nodes if n in linear and any(user not in linear for user in n.users)]
    for node in crossing:
        for user in node.users:
            layer: Any = network.get_submodule(str(user.target)) if user.op == "call_module" else None
            if hasattr(layer, "inplace"):
                layer.inplace = False  # what it reads is now given, and gets the gradient
    return Front(part_of(network, [picture], crossing), part_of(network, crossing, None))


def _is_linear(network: fx.GraphModule, node: fx.Node, linear: set[fx.Node]) -> bool:
    inputs = node.all_input_nodes
    if not inputs or any(n not in linear for n in inputs):
        return False
    if node.op == "call_module":
        return _linear_layer(network.get_submodule(str(node.target)))
    if node.op != "call_function" or node.target not in _ARITHMETIC:
        return False
    if node.target in (operator.mul, operator.truediv):  # a product of two values is not linear, nor is 1 / x
        return len(node.args) == 2 and node.args[0] is inputs[0] and isinstance(node.args[1], int | float)
    return True


def _linear_layer(layer: nn.Module) -> bool:
    if isinstance(layer, nn.BatchNorm2d):
        return layer.running_mean is not None  # else it counts anew for each batch
    if isinstance(layer, extra.SamePad2d):
        return math.isfinite(layer.value)
    return isinstance(layer, _LINEAR)
