"""Keras whole-model .h5 files (Teachable Machine's first of all, Keras 3's too) -> Parts. No Keras, no TensorFlow.

Layout: attribute `model_config` holds the network as JSON; group `model_weights` has one group per top-level layer,
which lists its arrays in the attribute `weight_names`, a nested model's in one flat list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cutaway.errors import BadModel
from cutaway.formats import hdf5
from cutaway.formats.keras_parts import keras_parts
from cutaway.formats.keras_tree import Layer, parse_model, shown
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
        model = parse_model(_json(config, path))
        major = 3 if version.startswith("3") else 2
        made_by = f"Keras {_short_version(version)}" + (f" on {shown(backend)}" if backend else "")
        card = {"format": f"Keras {major} h5", "producer": made_by}
        return keras_parts(model, _Weights(group, model, path), path, card, major)


def _json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadModel(
            f"{path.name}: the description of the network is no readable JSON ({str(error)[:100]})."
        ) from None


def _short_version(text: str) -> str:
    found = re.match(r"[\w.+-]{1,20}", text)
    return found[0] if found else "of an unknown version"


def _no_network(file: Any, path: Path) -> BadModel:
    if "layer_names" in file.attrs or "layer_names0" in file.attrs or {"layers", "model_weights"} & set(file):
        return BadModel(
            f"{path.name} holds weights only, no network: it was written by save_weights. Save the whole model instead "
            "(model.save('model.h5')) and open that."
        )
    held = ", ".join(sorted(file)[:5]) or "nothing"
    return BadModel(f"{path.name} is an HDF5 file but no Keras model: it has no model_config. It holds {shown(held)}.")


class _Weights:
    """Layer path -> arrays, dealt out per top-level layer when its first array is asked for."""

    def __init__(self, group: Any, model: Layer, file: Path) -> None:
        self._group = group
        self._top = {layer.name: layer for layer in model.layers}
        self._file = file
        self._bytes = file.stat().st_size
        self._read = 0
        self._dealt: dict[str, dict[LayerPath, list[str]]] = {}

    def __call__(self, path: LayerPath) -> Sequence[Stored]:
        with hdf5.damage_named(self._file.name):
            group = hdf5.inside(self._group, path[0])
            if group is None:
                return ()
            if path[0] not in self._dealt:
                names = hdf5.names_attribute(group, "weight_names")
                self._dealt[path[0]] = deal(self._top[path[0]], names)
            return [self._array(group, name) for name in self._dealt[path[0]].get(path, ())]

    def _array(self, group: Any, name: str) -> Stored:
        found = hdf5.stored(hdf5.inside(group, name), name[:100], self._bytes)

        def read() -> NDArray[Any]:
            with hdf5.damage_named(self._file.name):
                array = found.read()
            self._read += array.nbytes
            if self._read > self._bytes * hdf5.MOST_STRETCH:  # one array linked under many names
                raise BadModel(
                    f"{self._file.name} unpacks to more than {hdf5.MOST_STRETCH} times its size; nothing more was read."
                )
            return array

        return Stored(found.shape, read)
