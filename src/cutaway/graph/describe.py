"""One layer in full: settings, shapes, what feeds it and what it feeds, and the statistics of its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from cutaway.graph.kinds import kind_of, settings_of
from cutaway.graph.names import names_of, step_named
from cutaway.graph.shapes import LayerRow

BINS = 24


@dataclass(frozen=True, slots=True)
class WeightStats:
    """One array of weights: `counts[i]` numbers lie from edges[i] to edges[i + 1], the last one's end included.

    All figures are of the finite numbers; `non_finite` says how many are not. `zeros` is the share that is exactly 0.
    `std` divides by the count, not by one less. An array without finite numbers has no figures (NaN) and no counts.
    """

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    mean: float
    std: float
    zeros: float
    non_finite: int
    counts: tuple[int, ...]
    edges: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "shape": list(self.shape),
            "min": _finite(self.low),
            "max": _finite(self.high),
            "mean": _finite(self.mean),
            "std": _finite(self.std),
            "zeros": _finite(self.zeros),
            "non_finite": self.non_finite,
            "counts": list(self.counts),
            "edges": list(self.edges),
        }


@dataclass(frozen=True, slots=True)
class LayerDetails:
    """One layer: its row of the table, hyper-parameters as its constructor takes them, neighbours, weights.

    `fed_by` and `feeds` name steps; "output" is the network's end.
    """

    row: LayerRow
    settings: dict[str, Any]
    fed_by: tuple[str, ...]
    feeds: tuple[str, ...]
    weights: tuple[WeightStats, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.row.to_dict(),
            "settings": {name: _plain(value) for name, value in self.settings.items()},
            "fed_by": list(self.fed_by),
            "feeds": list(self.feeds),
            "weights": [stats.to_dict() for stats in self.weights],
        }


def layer_details(graph: fx.GraphModule, rows: Sequence[LayerRow], name: str) -> LayerDetails | None:
    """Graph, its layer table, a step's name -> the details; None for a step that has no row (the input, a size).

    Raises BadInput with the nearest names where there is no such step.
    """
    node = step_named(graph, name)
    names = {n: shown for shown, n in names_of(graph).items()}
    row = next((row for row in rows if row.name == names[node]), None)
    if row is None:
        return None
    settings: dict[str, Any] = {}
    weights: tuple[WeightStats, ...] = ()
    if node.op == "call_module":
        module = graph.get_submodule(str(node.target))
        settings = settings_of(module) if kind_of(module) else {}
        weights = weight_stats(module)
    else:
        stored = [str(n.target) for n in node.all_input_nodes if n.op == "get_attr"]
        weights = tuple(_stats(path, _tensor(graph, path), BINS) for path in stored)
        given = [a for a in node.args if not _holds_node(a)]
        settings = {f"argument {i}": value for i, value in enumerate(given, 1)}
        settings.update({k: v for k, v in node.kwargs.items() if not _holds_node(v)})
    fed_by = tuple(names[n] for n in node.all_input_nodes if n.op != "get_attr")
    feeds = tuple(names.get(user, "output") for user in node.users)
    return LayerDetails(row, settings, fed_by, feeds, weights)


def weight_stats(module: nn.Module, bins: int = BINS) -> tuple[WeightStats, ...]:
    """Layer -> statistics and histogram of each of its arrays, parameters first, then running statistics.

    Arrays of one whole number (how many batches a norm has seen) are left out.
    """
    arrays = [*module.named_parameters(), *module.named_buffers()]
    return tuple(_stats(name, array.detach(), bins) for name, array in arrays if array.is_floating_point())


def _tensor(graph: nn.Module, path: str) -> torch.Tensor:
    value: Any = graph
    for part in path.split("."):
        value = getattr(value, part)
    assert isinstance(value, torch.Tensor)
    return value.detach()


def _stats(name: str, array: torch.Tensor, bins: int) -> WeightStats:
    numbers = array.double().flatten()
    finite = numbers[numbers.isfinite()]
    lost = numbers.numel() - finite.numel()
    if not finite.numel():
        nothing = math.nan
        return WeightStats(name, tuple(array.shape), nothing, nothing, nothing, nothing, nothing, lost, (), ())
    low, high = float(finite.min()), float(finite.max())
    ends = (low, high) if high > low else (low - 0.5, high + 0.5)
    step = (ends[1] - ends[0]) / bins
    edges = (*(ends[0] + i * step for i in range(bins)), ends[1])
    place = ((finite - ends[0]) / (ends[1] - ends[0]) * bins).long().clamp_(0, bins - 1)
    counts = torch.bincount(place, minlength=bins).tolist()
    mean, std = float(finite.mean()), float(finite.std(correction=0))
    zeros = float((finite == 0).sum()) / finite.numel()
    return WeightStats(name, tuple(array.shape), low, high, mean, std, zeros, lost, tuple(counts), edges)


def _holds_node(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_holds_node, value))
    if isinstance(value, slice):
        return any(map(_holds_node, (value.start, value.stop, value.step)))
    return isinstance(value, fx.Node)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
