"""What makes a traced graph Cutaway's: standard layers, nothing written in place, a layer of its own for every step.

Each pass changes the GraphModule it is given. `trace` runs them in order; the numbers stay the same, bit for bit.
"""

from __future__ import annotations

import copy
import operator
import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from cutaway.graph import functions
from cutaway.graph.build import add_submodule

NORM_AND_ACT = frozenset({"BatchNormAct2d"})
"""timm's normalisation with activation, kept whole while tracing and split afterwards."""

_ACTIVATIONS: dict[
    str, Callable[[], nn.Module]
] = {  # timm's own classes of what torch.nn has, equal bit for bit (its Swish is not)
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "GELU": nn.GELU,
    "GELUTanh": lambda: nn.GELU(approximate="tanh"),
}


def standard_layers(network: nn.Module) -> None:
    """timm's own classes of layers that torch.nn has -> torch.nn's (its Linear differs inside TorchScript only)."""
    for path, module in list(network.named_modules(remove_duplicate=False)):
        cls = type(module)
        if not cls.__module__.startswith("timm.layers"):
            continue
        if cls.__name__ == "Linear" and isinstance(module, nn.Linear):
            module.__class__ = nn.Linear
        elif path and cls.__name__ in _ACTIVATIONS:
            add_submodule(network, path, _ACTIVATIONS[cls.__name__]().eval())


def open_functions(traced: fx.GraphModule) -> None:
    """Functions that a library asks fx not to look into (an attention mask that is not there) -> what they do.

    A function whose course depends on values stays closed, and is refused by name at the end.
    """
    proxy: Any = fx.Proxy
    for node in list(traced.graph.nodes):
        if not (
            isinstance(node.target, types.FunctionType) and node.target.__module__.startswith(("timm.", "torchvision."))
        ):
            continue
        with traced.graph.inserting_before(node):
            try:
                done = node.target(*fx.map_arg(node.args, proxy), **fx.map_arg(node.kwargs, proxy))
            except Exception:  # whatever the library's code raises on a proxy
                continue
        _replace(node, done.node if isinstance(done, fx.Proxy) else done)


def _replace(node: fx.Node, value: Any) -> None:
    """Every reader of `node` reads `value`, a node or a constant such as None."""
    for user in list(node.users):
        user.args = fx.map_arg(user.args, lambda n: value if n is node else n)
        user.kwargs = fx.map_arg(user.kwargs, lambda n: value if n is node else n)
    node.graph.erase_node(node)


def split_norm_and_act(traced: fx.GraphModule) -> None:
    """timm's normalisation-with-activation -> a plain BatchNorm2d and the activation after it."""
    for node in list(traced.graph.nodes):
        if node.op != "call_module":
            continue
        both: Any = traced.get_submodule(node.target)
        if type(both).__name__ not in NORM_AND_ACT:
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
    F.relu: lambda _: nn.ReLU(),
    torch.relu: lambda _: nn.ReLU(),
    "relu": lambda _: nn.ReLU(),
    "relu_": lambda _: nn.ReLU(),
    F.relu6: lambda _: nn.ReLU6(),
    F.silu: lambda _: nn.SiLU(),
    F.gelu: lambda n: nn.GELU(approximate=str(n.kwargs.get("approximate", "none"))),
    F.mish: lambda _: nn.Mish(),
    F.hardswish: lambda _: nn.Hardswish(),
    F.hardsigmoid: lambda _: nn.Hardsigmoid(),
    F.hardtanh: lambda n: nn.Hardtanh(_keyword("min_val", 1, -1.0)(n), _keyword("max_val", 2, 1.0)(n)),
    F.elu: lambda n: nn.ELU(_keyword("alpha", 1, 1.0)(n)),
    F.leaky_relu: lambda n: nn.LeakyReLU(_keyword("negative_slope", 1, 0.01)(n)),
    torch.sigmoid: lambda _: nn.Sigmoid(),
    F.sigmoid: lambda _: nn.Sigmoid(),
    "sigmoid": lambda _: nn.Sigmoid(),
    "sigmoid_": lambda _: nn.Sigmoid(),
    torch.tanh: lambda _: nn.Tanh(),
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


def to_modules(traced: fx.GraphModule) -> None:
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


def functional(traced: fx.GraphModule) -> None:
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


def drop_checks(traced: fx.GraphModule) -> None:
    """Checks of input sizes (a graph says them with shapes) and inputs other than the picture go."""
    for node in reversed(list(traced.graph.nodes)):
        if node.op == "call_function" and getattr(node.target, "__name__", "") in ("_assert", "_assert_is_none"):
            traced.graph.erase_node(node)
    traced.graph.eliminate_dead_code()
    for node in [n for n in traced.graph.nodes if n.op == "placeholder"][1:]:
        if not node.users:
            traced.graph.erase_node(node)


def one_module_per_node(traced: fx.GraphModule) -> None:
    """A layer used twice (resnet's one ReLU) -> a copy per use; layers with weights stay shared."""
    seen: set[str] = set()
    taken = {name for name, _ in traced.named_modules(remove_duplicate=False)}
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
        while f"{node.target}_{n}" in taken:
            n += 1
        path = f"{node.target}_{n}"
        add_submodule(traced, path, copy.deepcopy(module))
        node.target = path
        seen.add(path)
        taken.add(path)
