"""Graph and input size -> the shape of every value, and the table of layers with parameters and multiply-adds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadModel


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One step of the network: output shape without the batch axis; multiply-adds for one picture."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


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
    except (RuntimeError, ValueError, TypeError) as error:
        size = " x ".join(map(str, input_shape[1:]))
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise BadModel(f"At {size} px the layer {recorder._node} cannot work: {reason}.") from None
    finally:
        graph.train(training)
    return recorder.shapes


def layer_table(graph: fx.GraphModule, input_shape: tuple[int, int, int]) -> tuple[LayerRow, ...]:
    """Graph, (C, H, W) -> one row per node in running order, functions included (they hold no parameters)."""
    shapes = shapes_of(graph, input_shape)
    rows: list[LayerRow] = []
    counted: set[str] = set()
    for node in graph.graph.nodes:
        if node.op not in ("call_module", "call_function", "call_method") or node.name not in shapes:
            continue
        shape = shapes[node.name][1:]
        if node.op != "call_module":
            rows.append(LayerRow(node.name, getattr(node.target, "__name__", str(node.target)), shape, 0, 0))
            continue
        module = graph.get_submodule(node.target)
        parameters = 0 if node.target in counted else sum(p.numel() for p in module.parameters())
        counted.add(node.target)
        rows.append(LayerRow(node.target, type(module).__name__, shape, parameters, _multiply_adds(module, shape)))
    return tuple(rows)


def _multiply_adds(module: nn.Module, shape: tuple[int, ...]) -> int:
    """One multiplication and one addition per weight and output place (transposed convolutions counted alike)."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d):
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
