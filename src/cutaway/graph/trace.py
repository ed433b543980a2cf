"""Any traceable nn.Module -> a functional fx GraphModule of listed layers, one module per node, the same numbers.

Kept whole: torch.nn layers and the few of timm and torchvision that have no torch.nn equal. Taken apart: everything
else. Then made functional (research: a ReLU swapped in a graph with in-place ops gave an output wrong by 0.389).
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph import functions
from cutaway.graph.build import add_submodule
from cutaway.graph.kinds import kind_of

_NORM_AND_ACT = {"BatchNormAct2d": "BatchNorm2d"}


class _Unpatched(fx.Interpreter):
    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.fetch_attr(target).forward(*args, **kwargs)


class _Tracer(fx.Tracer):
    """Keeps listed layers whole; answers an `if` on the input's size by running what is traced so far on `example`."""

    def __init__(self, network: nn.Module, example: torch.Tensor | None) -> None:
        super().__init__()
        self._twin = copy.deepcopy(network)  # fx patches the traced one while it traces
        self._example = example

    def to_bool(self, obj: fx.Proxy) -> bool:
        if self._example is None:
            return bool(super().to_bool(obj))
        so_far, copies = fx.Graph(), {}
        for node in self.graph.nodes:
            copies[node] = so_far.node_copy(node, lambda n: copies[n])
        so_far.output(copies[obj.node])
        with torch.no_grad():
            return bool(_Unpatched(self._twin, graph=so_far).run(self._example))

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if type(m).__name__ in _NORM_AND_ACT:
            return True
        if kind_of(m) is not None:
            return True
        return m.__module__.startswith("torch.nn") and not isinstance(m, nn.Sequential | nn.ModuleList)


def trace(network: nn.Module, example: torch.Tensor | None = None) -> fx.GraphModule:
    """Network -> its graph. The network itself is copied, not touched.

    `example` (1, C, H, W) settles control flow that depends on the input's size (timm's VGG has one); without it such
    a network is refused. Raises BadModel where a part of it is not on the lists.
    """
    network = copy.deepcopy(network).eval()
    _plain_dense(network)
    try:
        graph = _Tracer(network, example).trace(network)
    except Exception as error:  # fx lets through whatever the network's own code raises on a proxy
        raise BadModel(f"{type(network).__name__} cannot be traced into a graph of layers: {_first_line(error)}.") from None
    traced = fx.GraphModule(network, graph, class_name="Network")
    _split_norm_and_act(traced)
    _functional(traced)
    _to_modules(traced)
    _drop_checks(traced)
    traced.graph.eliminate_dead_code()
    _one_module_per_node(traced)
    traced.delete_all_unused_submodules()
    traced.recompile()
    _must_be_listed(traced)
    return traced.eval()


def _plain_dense(network: nn.Module) -> None:
    """timm's Linear computes what nn.Linear does (it only differs inside TorchScript): keep it as one layer."""
    for module in network.modules():
        if type(module).__name__ == "Linear" and isinstance(module, nn.Linear):
            module.__class__ = nn.Linear


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _split_norm_and_act(traced: fx.GraphModule) -> None:
    """timm's normalisation-with-activation -> a plain BatchNorm2d and the activation after it."""
    for node in list(traced.graph.nodes):
        if node.op != "call_module":
            continue
        both: Any = traced.get_submodule(node.target)
        if type(both).__name__ not in _NORM_AND_ACT:
            continue
        norm = nn.BatchNorm2d(both.num_features, both.eps, both.momentum, both.affine, both.track_running_stats)
        norm.load_state_dict({k: v for k, v in both.state_dict().items() if "." not in k})
        add_submodule(traced, node.target, norm)
        for suffix, part in (("drop", both.drop), ("act", both.act)):
            if not isinstance(part, nn.Identity):
                _insert_after(traced, node, f"{node.target}_{suffix}", part)
                node = node.next


def _insert_after(traced: fx.GraphModule, node: fx.Node, path: str, module: nn.Module) -> None:
    add_submodule(traced, path, module)
    with traced.graph.inserting_after(node):
        new = traced.graph.call_module(path, (node,))
    node.replace_all_uses_with(new, delete_user_cb=lambda user: user is not new)


def _keyword(name: str, position: int, default: Any) -> Callable[[fx.Node], Any]:
    return lambda node: node.kwargs.get(name, node.args[position] if len(node.args) > position else default)


_P = _keyword("p", 1, 0.5)
_AS_MODULE: dict[Any, Callable[[fx.Node], nn.Module]] = {
    F.relu: lambda n: nn.ReLU(),
    torch.relu: lambda n: nn.ReLU(),
    "relu": lambda n: nn.ReLU(),
    "relu_": lambda n: nn.ReLU(),
    F.relu6: lambda n: nn.ReLU6(),
    F.silu: lambda n: nn.SiLU(),
    F.gelu: lambda n: nn.GELU(approximate=n.kwargs.get("approximate", "none")),
    F.mish: lambda n: nn.Mish(),
    F.hardswish: lambda n: nn.Hardswish(),
    F.hardsigmoid: lambda n: nn.Hardsigmoid(),
    F.hardtanh: lambda n: nn.Hardtanh(_keyword("min_val", 1, -1.0)(n), _keyword("max_val", 2, 1.0)(n)),
    F.elu: lambda n: nn.ELU(_keyword("alpha", 1, 1.0)(n)),
    F.leaky_relu: lambda n: nn.LeakyReLU(_keyword("negative_slope", 1, 0.01)(n)),
    torch.sigmoid: lambda n: nn.Sigmoid(),
    F.sigmoid: lambda n: nn.Sigmoid(),
    "sigmoid": lambda n: nn.Sigmoid(),
    "sigmoid_": lambda n: nn.Sigmoid(),
    torch.tanh: lambda n: nn.Tanh(),
    F.dropout: lambda n: nn.Dropout(_P(n)),
    F.dropout2d: lambda n: nn.Dropout2d(_P(n)),
    torch.flatten: lambda n: nn.Flatten(_keyword("start_dim", 1, 0)(n), _keyword("end_dim", 2, -1)(n)),
    "flatten": lambda n: nn.Flatten(_keyword("start_dim", 1, 0)(n), _keyword("end_dim", 2, -1)(n)),
    F.adaptive_avg_pool2d: lambda n: nn.AdaptiveAvgPool2d(_keyword("output_size", 1, None)(n)),
    F.adaptive_max_pool2d: lambda n: nn.AdaptiveMaxPool2d(_keyword("output_size", 1, None)(n)),
    F.max_pool2d: lambda n: nn.MaxPool2d(
        _keyword("kernel_size", 1, None)(n),
        _keyword("stride", 2, None)(n) or None,
        _keyword("padding", 3, 0)(n),
        _keyword("dilation", 4, 1)(n),
        ceil_mode=_keyword("ceil_mode", 5, False)(n),
    ),
    F.avg_pool2d: lambda n: nn.AvgPool2d(
        _keyword("kernel_size", 1, None)(n),
        _keyword("stride", 2, None)(n) or None,
        _keyword("padding", 3, 0)(n),
        _keyword("ceil_mode", 4, False)(n),
        _keyword("count_include_pad", 5, True)(n),
        _keyword("divisor_override", 6, None)(n),
    ),
}


def _to_modules(traced: fx.GraphModule) -> None:
    """Calls such as F.relu(x) -> a layer of their own, so that every step can be named, looked at and replaced."""
    taken = set(dict(traced.named_modules()))
    for node in list(traced.graph.nodes):
        if node.op not in ("call_function", "call_method") or node.target not in _AS_MODULE:
            continue
        module = _AS_MODULE[node.target](node)
        if any(isinstance(v, fx.Node) for v in vars(module).values()):
            continue  # a setting that is computed from the input stays a call
        path = node.name
        while path in taken:
            path += "_"
        taken.add(path)
        add_submodule(traced, path, module)
        with traced.graph.inserting_before(node):
            new = traced.graph.call_module(path, (node.args[0] if node.args else node.kwargs["input"],))
        node.replace_all_uses_with(new)
        traced.graph.erase_node(node)


_IN_PLACE = {operator.iadd: operator.add, operator.imul: operator.mul, operator.isub: operator.sub}
_ALIASES = {
    torch.add: operator.add,
    torch.mul: operator.mul,
    torch.sub: operator.sub,
    torch.div: operator.truediv,
    operator.matmul: torch.matmul,
    operator.pow: torch.pow,
}


def _writes(traced: fx.GraphModule, node: fx.Node) -> bool:
    if not (node.args and isinstance(node.args[0], fx.Node)):
        return False
    if node.op == "call_module":
        return bool(getattr(traced.get_submodule(str(node.target)), "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_")
    return node.target in _IN_PLACE or bool(node.kwargs.get("inplace"))


def _functional(traced: fx.GraphModule) -> None:
    """No node writes into another node's value; what was read after a write reads the written value."""
    order = {node: i for i, node in enumerate(traced.graph.nodes)}
    for node in traced.graph.nodes:
        if not _writes(traced, node):
            continue
        written = node.args[0]
        for user in list(written.users):
            if order[user] > order[node]:
                user.replace_input_with(written, node)
    for module in traced.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    for node in traced.graph.nodes:
        if node.op == "call_function":
            node.target = _IN_PLACE.get(node.target, node.target)
            if node.target in _ALIASES and set(node.kwargs) <= {"other"} and len(node.args) + len(node.kwargs) == 2:
                node.args = (*node.args, *node.kwargs.values())
                node.kwargs = {}
                node.target = _ALIASES[node.target]
            if "inplace" in node.kwargs:
                node.kwargs = {k: v for k, v in node.kwargs.items() if k != "inplace"}
        elif node.op == "call_method" and node.target.endswith("_") and node.target[:-1] in functions.METHODS:
            node.target = node.target[:-1]


def _drop_checks(traced: fx.GraphModule) -> None:
    """timm checks input sizes with torch._assert; a graph says it with shapes instead."""
    for node in reversed(list(traced.graph.nodes)):
        if node.op == "call_function" and getattr(node.target, "__name__", "") == "_assert":
            traced.graph.erase_node(node)


def _one_module_per_node(traced: fx.GraphModule) -> None:
    """A layer used twice (resnet's one ReLU) -> a copy per use; layers with weights stay shared."""
    seen: set[str] = set()
    for node in traced.graph.nodes:
        if node.op != "call_module":
            continue
        if node.target not in seen:
            seen.add(node.target)
            continue
        module = traced.get_submodule(node.target)
        if next(module.parameters(), None) is not None or next(module.buffers(), None) is not None:
            continue
        n = 2
        while f"{node.target}_{n}" in seen:
            n += 1
        path = f"{node.target}_{n}"
        add_submodule(traced, path, copy.deepcopy(module))
        node.target = path
        seen.add(path)


def _must_be_listed(traced: fx.GraphModule) -> None:
    for node in traced.graph.nodes:
        found = None
        if node.op == "call_module" and kind_of(traced.get_submodule(node.target)) is None:
            found = f"layer {node.target} of kind {type(traced.get_submodule(node.target)).__name__}"
        elif node.op == "call_function" and functions.name_of(node.target) is None:
            found = f"function {getattr(node.target, '__name__', node.target)} at {node.name}"
        elif node.op == "call_method" and node.target not in functions.METHODS:
            found = f"tensor method {node.target} at {node.name}"
        if found:
            raise BadModel(f"The network cannot be held as a graph of listed layers: {found} is not on the list.")
