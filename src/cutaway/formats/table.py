"""The one table of model-file readers. A reader is a module with `matches(head, path)` and `read(path) -> Parts`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats import zip_directory
from cutaway.formats.next_step import next_step
from cutaway.formats.parts import BareWeights, Parts
from cutaway.formats.sniff import what_folder, what_is

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
    Reader("keras_zip", "Keras .keras files", begins=(b"PK\x03\x04",)),
    Reader("torchscript", "TorchScript archives", begins=(b"PK\x03\x04",)),
    Reader("torch_export", "torch.export's .pt2 archives", begins=(b"PK\x03\x04",)),
    Reader("torch_file", "PyTorch .pt/.pth files of weights", begins=(b"PK\x03\x04", b"\x80")),
    Reader("safetensors_file", "safetensors files of weights"),
    Reader("tfjs", "TensorFlow.js layers models (model.json with its weights)"),
    Reader("tflite_file", "TensorFlow Lite .tflite files (float, 16-bit, 8-bit)"),
    Reader("onnx_file", "ONNX files of convolutional networks"),
)


def read_model_file(path: Path | str) -> Parts | BareWeights:
    """Path of a model file of another program -> its Parts, or BareWeights where it holds no network; content decides.

    Raises BadModel in one sentence: missing, a folder, empty, of a kind that is not opened, damaged, or holding a layer
    that is not on the list. Nothing in the file is executed.
    """
    path = Path(path)
    if path.is_dir() and is_tfjs_folder(path):
        return importlib.import_module("cutaway.formats.tfjs").read(path)  # type: ignore[no-any-return]
    head = _head(path)
    for reader in READERS:
        if reader.claims(head, path):
            found: Parts | BareWeights = reader.load().read(path)
            return found
    what = what_is(head, path)
    raise BadModel(f"{path.name} is {what}. {next_step(what, path) or f'Cutaway opens {opened_today()}.'}")


def is_tfjs_folder(path: Path) -> bool:
    """Folder -> whether it, or the one folder in it that has a model.json, holds a TensorFlow.js layers model."""
    return importlib.import_module("cutaway.formats.tfjs").folder_model(path) is not None


def opened_today() -> str:
    """What the readers open, as the end of a sentence."""
    return "; ".join(reader.opens for reader in READERS)


def _head(path: Path) -> bytes:
    if path.is_dir():
        what = what_folder(path)
        raise BadModel(
            f"{path} is {what}, not a model file. {next_step(what, path) or f'Cutaway opens {opened_today()}.'}"
        )
    try:
        if path.exists() and not path.is_file():
            raise BadModel(f"{path} is a pipe or a device, not a file; name a model file.")
        with path.open("rb") as file:
            head = file.read(HEAD)
            if head.startswith(zip_directory.SIGNATURE):
                zip_directory.must_be_small(file, path.name)
    except FileNotFoundError:
        raise BadModel(f"There is no model file {path}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadModel(f"{path} cannot be read ({reason}).") from None
    if not head:
        raise BadModel(f"{path.name} is empty (0 bytes); copy or download it again.")
    return head
