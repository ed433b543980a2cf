"""A live network that fx cannot trace -> its graph through torch.export, checked against the network itself."""

from __future__ import annotations

import copy
import logging
import operator
import warnings
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph.exported import Exported, Op, Ref, graph_of

_CLOSE = 1e-4
"""Of the output's largest value: torch.export merges nothing, so float32 rounding is all that may differ."""


def export(network: nn.Module, example: torch.Tensor) -> fx.GraphModule:
    """Network, example (1, C, H, W) -> its graph of listed layers, for any batch size where export allows it.

    Raises BadModel: torch.export cannot follow it (an `if` on values, say), an operator is not on the list, or the
    graph gives other numbers than the network.
    """
    network = copy.deepcopy(network).eval()
    program = _program(network, example)
    graph = graph_of(exported_of(program))
    with torch.inference_mode():
        try:
            wanted, got = network(example), graph(example)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise BadModel(
                f"{type(network).__name__} could be exported but its graph does not run ({_first(error)})."
            ) from None
    off = float((wanted - got).abs().max() / wanted.abs().max().clamp_min(1.0))
    if not off <= _CLOSE:
        raise BadModel(
            f"{type(network).__name__} could be exported but its graph gives other numbers (off by {off:.2g})."
        )
    return graph


def _program(network: nn.Module, example: torch.Tensor) -> Any:
    two = example.expand(2, *example.shape[1:]).contiguous()
    attempts = ((two, ({0: torch.export.Dim("batch", min=1, max=65536)},)), (example, None))
    problem = ""
    level = logging.getLogger("torch").level
    for given, free in attempts:
        try:
            logging.disable(logging.ERROR)  # export logs a page before it raises
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                return torch.export.export(network, (given,), dynamic_shapes=free)
        except Exception as error:  # export lets through whatever the network's code and its own passes raise
            problem = problem or _first(error)
        finally:
            logging.disable(logging.NOTSET)
            logging.getLogger("torch").setLevel(level)
    raise BadModel(f"{type(network).__name__} cannot be followed by torch.export: {problem}.")


def exported_of(program: Any) -> Exported:
    """torch.export's ExportedProgram -> the list of operators."""
    state = {**program.state_dict, **program.constants}
    arrays: dict[str, tuple[str, torch.Tensor]] = {}
    inputs: list[str] = []
    for spec in program.graph_signature.input_specs:
        name = spec.arg.name
        if spec.target is not None and isinstance(state.get(spec.target), torch.Tensor):
            arrays[name] = (spec.target, state[spec.target])
        elif spec.kind.name == "USER_INPUT":
            inputs.append(name)
    ops: list[Op] = []
    shapes: dict[str, tuple[Any, ...]] = {}
    output = ""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor):
            shapes[node.name] = tuple(s if isinstance(s, int) else -1 for s in value.shape)
        if node.op == "output":
            output = _output(program)
        elif node.op == "call_function":
            ops.append(_op(node))
    batch = shapes[inputs[0]][0]
    return Exported(inputs[0], output, ops, arrays, batch if batch > 0 else None, shapes)


def _output(program: Any) -> str:
    specs = program.graph_signature.output_specs
    users = [s.arg.name for s in specs if s.kind.name == "USER_OUTPUT"]
    if not users:
        raise BadModel("The exported network gives no output.")
    return str(users[0])


def _op(node: fx.Node) -> Op:
    module, leaf = _module(node.meta.get("nn_module_stack") or {})
    target: Any = node.target
    if target is operator.getitem:
        return Op(node.name, "getitem", {"self": _plain(node.args[0]), "index": node.args[1]}, module)
    schema = getattr(target, "_schema", None)
    if schema is None:  # arithmetic on sizes
        names = ("self", "other")
        args = dict(zip(names, map(_plain, node.args), strict=False))
        return Op(node.name, getattr(target, "__name__", str(target)), args, module)
    kind = schema.name.rpartition("::")[2]
    named = {a.name: _plain(v) for a, v in zip(schema.arguments, node.args, strict=False)}
    named |= {name: _plain(value) for name, value in node.kwargs.items()}
    return Op(node.name, kind, named, module, leaf)


def _plain(value: Any) -> Any:
    if isinstance(value, fx.Node):
        return Ref(value.name)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _module(stack: dict[str, Any]) -> tuple[str, bool]:
    """Modules an operator ran in -> the innermost one's path, and whether it is one layer of torch.nn."""
    if not stack:
        return "", False
    path, kind = list(stack.values())[-1]
    text = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return innermost(str(path), text)


def innermost(path: str, kind: str) -> tuple[str, bool]:
    """("layer1.0.relu@1", "torch.nn.modules.activation.ReLU") -> ("layer1.0.relu", True)."""
    bare = path.partition("@")[0].removeprefix("L__self__").strip(".")
    leaf = kind.startswith("torch.nn.modules.") and ".container." not in kind
    return bare, leaf and bool(bare)


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
