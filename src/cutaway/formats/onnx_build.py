"""Values and steps -> the fx graph: steps that nothing needs are dropped, the others named and given their weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn

from cutaway.formats.onnx_names import names_for
from cutaway.formats.onnx_values import Step, Value, mapped, values_in
from cutaway.graph.build import GraphBuilder


def needed(output: Value) -> list[Step]:
    """The steps that `output` is made by, the input's first, each after what it reads."""
    done: set[int] = set()
    order: list[Step] = []
    todo: list[tuple[Step, bool]] = [(output.step, False)] if output.step else []
    while todo:
        step, finished = todo.pop()
        if finished:
            order.append(step)
        elif id(step) not in done:
            done.add(id(step))
            todo.append((step, True))
            before = [v.step for v in values_in((step.args, dict(step.kwargs))) if v.step is not None]
            todo += [(s, False) for s in reversed(before)]
    return order


def build(output: Value) -> fx.GraphModule:
    """Output -> the network in eval mode, its input called "input"."""
    builder, weights = GraphBuilder(), _Weights()
    steps = [step for step in needed(output) if step.target != "input"]
    made: dict[int, fx.Node] = {}
    source = builder.input("input")

    def argument(value: Any, name: str) -> Any:
        if not isinstance(value, Value):
            return value
        if value.step is None:
            return builder.constant(f"{name}_numbers", weights.own(value.tensor))
        return source if value.step.target == "input" else made[id(value.step)]

    def placed(tree: Any, name: str) -> Any:
        return mapped(tree, lambda value: argument(value, name))

    for step, name in zip(steps, names_for(steps)):
        args = placed(step.args, name)
        if step.is_layer:
            made[id(step)] = builder.layer(name, weights.put(step), *args)
        else:
            kwargs = placed(dict(step.kwargs), name)
            made[id(step)] = builder.call(name, step.target, *args, **kwargs)
    assert output.step is not None
    return builder.finish(source if not steps else made[id(output.step)]).eval()


class _Weights:
    """Gives every layer arrays of its own: two layers that share one in the file can be changed apart."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def own(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach()
        tensor = (tensor.float() if tensor.is_floating_point() else tensor).contiguous()
        place = tensor.untyped_storage().data_ptr()
        if place in self._given or tensor.numel() * tensor.element_size() != tensor.untyped_storage().nbytes():
            tensor = tensor.clone()
            place = tensor.untyped_storage().data_ptr()
        self._given.add(place)
        return tensor

    def put(self, step: Step) -> nn.Module:
        module: Any = step.target
        buffers = dict(module.named_buffers(recurse=False))
        for name, value in step.weights.items():
            tensor = self.own(value.tensor.float())
            setattr(module, name, tensor if name in buffers else nn.Parameter(tensor))
        if "num_batches_tracked" in buffers:
            module.num_batches_tracked = torch.zeros((), dtype=torch.long)
        placed: nn.Module = module.eval()
        return placed
