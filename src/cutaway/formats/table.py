"""The one table of model-file readers. A reader is a module with `matches(head, path)` and `read(path) -> Parts`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats.parts import Parts
from cutaway.formats.sniff import what_is

HEAD = 512
"""Bytes of a file's beginning that readers see."""


@dataclass(frozen=True, slots=True)
class Reader:
    """`begins`: first bytes, one of which a file must have before the module is even imported; () asks always."""

    module: str
    opens: str
    begins: tuple[bytes, ...] = ()

    def claims(self, head: bytes, path: Path) -> bool:
        if self.begins and not head.startswith(self.begins):
            return False
        return bool(self.load().matches(head, path))

    def load(self) -> Any:
        return importlib.import_module(f"cutaway.formats.{self.module}")


READERS: tuple[Reader, ...] = (
    Reader(
        "keras_h5",
        "Keras .h5 files that hold the whole model (Teachable Machine's keras_model.h5 among them)",
        begins=(b"\x89HDF\r\n\x1a\n",),
    ),
)


def read_model_file(path: Path | str) -> Parts:
    """Path of a model file of another program -> its Parts; the content decides, not the name's ending.

    Raises BadModel in one sentence: missing, a folder, empty, of a kind that is not opened, damaged, or holding a layer
    that is not on the list. Nothing in the file is executed.
    """
    path = Path(path)
    head = _head(path)
    for reader in READERS:
        if reader.claims(head, path):
            parts: Parts = reader.load().read(path)
            return parts
    raise BadModel(f"{path.name} is {what_is(head, path)}. Cutaway opens {opened_today()}.")


def opened_today() -> str:
    """What the readers open, as the end of a sentence."""
    return "; ".join(reader.opens for reader in READERS)


def _head(path: Path) -> bytes:
    if path.is_dir():
        kind = "a TensorFlow SavedModel folder" if (path / "saved_model.pb").is_file() else "a folder"
        raise BadModel(f"{path} is {kind}, not a model file. Cutaway opens {opened_today()}.")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except FileNotFoundError:
        raise BadModel(f"There is no model file {path}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadModel(f"{path} cannot be read ({reason}).") from None
    if not head:
        raise BadModel(f"{path.name} is empty (0 bytes); copy or download it again.")
    return head
