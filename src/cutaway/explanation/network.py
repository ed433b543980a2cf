"""Model -> the network that explanations run: the same layers and weights, nothing of the model's own touched."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn

from cutaway.model import Model

_EPSILON = 1e-12
_LAST = nn.Softmax | nn.Sigmoid
_LAST_CALLS = frozenset({"softmax", "sigmoid"})
_PASSES = nn.Identity | nn.Flatten | nn.Dropout
_PASSING_CALLS = frozenset({"flatten", "view", "reshape", "squeeze"})


def own_network(model: Model) -> fx.GraphModule:
    """Model -> a graph that shares the model's weights and gives logits (N, K), in eval mode.

    Its layers are copies, so hooks, modes and settings of the model's own are out of reach, and none of its weights
    asks for a gradient, so only the picture gets one. A softmax or sigmoid at the end is left out (its input is the
    logit); other endings in probabilities get a logarithm behind them. Names of steps are the model's.
    """
    stored = [*model.graph.parameters(), *model.graph.buffers()]
    twin = copy.deepcopy(model.graph, {id(tensor): tensor.detach() for tensor in stored})
    twin.eval()
    for layer in twin.modules():
        _strip_hooks(layer)
    if model.probabilities:
        _end_in_logits(twin)
    return twin


def _end_in_logits(twin: fx.GraphModule) -> None:
    (output,) = (node for node in twin.graph.nodes if node.op == "output")
    node = output.args[0]
    assert isinstance(node, fx.Node)
    last = node
    while _is(twin, last, _PASSES, _PASSING_CALLS):
        last = last.all_input_nodes[0]
    if _is(twin, last, _LAST, _LAST_CALLS):
        last.replace_all_uses_with(last.all_input_nodes[0])
    else:
        with twin.graph.inserting_before(output):
            clamped = twin.graph.call_function(torch.clamp_min, (node, _EPSILON))
            output.args = (twin.graph.call_function(torch.log, (clamped,)),)
    twin.graph.eliminate_dead_code()
    twin.recompile()


def _is(twin: fx.GraphModule, node: fx.Node, layers: object, calls: frozenset[str]) -> bool:
    if node.op == "call_module":
        return isinstance(twin.get_submodule(str(node.target)), layers)  # type: ignore[arg-type]
    return node.op in ("call_function", "call_method") and _call(node) in calls


def _call(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")


def _strip_hooks(layer: nn.Module) -> None:
    """The copies carry the hooks that were on the model; whoever put them there did not ask for these runs."""
    for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
        getattr(layer, name).clear()
