"""Graph and pictures -> Trace: the value of every step that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from cutaway.engine.run import input_of, run
from cutaway.errors import BadModel
from cutaway.graph.names import names_of, step_named


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Step name -> its value for the N pictures, (N, C, H, W), (N, L, C) or (N, F), in running order.

    `output`: what the graph gave. `non_finite`: the first step whose value holds NaN or infinity, "" where none does;
    of steps that were not kept only `broken` knows, which `trace_steps(watch=True)` fills in.
    """

    values: Mapping[str, torch.Tensor]
    output: torch.Tensor
    broken: str = ""

    def __getitem__(self, name: str) -> torch.Tensor:
        if name in self.values:
            return self.values[name]
        raise BadModel(f"The trace holds no layer {name!r}; ask for it when tracing. It holds {_some(self.values)}.")

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def non_finite(self) -> str:
        return self.broken or next((n for n, v in self.values.items() if not is_finite(v)), "")


def trace_steps(
    graph: fx.GraphModule, x: torch.Tensor, layers: Collection[str] | None = None, *, watch: bool = False
) -> Trace:
    """Graph, prepared input (N, C, H, W), names as in graph.names (None: every step, the input included) -> Trace.

    Runs in inference mode and leaves the graph as it was. `watch` looks at every step for NaN and infinity, kept or
    not. Raises BadInput for a name that is not there, BadModel naming the layer that cannot work on what it gets.
    """
    names = {node: name for name, node in names_of(graph).items()}
    keep = None if layers is None else {step_named(graph, name) for name in layers}
    guard = _Guard(names)
    values, output = run(graph, {input_of(graph): x}, keep, guard if watch else None)
    return Trace(tensors_by_name(names, values), output, guard.first)


def tensors_by_name(names: Mapping[fx.Node, str], values: Mapping[fx.Node, Any]) -> dict[str, torch.Tensor]:
    """Names in running order, values of a run -> the tensors among them under their names, in running order."""
    tensor = torch.Tensor
    return {
        name: value
        for node, name in names.items()
        if type(value := values.get(node)) is tensor or isinstance(value, tensor)
    }


def first_non_finite(graph: fx.GraphModule, x: torch.Tensor) -> str:
    """Graph, prepared input (N, C, H, W) -> the name of the first step that gives NaN or infinity, "" for none.

    Every step is looked at, none is kept. Raises BadModel naming a layer that cannot work on what it gets.
    """
    return trace_steps(graph, x, (), watch=True).broken


def is_finite(value: torch.Tensor) -> bool:
    """Tensor -> whether it holds neither NaN nor infinity.

    A sum that is finite proves it in one pass at the speed of memory, ten times faster than looking at each number;
    only where the sum is not (it may overflow) each number is looked at.
    """
    if not value.is_floating_point():
        return True
    return bool(value.sum().isfinite()) or bool(value.isfinite().all())


class _Guard:
    """Looks at values as they are computed and remembers the first step with a number that is none."""

    def __init__(self, names: Mapping[fx.Node, str]) -> None:
        self.first = ""
        self._names = names

    def __call__(self, node: fx.Node, value: Any) -> None:
        if not self.first and isinstance(value, torch.Tensor) and not is_finite(value):
            self.first = self._names[node]


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
