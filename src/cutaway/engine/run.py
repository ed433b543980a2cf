"""Graph and the values it starts from -> the values of its steps: the one loop behind traces and the node cache.

Lean on purpose: fx.Interpreter takes 3 ms more for MobileNetV2's 155 steps, beside 16 ms for the layers themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from cutaway.engine.memory import keep_freed_memory
from cutaway.errors import BadModel

Look = Callable[[fx.Node, Any], None]
LayerOf = Callable[[fx.Node], nn.Module]
_WRITES: dict[type[nn.Module], Callable[[torch.Tensor], torch.Tensor]] = {
    nn.ReLU: torch.relu_,
    nn.ReLU6: lambda x: F.hardtanh_(x, 0.0, 6.0),
}
_OWN = (nn.Conv2d, nn.BatchNorm2d)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a run does, worked out once for many: `nodes` in running order, which values to keep (None: all), after
    which node whose values are let go, and the steps that may write into what they read, if they are a ReLU."""

    nodes: Sequence[fx.Node]
    keep: Collection[fx.Node] | None
    dying: Mapping[fx.Node, Sequence[fx.Node]]
    writing: Collection[fx.Node]


def plan_of(graph: fx.GraphModule, nodes: Sequence[fx.Node], keep: Collection[fx.Node] | None) -> Plan:
    """Graph, the nodes to run in running order, nodes to keep (None: all) -> Plan."""
    if keep is None:
        return Plan(nodes, None, {}, ())
    dying = _last_uses(nodes, {*keep, *_output(graph).all_input_nodes})
    return Plan(nodes, keep, dying, {node for node, values in dying.items() if _may_write(node, values)})


def run(
    graph: fx.GraphModule,
    given: Mapping[fx.Node, Any],
    keep: Collection[fx.Node] | None = None,
    look: Look | None = None,
    *,
    plan: Plan | None = None,
    layer_of: LayerOf | None = None,
) -> tuple[dict[fx.Node, Any], Any]:
    """Graph, values that are there already, nodes to keep (None: all) -> (node: value, output).

    Nodes in `given` are not run. What is not kept is dropped after its last use, and a ReLU that is the only one to
    read it writes into it. `look` sees each value that was computed, once, before that. `plan` (with what it keeps) and
    `layer_of` (a step that is a layer -> the layer) are for callers who know them already. Runs in inference mode.
    Raises BadModel naming the layer that cannot work on what it gets.
    """
    keep_freed_memory()
    values: dict[fx.Node, Any] = dict(given)
    output_node = _output(graph)
    if plan is None:
        plan = plan_of(graph, [n for n in graph.graph.nodes if n not in values and n is not output_node], keep)
    layer_of = layer_of or _finder_of_nodes(graph)
    node, dying, writing = output_node, plan.dying, plan.writing
    try:
        with torch.inference_mode():
            for node in plan.nodes:
                value = _written(node, values, layer_of) if node in writing and look is None else None
                values[node] = value = _value(graph, node, values, layer_of) if value is None else value
                if look is not None:
                    look(node, value)
                for done in dying.get(node, ()):
                    del values[done]
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise _cannot_work(node, given, error) from None
    output = fx.map_arg(output_node.args[0], values.__getitem__)
    return (values if plan.keep is None else {n: values[n] for n in plan.keep if n in values}), output


def input_of(graph: fx.GraphModule) -> fx.Node:
    """Graph -> the node of its picture input. Raises BadModel where there is none, or a second one."""
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder" and not node.args]
    if len(inputs) != 1:
        names = ", ".join(node.name for node in inputs) or "none"
        raise BadModel(f"The network has {len(inputs)} inputs ({names}); pictures feed networks with exactly one.")
    found: fx.Node = inputs[0]
    return found


def label(node: fx.Node) -> str:
    """Node -> what a person calls it: a layer's module path, else the node's name."""
    return str(node.target) if node.op in ("call_module", "get_attr") else node.name


def _value(graph: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any], layer_of: LayerOf) -> Any:
    op, args, kwargs = node.op, node.args, node.kwargs
    if len(args) == 1 and not kwargs and isinstance(args[0], fx.Node):  # nearly every layer
        if op == "call_module":
            return layer_of(node)(values[args[0]])
        args = (values[args[0]],)
    elif op == "placeholder":
        return args[0]  # an input with a default; pictures are given
    elif op == "get_attr":
        return functools.reduce(getattr, str(node.target).split("."), graph)
    else:
        args = fx.map_arg(args, values.__getitem__)
        kwargs = fx.map_arg(kwargs, values.__getitem__)
    if op == "call_module":
        return layer_of(node)(*args, **kwargs)
    if op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    assert callable(node.target)
    return node.target(*args, **kwargs)


def finder(graph: fx.GraphModule) -> Callable[[str], nn.Module]:
    """Graph -> a function: module path -> the module. get_submodule checks each step of the way, 1 ms for MobileNetV2's
    layers; here a block's path is followed once for all its layers.
    """
    inside: dict[str, Any] = {"": graph._modules}

    def layer_at(path: str) -> nn.Module:
        block, _, name = path.rpartition(".")
        layers: Any = inside.get(block)
        if layers is None:
            layers = inside[block] = layer_at(block)._modules
        found: nn.Module = layers[name]
        return found

    return layer_at


def layer_at(graph: fx.GraphModule, path: str) -> nn.Module:
    """Graph, module path -> the module."""
    return finder(graph)(path)


def _finder_of_nodes(graph: fx.GraphModule) -> LayerOf:
    at = finder(graph)
    return lambda node: at(str(node.target))


def _output(graph: fx.GraphModule) -> fx.Node:
    found: fx.Node = next(reversed(graph.graph.nodes))
    return found


def _last_uses(nodes: Sequence[fx.Node], kept: set[fx.Node]) -> dict[fx.Node, list[fx.Node]]:
    """Nodes in running order, those whose values stay -> node: those of them whose values nobody reads after it."""
    found: dict[fx.Node, list[fx.Node]] = {}
    left = set(nodes) - kept
    for node in reversed(nodes):
        for value in (node, *node.all_input_nodes):
            if value in left:
                left.remove(value)
                found.setdefault(node, []).append(value)
    return found


def _may_write(node: fx.Node, dying: Sequence[fx.Node]) -> bool:
    """Whether a step is a layer and the only reader of a layer's value that is let go after it."""
    if node.op != "call_module" or len(node.args) != 1 or node.kwargs or node.args[0] not in dying:
        return False
    before = node.args[0]
    return isinstance(before, fx.Node) and before.op == "call_module" and len(before.users) == 1


def _written(node: fx.Node, values: dict[fx.Node, Any], layer_of: LayerOf) -> Any:
    """A ReLU behind a layer that made a tensor of its own -> its value, written into that; None for other layers."""
    layer, before = layer_of(node), node.all_input_nodes[0]
    write = _WRITES.get(type(layer))
    if write is None or type(layer_of(before)) not in _OWN or layer._forward_hooks or layer._forward_pre_hooks:
        return None
    return write(values[before])


def _cannot_work(node: fx.Node, given: Mapping[fx.Node, Any], error: Exception) -> BadModel:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    x = next((v for n, v in given.items() if n.op == "placeholder"), None)
    shape = " of shape " + " x ".join(map(str, x.shape)) if isinstance(x, torch.Tensor) else ""
    return BadModel(f"The layer {label(node)} cannot work on this input{shape}: {reason}.")
