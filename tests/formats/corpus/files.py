"""What the corpus is made of: a few named bytes that lie in one folder, and how they are packed into containers."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CANARY = "canary"
"""File that code in a hostile file would make in the current folder. It must never be there."""
R = np.random.default_rng(5)


@dataclass(frozen=True)
class Files:
    """One model: `held` are its files by name (folders with /), `main` the one that is opened, "" the folder.

    `links`: name -> where it leads, "" for a pipe that nobody writes to.
    """

    main: str
    held: Mapping[str, bytes]
    links: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        for name, data in self.held.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name, target in self.links.items():
            (folder / name).symlink_to(target) if target else os.mkfifo(folder / name)
        return folder / self.main


@dataclass(frozen=True)
class Case:
    """A hostile file. `says`: a pattern that its sentence must hold; "" where it has to open.

    `heavy`: it takes a second to make or to open.
    """

    name: str
    files: Files | Callable[[], Files]
    says: str
    heavy: bool = False

    def made(self) -> Files:
        return self.files() if callable(self.files) else self.files


def one(main: str, data: bytes) -> Files:
    return Files(main, {main: data})


def numbers(*shape: int) -> np.ndarray[Any, Any]:
    return R.normal(0, 0.3, shape).astype(np.float32)


def zipped(members: Sequence[tuple[str, bytes]], packed: bool = False) -> bytes:
    """(name, bytes) in order, names may come twice -> a zip archive with true checksums."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = archive.compression
            archive._didModify = True  # type: ignore[attr-defined]
            archive.NameToInfo.pop(name, None)  # or it would warn of a name that comes twice
            archive.writestr(info, data)
    return whole.getvalue()


def members(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def h5(attributes: Mapping[str, Any], arrays: Mapping[str, Any], groups: Mapping[str, Any] | None = None) -> bytes:
    """Attributes of the root, arrays by path, attributes of groups by path -> an HDF5 file."""
    whole = io.BytesIO()
    with h5py.File(whole, "w", libver="earliest") as file:
        for name, value in attributes.items():
            file.attrs[name] = value
        for path, array in arrays.items():
            file.create_dataset(path, data=array)
        for path, held in (groups or {}).items():
            group = file.require_group(path)
            for name, value in held.items():
                group.attrs[name] = value
    return whole.getvalue()


def keras_h5(model: Any, arrays: Mapping[str, Mapping[str, Any]], version: str = "2.4.0") -> bytes:
    """JSON data (or text), {top layer: {array name: numbers}} -> a whole-model .h5 file."""
    text = model if isinstance(model, str) else json.dumps(model)
    said = {"model_config": text, "keras_version": version, "backend": "tensorflow"}
    flat = {f"model_weights/{top}/{name}": a for top, rows in arrays.items() for name, a in rows.items()}
    names = {f"model_weights/{top}": {"weight_names": [n.encode() for n in rows]} for top, rows in arrays.items()}
    return h5(said, flat, {**names, "model_weights": {"layer_names": [n.encode() for n in arrays]}})


def keras_zip(model: Any, arrays: Mapping[str, Any], **more: bytes) -> bytes:
    """JSON data (or text), {path in the weights: numbers} -> a .keras archive."""
    text = model if isinstance(model, str) else json.dumps(model)
    rows = [("metadata.json", b'{"keras_version": "3.15.1"}'), ("config.json", text.encode())]
    return zipped([*rows, ("model.weights.h5", h5({}, arrays)), *more.items()])


def layer(kind: str, name: str, *reads: str, **config: Any) -> dict[str, Any]:
    """One layer's entry; `reads` as in a functional model."""
    entry: dict[str, Any] = {"class_name": kind, "config": {"name": name, **config}}
    return {**entry, "name": name, "inbound_nodes": [[[r, 0, 0, {}] for r in reads]]} if reads else entry


def sequential(layers: Sequence[Any], shape: Sequence[Any] = (8, 8, 3), name: str = "net") -> dict[str, Any]:
    first = layer("InputLayer", "in", batch_input_shape=[None, *shape])
    return {"class_name": "Sequential", "config": {"name": name, "layers": [first, *layers]}}


def functional(layers: Sequence[Any], out: str, shape: Sequence[Any] = (8, 8, 3)) -> dict[str, Any]:
    """Layers of a functional model whose input is called "in"."""
    first = {**layer("InputLayer", "in", batch_input_shape=[None, *shape]), "name": "in", "inbound_nodes": []}
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [[out, 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "core", "layers": [first, *layers], **ends}, "name": "core"}


def safetensors(header: Any, body: bytes = b"") -> bytes:
    """Header (data or text), numbers -> a .safetensors file as it lies on the disk."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body
