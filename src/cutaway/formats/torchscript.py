"""TorchScript archives (torch.jit.save) -> BareWeights. torch.jit, deprecated since torch 2.5, is not asked.

The archive holds the module as a tree of objects (data.pkl), whose names are those of its state_dict, and its forward
passes as source text (code/), which is not run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats.parts import BareWeights
from cutaway.formats.pickle_data import Call
from cutaway.formats.torch_archive import names_in_zip, read_zip

_PACKAGE = "__torch__."
_DEEPEST = 60
_MOST_OBJECTS = 200_000


def matches(head: bytes, path: Path) -> bool:
    """First bytes and path -> whether torch.jit.save wrote it."""
    if not head.startswith(b"PK\x03\x04"):
        return False
    ends = {name.rpartition("/")[2] for name in names_in_zip(path)}
    return {"data.pkl", "constants.pkl"} <= ends


def read(path: Path) -> BareWeights:
    """Path -> the weights of its module by the names of its state_dict. Raises BadModel: damaged, no weights."""
    saved = read_zip(path)
    tensors = {}
    for name, made in _tensors(saved.tree):
        tensor = saved.store.tensor(made, name)
        if tensor is not None:
            tensors[name] = tensor
    if not tensors:
        raise BadModel(
            f"{path.name} is a TorchScript archive without weights: its numbers were frozen into its code. Save the "
            "module before torch.jit.freeze, or write it with torch.export."
        )
    card = {
        "format": "TorchScript",
        "class": class_of(saved.tree),
        "notes": "The weights were read by name; the TorchScript code in the file was not run.",
    }
    return BareWeights(tensors, {k: v for k, v in card.items() if v})


def _tensors(tree: Any) -> Iterator[tuple[str, Call]]:
    waiting: list[tuple[str, Any, int]] = [("", tree, 0)]
    for seen in itertools.count():
        if not waiting:
            return
        if seen > _MOST_OBJECTS:
            raise BadModel(f"The archive is made of more than {_MOST_OBJECTS:,} objects; nothing more was read.")
        prefix, value, depth = waiting.pop()
        if not isinstance(value, Call) or depth > _DEEPEST:
            continue
        if value.name.startswith("torch._utils._rebuild_"):
            yield prefix, value
        elif isinstance(value.state, dict):
            inner = [(f"{prefix}.{k}".lstrip("."), v, depth + 1) for k, v in value.state.items() if isinstance(k, str)]
            waiting += reversed(inner)


def class_of(tree: Any) -> str:
    """The root object -> its Python class, TorchScript's marks ("___torch_mangle_7") left out."""
    if not isinstance(tree, Call):
        return ""
    parts = tree.name.removeprefix(_PACKAGE).split(".")
    return ".".join(part for part in parts if not part.startswith("___torch_mangle_"))[:100]
