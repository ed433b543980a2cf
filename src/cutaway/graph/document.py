"""Graph <-> plain JSON data. Reading builds only listed layers and functions; every name and value is checked first."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph import functions
from cutaway.graph.build import add_submodule, must_be_safe
from cutaway.graph.kinds import build, kind_of, settings_of

_MAX_NODES = 10_000
_DTYPE_NAMES = "float32 float16 bfloat16 float64 int64 int32 int8 uint8 bool"
_DTYPES = {f"torch.{name}": getattr(torch, name) for name in _DTYPE_NAMES.split()}


def to_document(graph: fx.GraphModule) -> dict[str, Any]:
    """Graph -> {"nodes": [...], "layers": {path: kind, settings}, "constants": {path: role}} of JSON values."""
    nodes: list[dict[str, Any]] = []
    layers: dict[str, Any] = {}
    constants: dict[str, str] = {}
    for node in graph.graph.nodes:
        row: dict[str, Any] = {"name": node.name, "op": node.op}
        if node.op == "call_function":
            row["target"] = functions.name_of(node.target)
        elif node.op != "output":
            row["target"] = node.target
        row["args"] = [_encode(a) for a in node.args]
        if node.kwargs:
            row["kwargs"] = {k: _encode(v) for k, v in node.kwargs.items()}
        nodes.append(row)
        if node.op == "call_module":
            module = graph.get_submodule(node.target)
            layers[node.target] = {"kind": kind_of(module), "settings": _encode(settings_of(module))}
        elif node.op == "get_attr":
            constants[node.target] = "parameter" if _is_parameter(graph, node.target) else "buffer"
    return {"nodes": nodes, "layers": layers, "constants": constants}


def tensors_of(graph: fx.GraphModule) -> dict[str, torch.Tensor]:
    """Graph -> every tensor it holds by path, weights that two layers share once per path."""
    tensors = {name: value.detach() for name, value in graph.state_dict().items()}
    for node in graph.graph.nodes:
        if node.op == "get_attr" and node.target not in tensors:
            tensors[node.target] = _attribute(graph, node.target).detach()
    return tensors


def from_document(document: dict[str, Any], tensors: dict[str, torch.Tensor]) -> fx.GraphModule:
    """JSON data and tensors by path -> the graph. Raises BadModel with the layer, what it has and what the file has."""
    try:
        return _from_document(document, tensors)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RuntimeError, SyntaxError) as error:
        raise BadModel(f"The model's graph is damaged ({type(error).__name__}: {error}).") from None


def _from_document(document: dict[str, Any], tensors: dict[str, torch.Tensor]) -> fx.GraphModule:
    if len(document["nodes"]) > _MAX_NODES:
        raise BadModel(f"The model's graph has {len(document['nodes'])} nodes; at most {_MAX_NODES} are accepted.")
    for what in ("layers", "constants"):
        if len(document[what]) > _MAX_NODES:
            raise BadModel(f"The model's graph has {len(document[what])} {what}; at most {_MAX_NODES} are accepted.")
    root = nn.Module()
    with torch.device("meta"):  # no weights are made only to be replaced
        for path, layer in document["layers"].items():
            add_submodule(root, must_be_safe(path), build(layer["kind"], _decode(layer["settings"], {})))
    for path, role in document["constants"].items():
        _add_constant(root, must_be_safe(path), role, tensors)
    _must_fit(root, tensors)
    root.load_state_dict({k: v for k, v in tensors.items() if k in root.state_dict()}, assign=True)
    graph = fx.Graph()
    made: dict[str, fx.Node] = {}
    _must_end_once(document["nodes"])
    for row in document["nodes"]:
        _must_be_declared(row, document)
        made[row["name"]] = _node(graph, row, made)
    graph.lint()
    return fx.GraphModule(root, graph, class_name="Network").eval()


def _must_end_once(nodes: list[dict[str, Any]]) -> None:
    ends = [i for i, row in enumerate(nodes) if row["op"] == "output"]
    if ends != [len(nodes) - 1]:
        raise BadModel(f"The model's graph has {len(ends)} outputs; it needs one, as its last node.")


def _must_be_declared(row: dict[str, Any], document: dict[str, Any]) -> None:
    """A node runs a layer or reads a tensor that the document lists, and no other attribute (__class__)."""
    where = {"call_module": "layers", "get_attr": "constants"}.get(row["op"])
    if where and must_be_safe(row["target"]) not in document[where]:
        raise BadModel(f"The model's graph uses {row['target']!r}, which is not among its {where}.")


def _node(graph: fx.Graph, row: dict[str, Any], made: dict[str, fx.Node]) -> fx.Node:
    op, name = row["op"], must_be_safe(row["name"]).replace(".", "_").replace("-", "_")
    args = tuple(_decode(a, made) for a in row["args"])
    kwargs = {must_be_safe(k): _decode(v, made) for k, v in row.get("kwargs", {}).items()}
    if op == "output":
        made_output: fx.Node = graph.output(args[0])
        return made_output
    if op == "placeholder":
        return graph.create_node(op, must_be_safe(row["target"]), (), {}, name=name)
    if op in ("call_module", "get_attr"):
        return graph.create_node(op, row["target"], args, kwargs, name=name)
    if op == "call_method":
        if row["target"] not in functions.METHODS:
            raise BadModel(f"The model calls the tensor method {row['target']!r}, which is not on Cutaway's list.")
        return graph.create_node(op, row["target"], args, kwargs, name=name)
    if op == "call_function":
        if row["target"] == "getattr" and (len(args) != 2 or args[1] not in functions.READABLE):
            raise BadModel(f"The model reads the attribute {args[1:]!r}; only sizes can be read.")
        return graph.create_node(op, functions.function(row["target"]), args, kwargs, name=name)
    raise BadModel(f"The model's graph has a node of kind {op!r}, which does not exist.")


def _must_fit(root: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    for path, wanted in root.state_dict().items():
        if path not in tensors:
            raise BadModel(f"The model file has no weights for {path}; its graph asks for {tuple(wanted.shape)}.")
        if tensors[path].shape != wanted.shape:
            raise BadModel(
                f"The weights of {path} are {tuple(tensors[path].shape)}; the graph asks for {tuple(wanted.shape)}."
            )


def _add_constant(root: nn.Module, path: str, role: str, tensors: dict[str, torch.Tensor]) -> None:
    if path not in tensors:
        raise BadModel(f"The model file has no tensor {path}, which its graph reads.")
    *parents, last = path.split(".")
    for parent in parents:
        if not hasattr(root, parent):
            root.add_module(parent, nn.Module())
        root = getattr(root, parent)
    if role == "parameter":
        root.register_parameter(last, nn.Parameter(tensors[path]))
    else:
        root.register_buffer(last, tensors[path])


def _attribute(graph: nn.Module, path: str) -> torch.Tensor:
    value: Any = graph
    for part in path.split("."):
        value = getattr(value, part)
    assert isinstance(value, torch.Tensor)
    return value


def _is_parameter(graph: nn.Module, path: str) -> bool:
    return isinstance(_attribute(graph, path), nn.Parameter)


def _encode(value: Any) -> Any:
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, slice):
        return {"slice": [_encode(v) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, tuple):
        return {"tuple": [_encode(v) for v in value]}
    if isinstance(value, list):
        return [_encode(v) for v in value]
    if isinstance(value, dict):
        return {"dict": {k: _encode(v) for k, v in value.items()}}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, torch.dtype) and str(value) in _DTYPES:
        return {"dtype": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise BadModel(f"The graph holds a value of type {type(value).__name__}, which a model file cannot keep.")


def _decode(value: Any, made: dict[str, fx.Node], depth: int = 0) -> Any:
    if depth > 20:
        raise BadModel("The model's graph holds values nested more than 20 deep.")
    if isinstance(value, list):
        return [_decode(v, made, depth + 1) for v in value]
    if not isinstance(value, dict):
        return value
    ((tag, inner),) = value.items()
    if tag == "node":
        return made[inner]
    if tag == "slice":
        return slice(*(_decode(v, made, depth + 1) for v in inner))
    if tag == "tuple":
        return tuple(_decode(v, made, depth + 1) for v in inner)
    if tag == "dict":
        return {k: _decode(v, made, depth + 1) for k, v in inner.items()}
    if tag == "ellipsis":
        return Ellipsis
    if tag == "dtype":
        return _DTYPES[inner]
    if tag == "float":
        return float(inner)
    raise BadModel(f"The model's graph holds a value marked {tag!r}, which does not exist.")
