"""Network -> a copy whose rectifiers hand the gradient back by another rule: what guided backprop and deconvnet are.

A rectifier is any pointwise step that lets the upper side of its input through and holds the lower one back: ReLU and
its relatives, whether a layer, a call (clamp), or spelled out in steps (x * sigmoid(x), GELU by erf). Sigmoid and the
like are no rectifiers: as gates they multiply, and keep their plain gradient. Found in the graph, so that nothing is
passed over in silence: hooks on torch.nn.ReLU alone leave MobileNetV2, all ReLU6, as it was.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx, nn

from cutaway.engine.cut import part_of
from cutaway.engine.run import label
from cutaway.errors import BadModel
from cutaway.graph import extra
from cutaway.graph.functions import name_of

RuleName = Literal["guided", "deconvnet"]
Step = Callable[[torch.Tensor], torch.Tensor]

_RECTIFIERS = (
    nn.ReLU | nn.ReLU6 | nn.LeakyReLU | nn.PReLU | nn.ELU | nn.SELU | nn.CELU | nn.GELU | nn.SiLU | nn.Mish
    | nn.Softplus | nn.Hardswish | extra.ClippedReLU
)  # fmt: skip
_GATES = nn.Sigmoid | nn.Tanh | nn.Softsign | nn.Hardsigmoid | nn.LogSigmoid
_GATE_CALLS = frozenset({"sigmoid", "tanh", "erf"})
_RECTIFIER_CALLS = frozenset({"relu", "softplus", "maximum"})
"""maximum with a stored number; of two values it is a choice, whose gradient is plain."""
_ARITHMETIC = frozenset({"add", "sub", "mul", "truediv", "div", "neg"})
_POINTWISE_CALLS = _GATE_CALLS | _RECTIFIER_CALLS | _ARITHMETIC | {"clamp", "pow", "exp"}
_SIX = 6.0


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The network with the rule, the steps it was put on, and the gates that kept their gradient, by name."""

    network: fx.GraphModule
    rectifiers: tuple[str, ...]
    gates: tuple[str, ...]


class _Ruled(torch.autograd.Function):
    """A rectifier's own values forwards; backwards only what is positive, through a positive slope or through all."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, step: Step, rule: RuleName) -> torch.Tensor:
        ctx.step, ctx.rule = step, rule
        if rule == "guided":
            ctx.save_for_backward(x)
        return step(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        positive = gradient.clamp_min(0)
        if ctx.rule == "deconvnet":
            return positive, None, None
        with torch.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            (slope,) = torch.autograd.grad(ctx.step(x).sum(), x)
        return positive * slope.clamp_min(0), None, None


class RuledStep(nn.Module):
    """A rectifier in a network that was rewritten: `step` forwards, `rule` backwards."""

    def __init__(self, step: Step, rule: RuleName) -> None:
        super().__init__()
        self.__dict__["step"] = step  # no submodule: the layer stays where it was
        self.rule = rule

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = _Ruled.apply(x, self.__dict__["step"], self.rule)
        return found


def rewritten(network: fx.GraphModule, rule: RuleName, title: str) -> Rewritten:
    """Network, rule, the method's name for sentences -> a copy on the same weights, with the rule on every rectifier.

    guided: the gradient's positive part times the rectifier's slope, where that is positive; of a ReLU, the paper's
    rule. deconvnet: the gradient's positive part, whatever the rectifier let through. Raises BadModel for a network
    without rectifiers.
    """
    twin = fx.GraphModule(network, copy.deepcopy(network.graph), class_name="Network")
    rectifiers: list[str] = []
    for look in (_spelled_out, _rectifier):  # x * sigmoid(x) as a whole before its parts
        for node in list(twin.graph.nodes):
            if found := look(twin, node):
                rectifiers.append(label(node))
                _replace(twin, node, found[0], RuledStep(found[1], rule))
        twin.graph.eliminate_dead_code()
    twin.recompile()
    gates = tuple(label(node) for node in twin.graph.nodes if _is_gate(twin, node))
    if not rectifiers:
        raise _nothing_to_change(title, gates)
    return Rewritten(twin, tuple(rectifiers), gates)


def _replace(twin: fx.GraphModule, node: fx.Node, source: fx.Node, layer: nn.Module) -> None:
    name = f"ruled_{node.name}"
    while hasattr(twin, name):
        name += "_"
    twin.add_module(name, layer)
    with twin.graph.inserting_after(node):
        new = twin.graph.call_module(name, (source,))
    node.replace_all_uses_with(new)


def _rectifier(twin: fx.GraphModule, node: fx.Node) -> tuple[fx.Node, Step] | None:
    """A step that is a rectifier by itself -> what it reads, and it as a function."""
    if node.op == "call_module":
        layer = twin.get_submodule(str(node.target))
        if isinstance(layer, nn.Hardtanh) and type(layer) is nn.Hardtanh:
            found = layer.min_val >= 0
        else:
            found = isinstance(layer, _RECTIFIERS)
        return (node.all_input_nodes[0], layer) if found and not _is_hard_gate(twin, node) else None
    inputs = [n for n in node.all_input_nodes if n.op != "get_attr"]
    if len(inputs) != 1 or not _rectifier_call(node) or _is_hard_gate(twin, node):
        return None
    return inputs[0], _as_function(twin, inputs[0], node)


def _rectifier_call(node: fx.Node) -> bool:
    name, floor = _call(node), _argument(node, 1, "min")
    clamped = name == "clamp" and isinstance(floor, int | float) and floor >= 0
    return clamped or name in _RECTIFIER_CALLS


def _spelled_out(twin: fx.GraphModule, node: fx.Node) -> tuple[fx.Node, Step] | None:
    """A product whose factors are all functions of one value, such as x * sigmoid(x) -> that value, and the product
    as one function of it, where it is a rectifier."""
    if _call(node) != "mul" or len(node.all_input_nodes) != 2:
        return None
    first, second = (_sources(twin, n) for n in node.all_input_nodes)
    shared = [n for n in first if n in second]
    if not shared:
        return None
    step = _as_function(twin, shared[0], node)
    return (shared[0], step) if _rectifies(step) else None


def _sources(twin: fx.GraphModule, node: fx.Node) -> list[fx.Node]:
    """Node -> itself and, as long as it is a pointwise function of one other value only, those before it."""
    found = [node]
    while _is_pointwise(twin, found[-1]) and len(found[-1].all_input_nodes) == 1:
        found.append(found[-1].all_input_nodes[0])
    return found


def _is_pointwise(twin: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        layer = twin.get_submodule(str(node.target))
        return isinstance(layer, _RECTIFIERS | _GATES | nn.Hardtanh) and not isinstance(layer, nn.PReLU)
    return _call(node) in _POINTWISE_CALLS


def _rectifies(step: Step) -> bool:
    """Whether a pointwise function holds back below zero: its mean slope there is less than 3/4 of the one above."""
    places = torch.tensor([[-3.0, 0.0, 3.0]], dtype=torch.float64)
    with torch.no_grad():
        low, middle, high = step(places)[0].tolist()
    return bool(high > middle and abs(middle - low) < 0.75 * (high - middle))


def _as_function(twin: fx.GraphModule, source: fx.Node, node: fx.Node) -> Step:
    part = part_of(twin, [source], [node])

    def step(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = part(x)[0]
        return found

    return step


def _is_hard_gate(twin: fx.GraphModule, node: fx.Node) -> bool:
    """relu6(x + 3) / 6: a hard sigmoid in three steps."""
    before = node.all_input_nodes[0]
    shifted = _call(before) == "add" and any(arg == 3 for arg in before.args if isinstance(arg, int | float))
    return bool(shifted and _top(twin, node) == _SIX)


def _top(twin: fx.GraphModule, node: fx.Node) -> Any:
    """The value above which a step lets nothing through."""
    if node.op != "call_module":
        return _argument(node, 2, "max")
    layer: Any = twin.get_submodule(str(node.target))
    return layer.max_val if isinstance(layer, nn.Hardtanh) else getattr(layer, "top", None)


def _is_gate(twin: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        layer = twin.get_submodule(str(node.target))
        hard = type(layer) is nn.Hardtanh or (isinstance(layer, nn.ReLU6) and _is_hard_gate(twin, node))
        return hard or isinstance(layer, _GATES)
    return _call(node) in _GATE_CALLS


def _call(node: fx.Node) -> str:
    """Name of a listed function or tensor method, "" for anything else."""
    if node.op == "call_method":
        return str(node.target)
    if node.op != "call_function" or isinstance(node.target, str):
        return ""
    return "mul" if node.target is operator.mul else name_of(node.target) or ""


def _argument(node: fx.Node, position: int, name: str) -> Any:
    return node.kwargs.get(name, node.args[position] if len(node.args) > position else None)


def _nothing_to_change(title: str, gates: tuple[str, ...]) -> BadModel:
    more = f" and {len(gates) - 3} more" if len(gates) > 3 else ""
    there = f"only {', '.join(gates[:3])}{more}, which let both signs through" if gates else "no activation at all"
    return BadModel(
        f"{title} changes how rectifiers (ReLU and its relatives) hand the gradient back, and this network has none: "
        f"{there}. Use saliency or integrated-gradients."
    )
