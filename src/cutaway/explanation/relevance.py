"""Network -> a twin in which gradients are relevance: every step shares what it gets among what it read.

Weighted layers, activations, means and sums get their rule from zennit (linked, never copied); what this file adds is
what zennit cannot see: the steps of a graph that are functions (sums of residual branches, gates, a mean over places).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from cutaway.engine.fast import fast_twin
from cutaway.engine.run import label
from cutaway.errors import BadModel
from cutaway.graph import extra

Place = Literal["first", "inner", "last"]
Sharing = Literal["weights", "one", "shared", "moved", "sum", "gate", "constant"]

_WEIGHTS = frozenset({"Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "Linear", "Conv2dSame"})
_NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
_ONE_TO_ONE = (
    nn.ReLU | nn.ReLU6 | nn.LeakyReLU | nn.PReLU | nn.ELU | nn.SELU | nn.CELU | nn.GELU | nn.SiLU | nn.Mish | nn.Sigmoid
    | nn.Tanh | nn.Softplus | nn.Softsign | nn.Hardtanh | nn.Hardswish | nn.Hardsigmoid | nn.LogSigmoid
    | extra.Rescale | extra.ScaleChannels | extra.ClippedReLU | extra.AlwaysDropout
)  # fmt: skip
_SHARED = (nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d | nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d
           | nn.AdaptiveAvgPool3d | nn.Upsample | extra.SamePool2d)  # fmt: skip
_MOVED = (
    nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d | nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d | nn.Flatten | nn.Unflatten
    | nn.Identity | nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.AlphaDropout | nn.ZeroPad2d | nn.ConstantPad2d
    | nn.ReflectionPad2d | nn.ReplicationPad2d | nn.PixelShuffle | nn.ChannelShuffle | extra.SamePad2d
    | extra.ChannelsLastFlatten
)  # fmt: skip
_MOVED_NAMES = frozenset({"StochasticDepth", "DropPath"})  # nothing in eval mode

_MOVED_WORDS = """
    getitem cat concat stack chunk split flatten reshape permute flip transpose unsqueeze squeeze pad contiguous
    view movedim swapaxes roll unbind unflatten max_pool2d adaptive_max_pool2d amax maximum minimum expand
    expand_as broadcast_to repeat tile to float type_as index_select dropout clone view_as reshape_as
"""
_MOVED_CALLS = frozenset(_MOVED_WORDS.split())
_ONE_WORDS = """
    relu relu6 clamp clamp_min sigmoid tanh softplus sqrt rsqrt exp log neg abs pow square erf silu gelu
    hardswish hardsigmoid hardtanh leaky_relu elu mish sin cos
"""
_ONE_CALLS = frozenset(_ONE_WORDS.split())
_SHARED_CALLS = frozenset({"mean", "sum", "avg_pool2d", "adaptive_avg_pool2d", "interpolate"})
_SIZES = frozenset({"getattr", "size", "dim"})
_PRODUCTS = frozenset({"mul", "truediv", "div"})
_SUMS = frozenset({"add", "iadd", "sub"})

_GATES = {"Sigmoid": 2, "sigmoid": 2, "Hardsigmoid": 2, "hardsigmoid": 2, "Softmax": 2, "softmax": 2,
          "ReLU6": 1, "relu6": 1, "Hardtanh": 1, "hardtanh": 1, "clamp": 1, "ClippedReLU": 1}  # fmt: skip
"""What makes a factor a gate, and how surely: a number from 0 to 1, or one that is cut off (hard swish)."""


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """`graph(x)` gives the network's logits; the gradient of `logits` weighted by relevance is the relevance of x.

    `hooks` hold values of the last run: call `forget` when done. `gated`: a step multiplies by a gate.
    """

    graph: fx.GraphModule
    hooks: tuple[Any, ...]
    gated: bool

    def forget(self) -> None:
        for hook in self.hooks:
            hook.remove()


def relevance_twin(network: fx.GraphModule, rule_for: Callable[[Place, nn.Module], Any]) -> Relevance:
    """Network, (place, weighted layer) -> a zennit rule -> its twin with a rule on every step that carries relevance.

    Batch norms behind a convolution or dense layer are folded into it first. "first": no weighted layer before it;
    "last": none behind it. Raises BadModel naming the first layer for which there is no rule.
    """
    from zennit.rules import Norm, Pass

    twin = _folded(network)
    reached = _reached(twin)
    sharing = {node: _sharing(twin, node, reached) for node in _carrying(twin, reached)}
    weighted = [node for node, how in sharing.items() if how == "weights"]
    places = _places(sharing, set(weighted))
    hooks: list[Any] = []
    for node, how in sharing.items():
        if how == "weights":
            rule = rule_for(places[node], twin.get_submodule(str(node.target)))
            hooks.append(_hooked(_with_border(twin, node), rule))
        elif how == "one" and node.op == "call_module":
            hooks.append(_hooked(twin.get_submodule(str(node.target)), Pass()))
        elif how == "shared":
            hooks.append(_hooked(_as_module(twin, node), Norm()))
        elif how == "sum":
            hooks.append(_hooked(_summed(twin, node, reached), Norm()))
        elif how in ("one", "gate"):
            _straightened(twin, node, _signal(twin, node, reached))
    twin.graph.lint()
    twin.recompile()
    return Relevance(twin, tuple(hooks), "gate" in sharing.values())


class _Straight(torch.autograd.Function):
    """(signal, value made of it one to one) -> the value; all of its gradient goes to the signal as it is."""

    @staticmethod
    def forward(ctx: Any, signal: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        ctx.shape = signal.shape
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grads[0].sum_to_size(ctx.shape), None


class _Passing(nn.Module):
    """(signal, arguments of a call) -> what the call gives; its gradient goes to the signal alone."""

    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__()
        self.call = call

    def forward(self, signal: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return _Straight.apply(signal, self.call(*args, **kwargs).detach())


class _Stacked(nn.Module):
    """Values that broadcast -> them side by side on a last axis; `negative`: the second with its sign turned."""

    def __init__(self, negative: bool) -> None:
        super().__init__()
        self.negative = negative

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if self.negative:
            second = _Straight.apply(second, -second)
        return torch.stack(torch.broadcast_tensors(first, second), -1)  # type: ignore[no-untyped-call]


class _PaddedConv(nn.Module):
    """A convolution and the step before it that puts a border around; the weights are its own, as rules need them."""

    def __init__(self, pad: nn.Module, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.calls = (pad, conv)  # a tuple, so that rules see one layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pad, conv = self.calls
        value: torch.Tensor = conv._conv_forward(pad(x), self.weight, self.bias)
        return value


class _Bound(nn.Module):
    """A call of one tensor with everything else fixed."""

    def __init__(self, call: Callable[..., Any], rest: tuple[Any, ...], settings: dict[str, Any]) -> None:
        super().__init__()
        self.call, self.rest, self.settings = call, rest, settings

    def forward(self, x: torch.Tensor) -> Any:
        return self.call(x, *self.rest, **self.settings)


def _folded(network: fx.GraphModule) -> fx.GraphModule:
    """A copy with norms folded into the layer before them, nothing in place, and a layer of its own for every step."""
    twin = fast_twin(network)
    seen: set[str] = set()
    for node in list(twin.graph.nodes):
        if node.op != "call_module":
            continue
        layer = twin.get_submodule(str(node.target))
        if str(node.target) in seen:
            shared = {id(t): t for t in [*layer.parameters(), *layer.buffers()]}
            twin.add_submodule(f"again_{node.name}", copy.deepcopy(layer, shared))
            node.target = f"again_{node.name}"
        seen.add(str(node.target))
        if hasattr(layer, "inplace"):
            twin.get_submodule(str(node.target)).inplace = False  # type: ignore[assignment]
        before = node.all_input_nodes[0] if node.all_input_nodes else node
        if isinstance(layer, nn.BatchNorm1d) and before.op == "call_module" and len(before.users) == 1:
            dense = twin.get_submodule(str(before.target))
            if type(dense) is nn.Linear and layer.running_mean is not None:
                twin.add_submodule(f"folded_{node.name}", fuse_linear_bn_eval(dense, layer))
                before.target = f"folded_{node.name}"
                node.replace_all_uses_with(before)
                twin.graph.erase_node(node)
    for layer in twin.modules():  # zennit swaps weights for a moment and can put back parameters only
        for name, weight in list(layer._parameters.items()):
            if weight is not None:
                layer._parameters[name] = nn.Parameter(weight.detach(), requires_grad=False)
    return twin


def _reached(twin: fx.GraphModule) -> set[fx.Node]:
    """Steps whose values depend on the picture; numbers that only tell its size do not."""
    found: set[fx.Node] = set()
    for node in twin.graph.nodes:
        picture = node.op == "placeholder" and not node.args
        if picture or (_call(twin, node) not in _SIZES and any(n in found for n in node.all_input_nodes)):
            found.add(node)
    return found


def _carrying(twin: fx.GraphModule, reached: set[fx.Node]) -> list[fx.Node]:
    """Steps that relevance passes on its way from the output to the picture, in running order; gates stay aside."""
    (output,) = (node for node in twin.graph.nodes if node.op == "output")
    found: set[fx.Node] = set()
    waiting = [n for n in output.all_input_nodes if n in reached]
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.add(node)
        read = [n for n in node.all_input_nodes if n in reached]
        waiting += [_signal(twin, node, reached)] if _call(twin, node) in _PRODUCTS and len(read) > 1 else read
    return [node for node in twin.graph.nodes if node in found and node.op != "placeholder"]


def _sharing(twin: fx.GraphModule, node: fx.Node, reached: set[fx.Node]) -> Sharing:
    several = sum(n in reached for n in node.all_input_nodes) > 1
    if node.op == "call_module":
        layer = twin.get_submodule(str(node.target))
        if type(layer).__name__ in _WEIGHTS:
            return "weights"
        if isinstance(layer, _ONE_TO_ONE) or (isinstance(layer, _NORMS) and layer.running_mean is not None):
            return "one"
        if isinstance(layer, _SHARED):
            return "shared"
        if isinstance(layer, _MOVED) or type(layer).__name__ in _MOVED_NAMES:
            return "moved"
    else:
        call = _call(twin, node)
        if call in _SUMS:
            return "sum" if several else "one"
        if call in _PRODUCTS:
            return "gate" if several else "one"
        if call in _ONE_CALLS or (call in ("maximum", "minimum") and not several):
            return "one"
        if call in _SHARED_CALLS:
            return "shared"
        if call in _MOVED_CALLS:
            return "moved"
    raise _no_rule(twin, node)


def _signal(twin: fx.GraphModule, node: fx.Node, reached: Collection[fx.Node]) -> fx.Node:
    """Step -> of what it reads, where its relevance goes: to what depends on the picture; of two, not to the gate."""
    read = [n for n in node.all_input_nodes if n in reached]
    if len(read) == 1:
        return read[0]
    sure = [_gate(twin, n) for n in read]
    if len(read) != 2 or sure[0] == sure[1] or (_call(twin, node) != "mul" and sure[1] < sure[0]):
        raise _no_rule(twin, node)
    return read[0] if sure[0] < sure[1] else read[1]


def _gate(twin: fx.GraphModule, node: fx.Node) -> int:
    """How surely a value is a gate: see _GATES. Steps that only move, stretch or scale it are looked through."""
    while True:
        call = _call(twin, node)
        if call in _GATES:
            return _GATES[call]
        seen_through = call in _MOVED_CALLS or call in _PRODUCTS or call in ("interpolate", "Identity", "Flatten")
        if not seen_through or len(node.all_input_nodes) != 1:
            return 0
        node = node.all_input_nodes[0]


def _places(sharing: dict[fx.Node, Sharing], weighted: set[fx.Node]) -> dict[fx.Node, Place]:
    after: set[fx.Node] = set()  # a weighted layer lies before these
    for node in sharing:
        if any(n in after or n in weighted for n in node.all_input_nodes):
            after.add(node)
    before: set[fx.Node] = set()  # a weighted layer lies behind these
    for node in reversed(sharing):
        if any(n in before or n in weighted for n in node.users if n in sharing):
            before.add(node)
    return {n: "last" if n not in before else "inner" if n in after else "first" for n in weighted}


def _with_border(twin: fx.GraphModule, node: fx.Node) -> nn.Module:
    """A convolution takes in the border of zeros that a step puts around its maps: a rule that shares evenly over a
    window would else leave relevance on it, as it does not on a convolution's own padding."""
    layer, before = twin.get_submodule(str(node.target)), node.all_input_nodes[0]
    zeros = _call(twin, before) in ("SamePad2d", "ZeroPad2d", "pad") and len(before.users) == 1
    if not zeros or type(layer) is not nn.Conv2d:
        return layer
    x = before.all_input_nodes[0]
    padded = _PaddedConv(_as_module(twin, before), layer)
    _becomes(twin, node, padded, x)
    twin.graph.erase_node(before)
    return padded


def _hooked(layer: nn.Module, rule: Any) -> Any:
    hook = rule.copy()
    hook.register(layer)
    return hook


def _as_module(twin: fx.GraphModule, node: fx.Node) -> nn.Module:
    """A call of one tensor becomes a layer, which a rule can be put on."""
    if node.op == "call_module":
        return twin.get_submodule(str(node.target))
    x, *rest = node.args
    if node.all_input_nodes != [x]:
        raise _no_rule(twin, node)
    layer = _Bound(_callable(node), tuple(rest), dict(node.kwargs))
    _becomes(twin, node, layer, x)
    return layer


def _summed(twin: fx.GraphModule, node: fx.Node, reached: set[fx.Node]) -> nn.Module:
    """A sum of two values becomes a layer that sums them stacked, so that each gets its part of the relevance."""
    from zennit.layer import Sum

    parts = [n for n in node.all_input_nodes if n in reached]
    if tuple(node.args) != tuple(parts) or node.kwargs:
        raise _no_rule(twin, node)
    twin.add_submodule(f"stacked_{node.name}", _Stacked(negative=_call(twin, node) == "sub"))
    with twin.graph.inserting_before(node):
        stacked = twin.graph.call_module(f"stacked_{node.name}", tuple(parts))
    layer: nn.Module = Sum(dim=-1)
    _becomes(twin, node, layer, stacked)
    return layer


def _straightened(twin: fx.GraphModule, node: fx.Node, signal: fx.Node) -> None:
    layer = _Passing(_callable(node))
    args, kwargs = node.args, dict(node.kwargs)
    _becomes(twin, node, layer, signal, *args)
    node.kwargs = kwargs


def _becomes(twin: fx.GraphModule, node: fx.Node, layer: nn.Module, *args: Any) -> None:
    twin.add_submodule(f"ruled_{node.name}", layer)
    node.op, node.target, node.args, node.kwargs = "call_module", f"ruled_{node.name}", args, {}


def _callable(node: fx.Node) -> Callable[..., Any]:
    if node.op == "call_method":
        return getattr(torch.Tensor, str(node.target))  # type: ignore[no-any-return]
    assert callable(node.target)
    return node.target


def _call(twin: fx.GraphModule, node: fx.Node) -> str:
    """The class of a node's layer or the name of its function; "" for the input and stored numbers."""
    if node.op == "call_module":
        return type(twin.get_submodule(str(node.target))).__name__
    if node.op == "call_method":
        return str(node.target)
    return getattr(node.target, "__name__", "") if node.op == "call_function" else ""


def _no_rule(twin: fx.GraphModule, node: fx.Node) -> BadModel:
    return BadModel(
        f"Relevance propagation has no rule for {label(node)} ({_call(twin, node)}): how it would share relevance "
        "among what it reads is not defined. Occlusion and integrated-gradients explain any network."
    )
