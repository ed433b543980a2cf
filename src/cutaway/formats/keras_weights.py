"""Which weights each Keras layer has, in Keras' order, and how a flat list of arrays is dealt out to layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cutaway.formats.keras_tree import Layer

LayerPath = tuple[str, ...]
"""Names from the outermost container's child down to the layer: ("sequential_1", "model1", "Conv1")."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An array in a file: its shape is known, its numbers are read when `read` is called."""

    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Stored:
        return cls(array.shape, lambda: array)


Weights = Callable[[LayerPath], Sequence[Stored]]
"""Where a network's weights come from: a layer's path -> its arrays in Keras' order (see `roles`)."""

_BIASED = {
    "Conv1D": ("kernel",),
    "Conv2D": ("kernel",),
    "Conv2DTranspose": ("kernel",),
    "DepthwiseConv2D": ("depthwise_kernel",),
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel"),
    "Dense": ("kernel",),
}
_NOT_TRAINED = {"moving_mean", "moving_variance", "mean", "variance"}


def roles(kind: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Keras class and its settings -> names of its weights in Keras' order, trained ones first; () for none."""
    if kind in _BIASED:
        return (*_BIASED[kind], "bias") if settings.get("use_bias", True) else _BIASED[kind]
    if kind in ("BatchNormalization", "LayerNormalization"):
        moving = ("moving_mean", "moving_variance") if kind == "BatchNormalization" else ()
        scale, center = settings.get("scale", True), settings.get("center", True)
        return (*(("gamma",) if scale else ()), *(("beta",) if center else ()), *moving)
    if kind == "LayerScale":
        return ("gamma",)
    if kind == "PReLU":
        return ("alpha",)
    if kind == "Normalization" and settings.get("mean") is None:
        return ("mean", "variance")
    return ()


def deal(layer: Layer, names: Sequence[str]) -> dict[LayerPath, list[str]]:
    """Top-level layer and the names of all arrays kept under it -> each leaf's own, in Keras' order.

    A nested model keeps its arrays in one flat list, trained ones first, so a layer's arrays are apart. Names decide
    ("block_1/conv/kernel:0" ends in the layer's name); where they do not tell layers apart, Keras' own order does.
    """
    if not layer.is_container:
        return {(layer.name,): list(names)}
    leaves = list(_paths(layer, (layer.name,)))
    by_name = _by_name(leaves, names)
    if all(len(by_name[path]) == len(roles(leaf.kind, leaf.settings)) for path, leaf in leaves if _counted(leaf)):
        return by_name
    in_order = [*_trained(layer, (layer.name,)), *_untrained(layer, (layer.name,))]
    if len(in_order) != len(names):
        return by_name
    dealt: dict[LayerPath, list[str]] = {path: [] for path, _ in leaves}
    for path, name in zip(in_order, names, strict=True):
        dealt[path].append(name)
    return dealt


def _counted(leaf: Layer) -> bool:
    return leaf.kind != "Normalization"  # Keras 2 keeps a count beside mean and variance, Keras 3 does not


def _paths(layer: Layer, path: LayerPath) -> list[tuple[LayerPath, Layer]]:
    if not layer.is_container:
        return [(path, layer)]
    return [found for child in layer.layers for found in _paths(child, (*path, child.name))]


def _by_name(leaves: Sequence[tuple[LayerPath, Layer]], names: Sequence[str]) -> dict[LayerPath, list[str]]:
    folders: dict[str, list[str]] = {}
    for name in names:
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    ending: dict[str, list[str]] = {}  # every tail of every folder ("a/b/c": "a/b/c", "b/c", "c")
    for folder in folders:
        parts = folder.split("/")
        for start in range(max(0, len(parts) - 8), len(parts)):
            ending.setdefault("/".join(parts[start:]), []).append(folder)
    dealt: dict[LayerPath, list[str]] = {}
    for path, leaf in leaves:
        by_tail = ending.get("/".join(path[-2:])) or ending.get(leaf.name) or []
        found = [leaf.name] if leaf.name in folders else by_tail
        dealt[path] = list(folders[found[0]]) if len(found) == 1 else []
    return dealt


def _trained(layer: Layer, path: LayerPath) -> list[LayerPath]:
    if layer.settings.get("trainable", True) is False:
        return []
    if not layer.is_container:
        return [path for role in roles(layer.kind, layer.settings) if role not in _NOT_TRAINED]
    return [found for child in layer.layers for found in _trained(child, (*path, child.name))]


def _untrained(layer: Layer, path: LayerPath) -> list[LayerPath]:
    frozen = layer.settings.get("trainable", True) is False
    if not layer.is_container:
        return [path for role in roles(layer.kind, layer.settings) if frozen or role in _NOT_TRAINED]
    found: list[LayerPath] = []
    for child in layer.layers:
        below = (*path, child.name)
        found += [*(_trained(child, below) if frozen else ()), *_untrained(child, below)]
    return found
