"""PyTorch's storages beside a pickle -> tensors mapped from the file; every claimed size is checked before."""

from __future__ import annotations

import lzma
import math
import mmap
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cutaway.errors import BadModel
from cutaway.formats.pickle_data import Call, ClassName, Persistent

_TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}
_DTYPES = {str(t).removeprefix("torch."): t for t in (*_TYPES.values(), torch.uint16, torch.uint32, torch.uint64)}
MOST_STRETCH = 100
"""How many times its packed size a compressed record may claim."""
_MOST_DIMS = 8
ZIP_DAMAGE: tuple[type[Exception], ...] = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(OSError, ValueError, EOFError, NotImplementedError, RuntimeError),
)
"""What zipfile raises on a damaged archive; the packers' own errors have no common parent."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a storage's bytes lie in the file."""

    offset: int
    size: int


class Store:
    """The file of tensors, mapped: storages by key -> tensors that read it when they are used."""

    def __init__(self, path: Path, places: Mapping[str, Place], packed: Mapping[str, zipfile.ZipInfo] | None = None):
        self._path = path
        self._places = places
        self._packed = packed or {}
        self._unpacked: dict[str, torch.Tensor] = {}
        self._copied = 0
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # written to it would stay in memory

    def tensor(self, made: Call, name: str) -> torch.Tensor | None:
        """A pickle's note of a tensor -> the tensor; None where it is of a kind that is not read (sparse, quantised).

        Raises BadModel naming the tensor where it claims more than the file holds.
        """
        kind = made.name
        args = made.args if isinstance(made.args, tuple) else ()
        if kind in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
            return self.tensor(args[0], name) if args and isinstance(args[0], Call) else None
        if kind == "torch._utils._rebuild_tensor_v2" and len(args) >= 4:
            return self._strided(args, None, name)
        if kind == "torch._utils._rebuild_tensor_v3" and len(args) >= 7:
            return self._strided(args, _dtype(args[6]), name)
        return None

    def _strided(self, args: tuple[Any, ...], dtype: torch.dtype | None, name: str) -> torch.Tensor | None:
        reference, offset, size, stride = args[:4]
        key = reference.key if isinstance(reference, Persistent) else None
        if not (isinstance(key, tuple) and len(key) >= 5 and key[0] == "storage"):
            key = None
        if key is None or not (isinstance(key[1], ClassName) and isinstance(key[2], str)):
            raise BadModel(f"{self._path.name} is damaged: {_shown(name)} points at no storage.")
        stored = _TYPES.get(key[1].name)
        if stored is None:
            return None
        return self.strided(key[2], dtype or stored, offset, size, stride, name)

    def strided(self, key: str, dtype: torch.dtype, offset: Any, size: Any, stride: Any, name: str) -> torch.Tensor:
        """Storage's key, type, offset, size and stride in numbers -> the tensor. Raises BadModel naming it."""
        if not (_whole(offset) and _wholes(size) and _wholes(stride) and len(size) == len(stride) <= _MOST_DIMS):
            raise BadModel(f"{self._path.name} is damaged: {_shown(name)} has no readable shape.")
        place = self._place(key, name)
        held = place.size // dtype.itemsize
        reach = offset + (sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1 if all(size) else 0)
        numbers = math.prod(size)
        if reach > held or numbers > max(held, 1):
            raise BadModel(
                f"{self._path.name} is damaged: {_shown(name)} claims {' x '.join(map(str, size)) or 'one number'}, "
                f"and the file holds {held:,} numbers for it."
            )
        if not numbers:
            return torch.empty(size, dtype=dtype)
        return self._flat(key, place, dtype, held).as_strided(size, stride, offset)

    def _place(self, key: str, name: str) -> Place:
        if key in self._places:
            return self._places[key]
        if key in self._packed:
            info = self._packed[key]
            if info.file_size > MOST_STRETCH * max(info.compress_size, 1024):
                raise BadModel(
                    f"{self._path.name} claims {info.file_size:,} bytes for {_shown(name)} from "
                    f"{info.compress_size:,}; nothing more was read."
                )
            return Place(-1, info.file_size)
        raise BadModel(f"{self._path.name} is damaged: the numbers of {_shown(name)} are not in it.")

    def _flat(self, key: str, place: Place, dtype: torch.dtype, count: int) -> torch.Tensor:
        if place.offset < 0:
            return self._unpack(key)[: count * dtype.itemsize].view(dtype)
        if place.offset % dtype.itemsize == 0:
            return torch.frombuffer(self._bytes, dtype=dtype, count=count, offset=place.offset)
        self._spend(count * dtype.itemsize)
        raw = torch.frombuffer(self._bytes, dtype=torch.uint8, count=count * dtype.itemsize, offset=place.offset)
        return raw.clone().view(dtype)

    def _spend(self, size: int) -> None:
        """Counts what is copied out of the file: many names of one storage must not fill the memory."""
        self._copied += size
        if self._copied > MOST_STRETCH * max(len(self._bytes), 1024):
            raise BadModel(
                f"{self._path.name} unpacks to more than {MOST_STRETCH} times its size; nothing more was read."
            )

    def _unpack(self, key: str) -> torch.Tensor:
        if key not in self._unpacked:
            info = self._packed[key]
            self._spend(info.file_size)
            try:
                with zipfile.ZipFile(self._path) as archive, archive.open(info) as record:
                    data = bytearray(record.read(info.file_size))
            except ZIP_DAMAGE as error:
                raise BadModel(
                    f"{self._path.name} is damaged: {info.filename[:60]} cannot be read ({error})."
                ) from None
            if len(data) != info.file_size:
                raise BadModel(f"{self._path.name} is damaged: {info.filename[:60]} is shorter than it says.")
            self._unpacked[key] = (
                torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
            )
        return self._unpacked[key]


def zip_store(path: Path, archive: zipfile.ZipFile, folder: str) -> Store:
    """Open archive, its records' folder ("model/data/") -> the Store of what lies there."""
    size = path.stat().st_size
    places: dict[str, Place] = {}
    packed: dict[str, zipfile.ZipInfo] = {}
    with path.open("rb") as file:
        for info in archive.infolist():
            key = info.filename.removeprefix(folder)
            if key == info.filename or "/" in key:
                continue
            if info.compress_type != zipfile.ZIP_STORED:
                packed[key] = info
                continue
            file.seek(info.header_offset)
            header = file.read(30)
            if len(header) < 30 or header[:4] != b"PK\x03\x04":
                raise BadModel(f"{path.name} is a damaged zip archive ({info.filename[:60]} has no header).")
            name_length, extra_length = struct.unpack("<HH", header[26:30])
            start = info.header_offset + 30 + name_length + extra_length
            end = start + info.file_size
            if end > size:
                raise BadModel(
                    f"{path.name} is cut short: {info.filename[:60]} should end at byte {end:,}, the file has "
                    f"{size:,}; copy or download it again."
                )
            places[key] = Place(start, info.file_size)
    return Store(path, places, packed)


def itemsize(storage: str) -> int | None:
    """Name of a storage class ("FloatStorage") -> bytes of one number, None where it is not known."""
    return _TYPES[storage].itemsize if storage in _TYPES else None


def _dtype(named: Any) -> torch.dtype | None:
    return _DTYPES.get(named.name) if isinstance(named, ClassName) else None


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _wholes(values: Any) -> bool:
    return isinstance(values, tuple) and all(map(_whole, values))


def _shown(name: str) -> str:
    return repr(name[:80])
