"""Keras whole-model .h5 files (Teachable Machine's first of all, Keras 3's too) -> Parts. No Keras, no TensorFlow.

Layout: attribute `model_config` holds the network as JSON; group `model_weights` has one group per top-level layer,
which lists its arrays in the attribute `weight_names`, a nested model's in one flat list.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats import hdf5
from cutaway.formats.keras_calls import shown
from cutaway.formats.keras_parts import keras_parts
from cutaway.formats.keras_tree import Layer, model_json, parse_model, short_version
from cutaway.formats.keras_view import weights_only
from cutaway.formats.keras_weights import LayerPath, Stored, deal
from cutaway.formats.parts import Parts


def matches(head: bytes, path: Path) -> bool:
    """First bytes of a file -> whether it is HDF5."""
    del path
    return head.startswith(hdf5.SIGNATURE)


def read(path: Path) -> Parts:
    """Path of an .h5 file -> its Parts. Raises BadModel: damaged, weights only, or a layer that is not on the list."""
    with hdf5.opened(path) as file:
        with hdf5.damage_named(path.name):
            config = hdf5.text_attribute(file, "model_config")
            if config is None:
                raise _no_network(file, path)
            version = hdf5.text_attribute(file, "keras_version") or "2"
            backend = hdf5.text_attribute(file, "backend")
            group = hdf5.inside(file, "model_weights")
        if group is None:
            raise BadModel(
                f"{path.name} holds a network but no weights (no group model_weights); save the model again."
            )
        model = parse_model(model_json(config, path.name))
        major = 3 if version.startswith("3") else 2
        made_by = f"Keras {short_version(version)}" + (f" on {shown(backend)}" if backend else "")
        card = {"format": f"Keras {major} h5", "producer": made_by}
        return keras_parts(model, _Weights(group, model, path), path, card, major)


def _no_network(file: Any, path: Path) -> BadModel:
    if "layer_names" in file.attrs or "layer_names0" in file.attrs or {"layers", "model_weights"} & set(file):
        why = (
            f"{path.name} holds weights only, no network: it was written by save_weights. Save the whole model instead "
            "(model.save('model.h5')) and open that."
        )
        return weights_only(hdf5.arrays(file), "Keras weights h5", why)
    held = ", ".join(sorted(file)[:5]) or "nothing"
    return BadModel(f"{path.name} is an HDF5 file but no Keras model: it has no model_config. It holds {shown(held)}.")


class _Weights:
    """Layer path -> arrays, dealt out per top-level layer when its first array is asked for."""

    def __init__(self, group: Any, model: Layer, file: Path) -> None:
        self._group = group
        self._top = {layer.name: layer for layer in model.layers}
        self._file = file
        self._bytes = file.stat().st_size
        self._budget = hdf5.Budget(file.name, self._bytes)
        self._dealt: dict[str, dict[LayerPath, list[str]]] = {}

    def __call__(self, path: LayerPath) -> Sequence[Stored]:
        with hdf5.damage_named(self._file.name):
            group = hdf5.inside(self._group, path[0])
            if group is None:
                return ()
            if path[0] not in self._dealt:
                names = hdf5.names_attribute(group, "weight_names")
                self._dealt[path[0]] = deal(self._top[path[0]], names)
            names = self._dealt[path[0]].get(path, [])
            items = hdf5.each_inside(group, names)
            found = [hdf5.stored(item, name[:100], self._bytes) for name, item in zip(names, items, strict=True)]
        return [self._budget.bounded(array) for array in found]
