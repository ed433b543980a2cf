"""A Keras file that cannot be run -> the list of what it holds, with the layer that stops it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from cutaway.errors import BadModel
from cutaway.formats.keras_calls import shown
from cutaway.formats.keras_config import Progress
from cutaway.formats.keras_tree import Layer
from cutaway.formats.keras_weights import LayerPath, Weights
from cutaway.formats.parts import FileView, OnlyView, ViewRow

_MOST_ROWS = 20_000


def view_only(model: Layer, weights: Weights, kind: str, reason: str, progress: Progress) -> OnlyView:
    """Tree, weights, the file's format, why it cannot be built and how far it came -> the error that lists its layers.

    Output shapes are known up to the layer that stopped it; they are channels last, as Keras gives them.
    """
    rows = tuple(_row(path, leaf, weights, progress) for path, leaf in _leaves(model, ()))
    return OnlyView(FileView("view-only", kind, reason, rows))


def weights_only(arrays: Iterable[tuple[str, tuple[int, ...], str]], kind: str, reason: str) -> OnlyView:
    """(name, shape, number type) of arrays without a network -> the error that lists them."""
    rows = tuple(
        ViewRow(name, number_type, shape, math.prod(shape))
        for (name, shape, number_type), _ in zip(arrays, range(_MOST_ROWS))
    )
    return OnlyView(FileView("weights", kind, reason, rows))


def _leaves(layer: Layer, path: LayerPath) -> Iterator[tuple[LayerPath, Layer]]:
    for child in layer.layers:
        below = (*path, child.name)
        if child.layers:
            yield from _leaves(child, below)
        else:
            yield below, child


def _row(path: LayerPath, leaf: Layer, weights: Weights, progress: Progress) -> ViewRow:
    try:
        parameters = sum(math.prod(array.shape) for array in weights(path))
    except BadModel:
        parameters = 0
    note = "the network cannot be built past here" if path == progress.at else ""
    name = "/".join(shown(part) for part in path)
    return ViewRow(name, shown(leaf.kind), progress.shapes.get(path), parameters, note)
