"""TensorFlow.js layers models (Teachable Machine's browser export) -> Parts: model.json and the weights it names.

model.json holds the network as Keras does (`modelTopology`) and a manifest of its weights, which lie in other files.
They are looked for beside model.json; where a folder is opened, also in that folder, since exports are often moved.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats.keras_calls import shown
from cutaway.formats.keras_parts import Labels, keras_parts
from cutaway.formats.keras_tree import Layer, model_json, parse_model, short_version
from cutaway.formats.keras_weights import LayerPath, Stored, Weights, deal
from cutaway.formats.labels import class_names
from cutaway.formats.parts import Parts
from cutaway.formats.tfjs_weights import read_weights

_MODEL = "model.json"
_LABELS = "metadata.json"
_MOST_TEXT = 100_000_000
_MOST_LABELS = 1_000_000
_TOPOLOGY = b'"modelTopology"'


def matches(head: bytes, path: Path) -> bool:
    """First bytes and path of a file -> whether it is the model.json of a layers model, or weights beside one."""
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return path.suffix == ".bin" and _names(path.with_name(_MODEL), path.name)
    if _TOPOLOGY not in head and b'"layers-model"' not in head and b'"weightsManifest"' not in head:
        return False
    return _is_layers_model(path)


def folder_model(folder: Path) -> Path | None:
    """Folder -> the model.json in it or in the one folder below it that has one; None where there is none."""
    found = [p for p in (folder / _MODEL, *sorted(folder.glob(f"*/{_MODEL}"))) if p.is_file() and _is_layers_model(p)]
    if not found or (len(found) > 1 and found[0].parent != folder):
        return None
    return found[0]


def read(path: Path) -> Parts:
    """Path of model.json, of its weights file or of a folder that holds both -> Parts.

    Raises BadModel: damaged, weights that are not where they should be, or a layer that is not on the list.
    """
    file = path
    folders = [path.parent]
    if path.is_dir():
        found = folder_model(path)
        if found is None:
            raise BadModel(f"The folder {path} holds no single TensorFlow.js {_MODEL}; name the file itself.")
        file, folders = found, [found.parent, path]
    elif path.suffix == ".bin" and path.with_name(_MODEL).is_file():
        file = path.with_name(_MODEL)
    if file.stat().st_size > _MOST_TEXT:
        raise BadModel(f"{file.name} has more than {_MOST_TEXT:,} bytes; nothing was read.")
    document = model_json(file.read_bytes(), file.name)
    topology = document.get("modelTopology") if isinstance(document, dict) else None
    if not isinstance(topology, dict):
        raise BadModel(f"{file.name} holds no network (no modelTopology).")
    model = parse_model(topology.get("model_config", topology))
    arrays = read_weights(document.get("weightsManifest"), file, folders)
    version = topology.get("keras_version")
    major = 3 if isinstance(version, str) and version.startswith("3") else 2
    about = _metadata(file.with_name(_LABELS))
    card = {"format": "TensorFlow.js layers model", "producer": _producer(document, about)}
    return keras_parts(model, _weights(model, arrays), file, card, major, _labels(file, about, model))


def _is_layers_model(path: Path) -> bool:
    """Graph models have a list of nodes in place of Keras' description."""
    try:
        if path.stat().st_size > _MOST_TEXT:
            return False
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True  # damaged: reading it says so
    topology = document.get("modelTopology") if isinstance(document, dict) else None
    return isinstance(topology, dict) and "node" not in topology and document.get("format") != "graph-model"


def _names(model: Path, weights: str) -> bool:
    try:
        return (
            model.is_file() and model.stat().st_size <= _MOST_TEXT and json.dumps(weights) in model.read_text("utf-8")
        )
    except (OSError, ValueError):
        return False


def _weights(model: Layer, arrays: dict[str, Stored]) -> Weights:
    """The manifest is one flat list for the whole network."""
    dealt = {path[1:]: names for path, names in deal(model, list(arrays)).items()}

    def of(path: LayerPath) -> list[Stored]:
        return [arrays[name] for name in dealt.get(path, ())]

    return of


def _producer(document: dict[str, Any], about: dict[str, Any]) -> str:
    by = document.get("generatedBy") or document.get("convertedBy")
    version = about.get("tfjsVersion")
    name = shown(by) if isinstance(by, str) and by else "TensorFlow.js"
    return f"{name} {short_version(version)}" if isinstance(version, str) and name == "TensorFlow.js" else name


def _metadata(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > _MOST_LABELS:
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _labels(file: Path, about: dict[str, Any], model: Layer) -> Labels:
    return functools.partial(_class_names, file, about, model)


def _class_names(file: Path, about: dict[str, Any], model: Layer, count: int) -> tuple[tuple[str, ...], list[str]]:
    """metadata.json's labels where they fit, else labels.txt."""
    labels, size, gray = (about.get(key) for key in ("labels", "imageSize", "grayscale"))
    notes = []
    stated = next((layer.settings.get("batch_input_shape") for layer in model.leaves()), None)
    if isinstance(stated, list) and len(stated) == 4:
        if size is not None and [size, size] != stated[1:3]:
            notes.append(f"metadata.json says pictures of {shown(str(size))} px; the network takes {stated[1]}.")
        if gray is True and stated[3] != 1:
            notes.append("metadata.json says gray pictures; the network takes colours.")
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        names, more = class_names(file, count)
        return names, [*notes, *more]
    if len(labels) != count:
        names, more = class_names(file, count)
        which = f"metadata.json names {len(labels)} classes; the network has {count}, so they were not used."
        return names, [*notes, which, *more]
    return tuple(labels), notes
