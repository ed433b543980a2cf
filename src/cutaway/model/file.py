"""Model <-> one .safetensors file: weights as tensors, everything else as JSON in the header. Opening runs no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cutaway.errors import BadModel
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.image import InputContract
from cutaway.model.model import Model

FORMAT = "cutaway-model-1"


def save_model(model: Model, path: Path | str) -> Path:
    """Model, path -> the path, written at once or not at all; weights bit for bit as they are."""
    path = Path(path)
    tensors, shared = _unshared(tensors_of(model.graph))
    header = {
        "format": FORMAT,
        "graph": to_document(model.graph),
        "shared": shared,
        "contract": model.contract.to_dict(),
        "classes": list(model.classes),
        "probabilities": model.probabilities,
        "temperature": model.temperature,
        "card": model.card,
    }
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata={"cutaway": json.dumps(header)})
    partial.replace(path)
    return path


def is_ours(path: Path) -> bool:
    """Path -> whether it is a safetensors file that Cutaway wrote, judged by its header."""
    try:
        with safe_open(path, "pt") as file:
            return "cutaway" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def read_own(path: Path) -> Model:
    """Path of a file that save_model wrote -> the same Model, weights bit for bit.

    Raises BadModel where the file is damaged or is not a Cutaway model.
    """
    header, tensors = _read(path)
    if header.get("format") != FORMAT:
        raise BadModel(f"{path.name} is in the format {header.get('format')!r}; this Cutaway reads {FORMAT!r}.")
    try:
        tensors.update({name: tensors[kept] for name, kept in header["shared"].items()})
        return Model(
            from_document(header["graph"], tensors),
            InputContract.from_dict(header["contract"]),
            tuple(header["classes"]),
            bool(header["probabilities"]),
            dict(header["card"]),
            float(header["temperature"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadModel(f"{path.name} is damaged: its header lacks or garbles {error}.") from None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("cutaway")
            if text is None:
                raise BadModel(f"{path.name} holds weights but no network; it was not written by Cutaway.")
            header = json.loads(text)
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise BadModel(f"There is no model file {path}.") from None
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise BadModel(f"{path.name} is not a readable model file ({error}).") from None


def _unshared(tensors: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """safetensors refuses two names for one memory: keep the first, note the others."""
    kept: dict[int, str] = {}
    unique: dict[str, torch.Tensor] = {}
    shared: dict[str, str] = {}
    for name, tensor in tensors.items():
        first = kept.setdefault(tensor.data_ptr() if tensor.numel() else id(tensor), name)
        if first != name and unique[first].shape == tensor.shape:
            shared[name] = first
        else:
            unique[name] = tensor.contiguous()
    return unique, shared
