"""Arrays of an ONNX file (initializers, constants, weights in a second file) -> torch tensors, sizes checked first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cutaway.errors import BadModel

if TYPE_CHECKING:
    from onnx import TensorProto

# Number of an element type in the format -> (numpy type of its raw bytes, typed field, how a message says it).
_TYPES: dict[int, tuple[str, str, str]] = {
    1: ("<f4", "float_data", "float32"),
    2: ("u1", "int32_data", "uint8"),
    3: ("i1", "int32_data", "int8"),
    4: ("<u2", "int32_data", "uint16"),
    5: ("<i2", "int32_data", "int16"),
    6: ("<i4", "int32_data", "int32"),
    7: ("<i8", "int64_data", "int64"),
    9: ("?", "int32_data", "bool"),
    10: ("<u2", "int32_data", "float16"),
    11: ("<f8", "double_data", "float64"),
    12: ("<u4", "uint64_data", "uint32"),
    13: ("<u8", "uint64_data", "uint64"),
    16: ("<u2", "int32_data", "bfloat16"),
}
FLOATS = {1, 10, 11, 16}
_MOST_AXES = 32
_MOST_NUMBERS = 2**40
_EXTERNAL = 1
_KEPT: dict[int, Any] = {2: np.uint8, 3: np.int8, 9: np.bool_}


@dataclass(slots=True)
class Arrays:
    """Reads the arrays of one file; `converted` collects the kinds of floats that became float32."""

    path: Path
    converted: set[str] = field(default_factory=set)

    def read(self, tensor: TensorProto) -> torch.Tensor:
        """TensorProto -> tensor: float32 of any float, int64 of any whole number but bytes; bool and bytes stay.

        Raises BadModel naming the array: an unknown element type, a shape that its bytes do not fill, or a second file
        that is missing, too short, or outside the model's folder.
        """
        where = f"{self.path.name}: the array {tensor.name[:100]!r}"
        if tensor.data_type not in _TYPES:
            raise BadModel(f"{where} has elements of type number {tensor.data_type}, which cannot be read.")
        raw_type, typed, word = _TYPES[tensor.data_type]
        shape = tuple(tensor.dims)
        if len(shape) > _MOST_AXES or min(shape, default=0) < 0 or math.prod(max(n, 1) for n in shape) > _MOST_NUMBERS:
            raise BadModel(f"{where} has the impossible shape {_shown(shape)}.")
        count, size = math.prod(shape), np.dtype(raw_type).itemsize
        if count == 0:
            array = np.zeros(shape, raw_type)
        elif tensor.data_location == _EXTERNAL:
            array = self._external(tensor, where, raw_type, count)
        elif tensor.raw_data:
            raw = tensor.raw_data
            if len(raw) != count * size:
                raise BadModel(
                    f"{where} of shape {_shown(shape)} ({word}) needs {count * size:,} bytes; it has {len(raw):,}."
                )
            array = np.frombuffer(raw, raw_type)
        else:
            numbers: Any = getattr(tensor, typed)
            if len(numbers) != count:
                raise BadModel(
                    f"{where} of shape {_shown(shape)} ({word}) needs {count:,} numbers; the file has {len(numbers):,}."
                )
            array = _typed(numbers, raw_type)
        return self._tensor(array.reshape(shape), tensor.data_type, word)

    def _tensor(self, array: np.ndarray[Any, Any], kind: int, word: str) -> torch.Tensor:
        if kind == 16:  # bfloat16 is the upper half of float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        elif kind == 10:
            array = array.view(np.float16)
        if kind in FLOATS:
            if kind != 1:
                self.converted.add(word)
            with np.errstate(over="ignore"):
                return torch.from_numpy(np.array(array, np.float32))
        return torch.from_numpy(np.array(array, _KEPT.get(kind, np.int64)))

    def _external(self, tensor: TensorProto, where: str, raw_type: str, count: int) -> np.ndarray[Any, Any]:
        """Bytes of the array from the file beside the model that `external_data` names."""
        says = {entry.key: entry.value for entry in tensor.external_data}
        file = inside_folder(self.path, says.get("location", ""), where)
        needed = count * np.dtype(raw_type).itemsize
        offset, length = _number(says, "offset", 0, where), _number(says, "length", needed, where)
        if length != needed:
            raise BadModel(f"{where} needs {needed:,} bytes; the file says that {length:,} of {file.name} are its.")
        try:
            size = file.stat().st_size
            if offset + needed > size:
                raise BadModel(
                    f"{where} should be bytes {offset:,} to {offset + needed:,} of {file.name}, which has {size:,}; "
                    "copy or download that file again."
                )
            return np.fromfile(file, raw_type, count, offset=offset)
        except OSError as error:
            raise BadModel(f"{where} lies in {file.name}, which cannot be read ({error.strerror}).") from None


def inside_folder(model: Path, location: str, where: str) -> Path:
    """Model file, what it says of a second file -> that file's path, which must lie in or below the model's folder.

    Raises BadModel for an absolute path, "..", a link that leads out, or a file that is not there.
    """
    shown = location[:100]
    parts = location.replace("\\", "/").split("/")
    if not location or "\0" in location or ".." in parts or Path(location).is_absolute() or ":" in parts[0]:
        raise BadModel(f"{where} should lie in {shown!r}, which is not a file in the model's folder; it was not read.")
    file = model.parent / "/".join(parts)
    try:
        if not file.is_file():
            raise BadModel(f"{where} lies in {shown!r}, which is not beside {model.name}; put it into the same folder.")
        if not file.resolve().is_relative_to(model.parent.resolve()):
            raise BadModel(f"{where} lies in {shown!r}, a link that leads out of the model's folder; it was not read.")
    except (OSError, ValueError) as error:
        raise BadModel(f"{where} lies in {shown!r}, which cannot be read ({error}).") from None
    return file


def _number(says: dict[str, str], key: str, default: int, where: str) -> int:
    text = says.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadModel(f"{where}: the {key} of its bytes in the second file is {text[:40]!r}, which is no number.")
    return int(text)


def _typed(numbers: Any, raw_type: str) -> np.ndarray[Any, Any]:
    wide = np.float64 if raw_type in ("<f4", "<f8") else np.uint64 if raw_type == "<u8" else np.int64
    return np.fromiter(numbers, wide, len(numbers)).astype(raw_type)


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape[:8])) + (" x ..." if len(shape) > 8 else "") or "()"
