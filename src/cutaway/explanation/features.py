"""Layers of a network on many pictures -> one vector per picture and layer, written to files while they are made.

A map (C, H, W) becomes the mean of each channel over its places; a row of numbers stays as it is. So every layer of
every network can be compared, and memory holds one batch and, later, the vectors of one layer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from cutaway.engine.silent import channels_last
from cutaway.errors import BadInput, BadModel
from cutaway.graph.functions import name_of
from cutaway.graph.names import names_of, step_named

Vectors = NDArray[np.float32]
_PASSES_ON = (nn.Dropout, nn.Dropout2d, nn.Identity)


class VectorFiles:
    """What `engine.stream` hands over, pooled and appended to a file per layer in `folder`; `vectors` reads one back.

    A context manager: leaving it closes the files; the folder is the caller's to remove.
    """

    def __init__(self, graph: fx.GraphModule, layers: Collection[str], folder: Path) -> None:
        """Raises BadInput for a layer that is not there."""
        self.last = {name: channels_last(graph, step_named(graph, name)) for name in layers}
        self.widths: dict[str, int] = {}
        self._paths = {name: folder / f"{number}.float32" for number, name in enumerate(layers)}
        self._files = {name: path.open("wb") for name, path in self._paths.items()}

    def __enter__(self) -> VectorFiles:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()

    def __call__(self, values: Mapping[str, torch.Tensor]) -> None:
        for name, value in values.items():
            rows = pooled(value, last=self.last[name]).float().cpu().contiguous().numpy()
            self.widths[name] = rows.shape[1]
            self._files[name].write(rows.tobytes())

    def vectors(self, name: str) -> Vectors:
        """Name of a layer -> float32 (N, C). Raises BadModel where numbers in it are not finite."""
        self._files[name].flush()
        rows: Vectors = np.fromfile(self._paths[name], np.float32).reshape(-1, self.widths[name])
        if not np.isfinite(rows).all():
            at = int((~np.isfinite(rows).all(1)).sum())
            raise BadModel(
                f"The layer {name} gives values that are not finite on {at:,} of {len(rows):,} pictures; "
                "`cutaway silent` names the first layer that does, choose one before it."
            )
        return rows


def pooled(value: torch.Tensor, *, last: bool = False) -> torch.Tensor:
    """(N, C) as it is; (N, C, H, W) or, with `last`, (N, H, W, C) and (N, T, C) -> (N, C), the mean over places."""
    if value.ndim <= 2:
        return value.reshape(len(value), -1)
    return value.mean(tuple(range(1, value.ndim - 1)) if last else tuple(range(2, value.ndim)))


def answer_of(graph: fx.GraphModule) -> str:
    """Graph -> the name of the step whose value it returns. Raises BadModel where that is not one value."""
    (node,) = (n.args[0] for n in graph.graph.nodes if n.op == "output")
    if not isinstance(node, fx.Node):
        raise BadModel("The network returns several values; a classifier returns one, its answer.")
    return _name(graph, node)


def last_hidden(graph: fx.GraphModule) -> str:
    """Graph -> the name of the step that the last layer with weights reads: what the answer is made of.

    Dropout, which does nothing outside training, is passed over. Raises BadInput where nothing lies before that layer.
    """
    node = step_named(graph, answer_of(graph))
    while not _weighs(graph, node):
        node = _before(node)
    node = _before(node)
    while node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), _PASSES_ON):
        node = _before(node)
    if node.op == "placeholder":
        raise BadInput("The network has no layer before its answer, so there is no vector to map; name a --layer.")
    return _name(graph, node)


def _weighs(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), nn.Linear | nn.Conv2d)
    return callable(node.target) and name_of(node.target) in {"linear", "conv2d", "matmul"}


def _before(node: fx.Node) -> fx.Node:
    values = [n for n in node.all_input_nodes if n.op != "get_attr"]
    if not values:
        raise BadInput("The network has no dense layer or convolution before its answer; name a --layer.")
    return values[0]


def _name(graph: fx.GraphModule, node: Any) -> str:
    return next(name for name, other in names_of(graph).items() if other is node)
