"""Writes small Keras .h5 files with h5py and JSON alone, opens them and runs what comes out in Keras' axis order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from cutaway.formats import Parts, read_model_file
from cutaway.graph.document import from_document, tensors_of, to_document

Arrays = Mapping[str, Sequence[tuple[str, np.ndarray]]]


def layer(kind: str, name: str, inbound: Any = None, **config: Any) -> dict[str, Any]:
    """One layer's entry; `inbound` as in a functional model."""
    entry: dict[str, Any] = {"class_name": kind, "config": {"name": name, **config}}
    return entry if inbound is None else {**entry, "name": name, "inbound_nodes": inbound}


def sequential(
    layers: Sequence[dict[str, Any]], shape: Sequence[int | None] | None, name: str = "net"
) -> dict[str, Any]:
    first = [] if shape is None else [layer("InputLayer", f"{name}_input", batch_input_shape=[None, *shape])]
    return {"class_name": "Sequential", "config": {"name": name, "layers": [*first, *layers]}}


def functional(
    layers: Sequence[dict[str, Any]], shape: Sequence[int | None], out: str, name: str = "net"
) -> dict[str, Any]:
    """Layers of a functional model whose input is called "in"."""
    first = layer("InputLayer", "in", [], batch_input_shape=[None, *shape])
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [[out, 0, 0]]}
    return {"class_name": "Functional", "config": {"name": name, "layers": [first, *layers], **ends}, "name": name}


def on(*names: str) -> Any:
    return [[[name, 0, 0, {}] for name in names]]


@dataclass(frozen=True)
class Kit:
    folder: Path

    def write(self, model: Any, arrays: Arrays | None = None, version: str = "2.4.0", name: str = "m.h5") -> Path:
        path = self.folder / name
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = model if isinstance(model, str) else json.dumps(model)
            file.attrs["keras_version"] = version
            file.attrs["backend"] = "tensorflow"
            weights = file.create_group("model_weights")
            weights.attrs["layer_names"] = [n.encode() for n in arrays or {}]
            for top, rows in (arrays or {}).items():
                group = weights.create_group(top)
                group.attrs["weight_names"] = [n.encode() for n, _ in rows]
                for n, array in rows:
                    group.create_dataset(n, data=array)
        return path

    def open(self, model: Any, arrays: Arrays | None = None, version: str = "2.4.0") -> Parts:
        return read_model_file(self.write(model, arrays, version))

    def one(self, entry: dict[str, Any], shape: Sequence[int], *arrays: np.ndarray, version: str = "2.4.0") -> Parts:
        """A network of one layer."""
        name = entry["config"]["name"]
        rows = [(f"{name}/w{n}:0", array) for n, array in enumerate(arrays)]
        return self.open(sequential([entry], shape), {name: rows} if rows else {}, version)

    @staticmethod
    def run(parts: Parts, x: np.ndarray) -> np.ndarray:
        """float32 (N, H, W, C) -> the output, channels last; the saved and reopened graph must agree bit for bit."""
        given = torch.from_numpy(np.asarray(x, np.float32)).movedim(-1, 1)
        with torch.inference_mode():
            out = parts.graph(given)
            document = json.loads(json.dumps(to_document(parts.graph)))
            assert torch.equal(from_document(document, tensors_of(parts.graph))(given), out)
        return out.movedim(1, -1).numpy()


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


@pytest.fixture(scope="session")
def spell() -> Any:
    """The helpers that spell a model's JSON, as attributes (test modules cannot import each other)."""

    class Spell:
        pass

    for helper in (layer, sequential, functional, on):
        setattr(Spell, helper.__name__, staticmethod(helper))
    return Spell
