"""Graph and input size -> the shape of every value, and the table of layers with parameters and multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.graph.blocks import blocks_of
from cutaway.graph.functions import name_of
from cutaway.graph.names import steps_of
from cutaway.graph.receptive import ReceptiveField, receptive_fields


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One step of the network: shapes without the batch axis; multiply-adds for one picture.

    `receptive` is None for a step that does not depend on the picture. `blocks` names the blocks that hold the step,
    the outermost first.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    input_shapes: tuple[tuple[int, ...], ...] = ()
    receptive: ReceptiveField | None = None
    blocks: tuple[str, ...] = ()

    @property
    def block(self) -> str:
        """Name of the innermost block, "" for the network itself."""
        return self.blocks[-1] if self.blocks else ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "shape": list(self.shape),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "receptive_field": self.receptive.to_dict() if self.receptive else None,
            "block": self.block,
        }


class _Recorder(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._node = ""

    def run_node(self, n: fx.Node) -> Any:
        self._node = n.name
        value = super().run_node(n)
        if isinstance(value, torch.Tensor):
            self.shapes[n.name] = tuple(value.shape)
        return value


def shapes_of(graph: fx.GraphModule, input_shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """Graph, (C, H, W) -> node name: shape with the batch axis, from one real run on zeros.

    Raises BadModel naming the node that does not take what it gets.
    """
    recorder = _Recorder(graph)
    like = next(graph.parameters(), torch.zeros(()))
    training = graph.training
    graph.eval()
    try:
        with torch.inference_mode():
            recorder.run(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        size = " x ".join(map(str, input_shape[1:]))
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise BadModel(f"At {size} px the layer {recorder._node} cannot work: {reason}.") from None
    finally:
        graph.train(training)
    return recorder.shapes


def layer_table(graph: fx.GraphModule, input_shape: tuple[int, int, int]) -> tuple[LayerRow, ...]:
    """Graph, (C, H, W) -> one row per step in running order, named as in graph.names, functions included.

    Parameters are counted where they are first used, a function's (layer_norm with a stored weight) too.

    Costs one pass through the network on zeros. Raises BadModel where the network does not take that size.
    """
    shapes = shapes_of(graph, input_shape)
    fields = receptive_fields(graph, shapes)
    blocks = blocks_of(graph)
    rows: list[LayerRow] = []
    weights, counted = dict(graph.named_parameters(remove_duplicate=False)), set[int]()
    for name, node in steps_of(graph).items():
        if node.name not in shapes:
            continue
        kind = getattr(node.target, "__name__", str(node.target))
        held = [weights[n.target] for n in node.all_input_nodes if n.op == "get_attr" and n.target in weights]
        if node.op == "call_module":
            module = graph.get_submodule(str(node.target))
            kind, held = type(module).__name__, list(module.parameters())
        parameters = sum(p.numel() for p in held if id(p) not in counted)
        counted.update(map(id, held))
        given = tuple(shapes[n.name][1:] for n in node.all_input_nodes if n.name in shapes and n.op != "get_attr")
        work = multiply_adds(graph, node, shapes)
        shape = shapes[node.name][1:]
        rows.append(LayerRow(name, kind, shape, parameters, work, given, fields.get(node.name), blocks[name]))
    return tuple(rows)


def multiply_adds(graph: fx.GraphModule, node: fx.Node, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Node, all shapes -> multiply-adds for one picture: one per weight and output place, one per product of a
    matrix product; transposed convolutions alike. Everything else (norms, pools, activations) counts 0.
    """
    shape = shapes[node.name][1:]
    if node.op == "call_module":
        return _of_module(graph.get_submodule(str(node.target)), shape)
    name = name_of(node.target) if callable(node.target) else node.target
    given = (*node.args, *node.kwargs.values())
    operands = [shapes[n.name] for n in given if isinstance(n, fx.Node) and n.name in shapes]
    if name in ("conv2d", "linear") and len(operands) > 1:
        return math.prod(shape) * math.prod(operands[1][1:])
    if name == "matmul" and len(operands) == 2:
        return math.prod(shape) * operands[0][-1]
    if name == "attention" and len(operands) >= 3:
        queries, keys, values = operands[:3]
        return math.prod(queries[1:]) * keys[-2] + math.prod(values[1:]) * queries[-2]
    return 0


def _of_module(module: nn.Module, shape: tuple[int, ...]) -> int:
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d):
        # a transposed one multiplies each input place with every weight: counted on its output as a convolution is
        per_place = module.weight[0].numel() if not module.transposed else module.weight[:, 0].numel()
        return math.prod(shape) * per_place
    if isinstance(module, nn.Linear):
        return math.prod(shape) * module.in_features
    return 0


def network_text(rows: tuple[LayerRow, ...]) -> str:
    """Layer table -> aligned text, one line per layer: name, kind, output shape, parameters."""
    lines = [(r.name, r.kind, " x ".join(map(str, r.shape)), f"{r.parameters:,}" if r.parameters else "") for r in rows]
    lines.insert(0, ("layer", "kind", "output", "parameters"))
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return "\n".join(
        f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {shape:>{widths[2]}}  {parameters:>{widths[3]}}".rstrip()
        for name, kind, shape, parameters in lines
    )
