"""Graph and pictures -> Trace: the value of every step that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from cutaway.errors import BadModel
from cutaway.graph.names import names_of, step_named


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Step name -> its value for the N pictures, (N, C, H, W), (N, L, C) or (N, F), in running order.

    `output`: what the graph gave. `non_finite`: the first step whose value holds NaN or infinity, "" where none does;
    only steps that were kept are looked at.
    """

    values: Mapping[str, torch.Tensor]
    output: torch.Tensor

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
        return next((n for n, v in self.values.items() if v.is_floating_point() and not bool(v.isfinite().all())), "")


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


class _Keeper(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule, keep: dict[fx.Node, str]) -> None:
        super().__init__(graph)
        self.kept: dict[str, torch.Tensor] = {}
        self.at = ""
        self._keep = keep

    def run_node(self, n: fx.Node) -> Any:
        self.at = str(n.target) if n.op == "call_module" else n.name
        value = super().run_node(n)
        if n in self._keep and isinstance(value, torch.Tensor):
            self.kept[self._keep[n]] = value
        return value


def trace_steps(graph: fx.GraphModule, x: torch.Tensor, layers: Collection[str] | None = None) -> Trace:
    """Graph, prepared input (N, C, H, W), names as in graph.names (None: every step, the input included) -> Trace.

    Runs in inference mode and leaves the graph as it was. Raises BadInput for a name that is not there, BadModel
    naming the layer that cannot work on what it gets.
    """
    named = names_of(graph) if layers is None else {name: step_named(graph, name) for name in layers}
    keeper = _Keeper(graph, {node: name for name, node in named.items()})
    try:
        with torch.inference_mode():
            output = keeper.run(x)
    except (RuntimeError, ValueError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        shape = " x ".join(map(str, x.shape))
        raise BadModel(f"The layer {keeper.at} cannot work on this input of shape {shape}: {reason}.") from None
    return Trace(keeper.kept, output)
