"""Any traceable nn.Module -> a functional fx GraphModule of listed layers, one module per node, the same numbers.

Kept whole: torch.nn layers and the few of timm and torchvision that have no torch.nn equal. Taken apart: everything
else. Then made functional (research: a ReLU swapped in a graph with in-place ops gave an output wrong by 0.389).
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph import functions, passes
from cutaway.graph.kinds import kind_of


class _Tracer(fx.Tracer):
    """Keeps listed layers whole; answers an `if` on the input's size by running what is traced so far on `example`."""

    def __init__(self, network: nn.Module, example: torch.Tensor | None) -> None:
        super().__init__()
        self._twin = copy.deepcopy(network)  # what an `if` is answered with must not change what is traced
        self._shapes_only = copy.deepcopy(network).to("meta")
        self._example = example
        self._answering = False

    def to_bool(self, obj: fx.Proxy) -> bool:
        if self._example is None:
            return bool(super().to_bool(obj))
        question = _up_to(obj.node)
        self._answering = True
        try:
            with torch.no_grad():
                try:  # nearly every question is about shapes, which cost nothing
                    return bool(fx.Interpreter(self._shapes_only, graph=question).run(self._example.to("meta")))
                except (RuntimeError, NotImplementedError):
                    return bool(fx.Interpreter(self._twin, graph=question).run(self._example))
        finally:
            self._answering = False

    def call_module(self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._answering:  # fx has patched every module's call, the twin's too
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002 - fx asks with both
        if type(m).__name__ in passes.NORM_AND_ACT:
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
    passes.standard_layers(network)
    try:
        with _autocast_off():
            graph = _Tracer(network, example).trace(network, _defaults(network))
    except Exception as error:  # fx lets through whatever the network's own code raises on a proxy
        raise BadModel(
            f"{type(network).__name__} cannot be traced into a graph of layers: {_first_line(error)}."
        ) from None
    traced = fx.GraphModule(network, graph, class_name="Network")
    passes.open_functions(traced)
    passes.split_norm_and_act(traced)
    passes.functional(traced)
    passes.to_modules(traced)
    passes.drop_checks(traced)
    passes.one_module_per_node(traced)
    traced.delete_all_unused_submodules()
    traced.recompile()
    _must_be_listed(traced)
    return traced.eval()


def _defaults(network: nn.Module) -> dict[str, Any]:
    """What forward takes besides the picture -> its defaults (no attention mask), which the graph is made for."""
    _, *others = inspect.signature(network.forward).parameters.values()
    return {p.name: p.default for p in others if p.default is not p.empty}


@contextlib.contextmanager
def _autocast_off() -> Iterator[None]:
    """A network that turns mixed precision off asks its input for its device, which a graph in the making has not."""
    before = torch.autocast
    torch.autocast = lambda *_, **__: contextlib.nullcontext()  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        torch.autocast = before  # type: ignore[misc]


def _up_to(last: fx.Node) -> fx.Graph:
    """Node -> a graph of its own that computes just its value from the input."""
    needed, open_ends = {last}, [last]
    while open_ends:
        for node in open_ends.pop().all_input_nodes:
            if node not in needed:
                needed.add(node)
                open_ends.append(node)
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in last.graph.nodes:
        if node in needed or node.op == "placeholder":
            copies[node] = graph.node_copy(node, lambda n: copies[n])
    graph.output(copies[last])
    return graph


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


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
