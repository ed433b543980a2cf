"""Model <-> one .safetensors file: weights as tensors, everything else as JSON in the header. Opening runs no code."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cutaway.errors import BadInput, BadModel
from cutaway.formats.about import contract_of, finite, must_be_text, positive
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.dry_run import must_run
from cutaway.model.golden import must_answer_as
from cutaway.model.model import Model

FORMAT = "cutaway-model-1"
_MOST_HEADER = 20_000_000


def save_model(model: Model, path: Path | str, golden: Sequence[float] = ()) -> Path:
    """Model, path -> the path, written at once or not at all; weights bit for bit as they are.

    `golden`: the model's answers to the known picture (golden.py), asked again when the file is opened.

    Raises BadInput where the disk is full or closed; an older file stays as it was.
    """
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
        **({"golden": list(golden)} if golden else {}),
    }
    partial = path.with_name(path.name + ".partial")
    try:
        save_file(tensors, partial, metadata={"cutaway": json.dumps(header)})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = "no space left" if "No space" in str(error) else str(error)
        raise BadInput(f"{path} could not be written ({reason}); free some space, or choose another folder.") from None
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
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else type(header).__name__
        raise BadModel(f"{path.name} is in the format {found!r}; this Cutaway reads {FORMAT!r}.")
    try:
        tensors.update({name: tensors[kept] for name, kept in header["shared"].items()})
        contract = contract_of(header["contract"])
        graph = from_document(header["graph"], tensors)
        made = must_run(graph, (1, contract.in_channels, *contract.size))
        classes = tuple(must_be_text(name) for name in header["classes"])
        if classes and made is not None and made[1:] != (len(classes),):
            numbers = " x ".join(map(str, made[1:]))
            raise BadModel(f"Its header names {len(classes)} class(es), its network gives {numbers} numbers a picture.")
        model = Model(
            graph,
            contract,
            classes,
            bool(header["probabilities"]),
            {must_be_text(name): must_be_text(text) for name, text in header["card"].items()},
            positive(header["temperature"]),
        )
        if golden := [finite(v) for v in header.get("golden", ())]:
            must_answer_as(model, golden, path.name)
        return model
    except BadModel as error:
        raise BadModel(f"{path.name} cannot be opened. {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise BadModel(
            f"{path.name} is damaged: its header lacks or garbles something ({type(error).__name__}: {error})."
        ) from None


def _read(path: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("cutaway")
            if text is None:
                raise BadModel(f"{path.name} holds weights but no network; it was not written by Cutaway.")
            if len(text) > _MOST_HEADER:
                raise BadModel(f"{path.name} has a header of {len(text):,} letters; at most {_MOST_HEADER:,}.")
            header = json.loads(text)
            return header, {name: _aligned(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise BadModel(f"There is no model file {path}.") from None
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise BadModel(f"{path.name} is not a readable model file ({error}).") from None


def _aligned(tensor: torch.Tensor) -> torch.Tensor:
    """Weights read from the map of a file lie anywhere, and kernels round otherwise there (6e-8 in a MobileNetV3)."""
    return tensor if tensor.data_ptr() % 64 == 0 else tensor.clone()


def _unshared(tensors: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """safetensors refuses two names for one memory: keep the first, note the others."""
    first: dict[tuple[Any, ...], str] = {}
    stored: set[int] = set()
    unique: dict[str, torch.Tensor] = {}
    shared: dict[str, str] = {}
    for name, tensor in tensors.items():
        same = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and first.setdefault(same, name) != name:
            shared[name] = first[same]
            continue
        memory = tensor.untyped_storage().data_ptr()
        # Another view of the same memory (a transposed or cut one) has values of its own to keep.
        unique[name] = tensor.clone(memory_format=torch.contiguous_format) if memory in stored else tensor.contiguous()
        stored.add(memory)
    return unique, shared
