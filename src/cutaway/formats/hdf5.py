"""Careful reading of HDF5: local data only, claimed sizes checked against the file's before anything is allocated."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadModel
from cutaway.formats.keras_weights import Stored

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_ATTRIBUTE = 50_000_000
_DEEPEST = 32
_MOST_ITEMS = 10_000
MOST_STRETCH = 20
"""A compressed file may claim this many times its own bytes."""
_TEXT_TYPE = bytes.fromhex("00 10000000 10000000 01000000 000008")
"""How the type "text of any length" ends: 16 bytes each, made of numbers of one byte (HDF5 file format 3.0,
IV.A.2.d). The zero behind it is left out: a search is quick where the last byte is rare."""
_MOST_AXES = 32
_PIECE = 1 << 20

_DAMAGE = (
    *(OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError),
    *(SystemError, MemoryError, OverflowError),
)


@contextlib.contextmanager
def damage_named(name: str) -> Iterator[None]:
    """Whatever h5py raises inside the block -> BadModel that names the file."""
    try:
        yield
    except _DAMAGE as error:
        words = " ".join(str(error).split()).strip("'\"") or type(error).__name__
        reason = "".join(c if c.isprintable() else "?" for c in words[:150])
        raise BadModel(f"{name} is a damaged or truncated HDF5 file ({reason}).") from None


@contextlib.contextmanager
def opened(path: Path, whole: bytes | None = None) -> Iterator[h5py.File]:
    """Path (or the file's bytes and the path they came from) -> the open file.

    Raises BadModel where the HDF5 library refuses it.
    """
    with damage_named(path.name):
        _must_hold_its_texts(path if whole is None else whole)
        file = h5py.File(path, "r", locking=False) if whole is None else h5py.File(io.BytesIO(whole), "r")
    try:
        yield file
    finally:
        with contextlib.suppress(*_DAMAGE):
            file.close()


def _must_hold_its_texts(source: Path | bytes) -> None:
    """ValueError where a text claims to be longer than the file. The library makes room for a text before it looks."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        for at in _places(file, _TEXT_TYPE):
            if any(length > size for length in _lengths(file, at + len(_TEXT_TYPE) + 1)):
                raise ValueError("a text claims to be longer than the file")


def _places(file: BinaryIO, what: bytes) -> Iterator[int]:
    """Open file -> where in it the bytes stand. One piece at a time is in memory."""
    rest, begin = b"", 0
    while piece := _at(file, begin + len(rest), _PIECE):
        piece = rest + piece
        found = piece.find(what)
        while found >= 0:
            yield begin + found
            found = piece.find(what, found + 1)
        rest = piece[1 - len(what) :]
        begin += len(piece) - len(rest)


def _lengths(file: BinaryIO, end: int) -> Iterator[int]:
    """Open file, where the type of an attribute ends -> lengths of the texts it holds.

    Behind the type stand the shape and the values; a text is (length: 4 bytes, its heap's place: 8, its number there:
    4). The first version of the attribute message fills each part up to 8 bytes (HDF5 file format 3.0, IV.A.2.m).
    """
    fill = 8 if _at(file, end, 4) == bytes(4) else 1
    begin = end + (4 if fill == 8 else 0)
    version, axes, flags, _ = _at(file, begin, 4).ljust(4, b"\0")
    head = {1: 8, 2: 4}.get(version)
    if head is None or axes > _MOST_AXES:
        return
    sizes = _at(file, begin + head, 8 * axes)
    count = math.prod(int.from_bytes(sizes[n : n + 8], "little") for n in range(0, len(sizes), 8))
    shape = head + 8 * axes * (2 if flags & 1 else 1)
    values = _at(file, begin + shape + -shape % fill, 16 * min(count, _MOST_ITEMS))
    yield from (int.from_bytes(values[n : n + 4], "little") for n in range(0, len(values), 16))


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def text_attribute(item: Any, name: str) -> str | None:
    """Attribute as text; None where there is no such attribute."""
    if name not in item.attrs:
        return None
    _must_be_small(item, name)
    if h5py.check_string_dtype(item.attrs.get_id(name).dtype) is None:  # a list of lists would be read without a limit
        raise ValueError(f"attribute {name} is not a text")
    value = item.attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str):
        raise ValueError(f"attribute {name} is not a text")
    return value


def names_attribute(item: Any, name: str) -> list[str]:
    """Attribute that lists names; those over 64 kB are split into name0, name1, ... Empty where there is none."""
    if name in item.attrs:
        return _names(item, name)
    found: list[str] = []
    part = 0
    while f"{name}{part}" in item.attrs:
        found += _names(item, f"{name}{part}")
        part += 1
    return found


def _names(item: Any, name: str) -> list[str]:
    _must_be_small(item, name)
    kept = item.attrs.get_id(name)
    if len(kept.shape) > 1 or h5py.check_string_dtype(kept.dtype) is None:
        if 0 in kept.shape:  # an empty list is kept as an empty array of floats
            return []
        raise ValueError(f"attribute {name} is not a list of names")
    values = np.atleast_1d(item.attrs[name])
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values.tolist()]


def _must_be_small(item: Any, name: str) -> None:
    kept = item.attrs.get_id(name)
    if kept.get_storage_size() > _MOST_ATTRIBUTE or np.prod(kept.shape, dtype=float) > _MOST_ATTRIBUTE:
        raise ValueError(f"attribute {name} claims more than {_MOST_ATTRIBUTE:,} bytes")


def each_inside(group: Any, paths: Iterable[str]) -> Iterator[Any]:
    """As `inside` for each path; a block that holds several is followed once."""
    blocks: dict[str, Any] = {}
    for path in paths:
        block, _, name = path.rpartition("/")
        if block not in blocks:
            blocks[block] = inside(group, block, path)
        yield inside(blocks[block], name, path)


def inside(group: Any, path: str, whole: str = "") -> Any:
    """Group, "a/b/c" -> the item there, None where there is none. ValueError for links that may leave the file, which
    names the `whole` path where this is a part of it.
    """
    item = group
    for part in path.split("/"):
        if not part:
            continue
        if not isinstance(item, h5py.Group) or not item.id.links.exists(part.encode()):
            return None
        if item.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:  # a soft link may end at an external one
            raise ValueError(f"{whole or path} is a link, perhaps to another file; Keras writes none")
        item = item[part]
    return item


def stored(dataset: Any, path: str, file_bytes: int) -> Stored:
    """Dataset -> its shape now, its numbers later. ValueError where it claims more than the file can hold."""
    shape = dataset.shape if isinstance(dataset, h5py.Dataset) else None  # each is asked of the library once
    if shape is None:
        raise ValueError(f"{path} holds no array")
    dtype = dataset.dtype
    if dtype.hasobject:
        raise ValueError(f"{path} holds texts or lists, not numbers")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{path} keeps its numbers in another file")
    claimed = math.prod(map(int, shape)) * dtype.itemsize
    written = min(dataset.id.get_storage_size(), file_bytes)
    if claimed > (written if dataset.chunks is None else file_bytes * MOST_STRETCH):  # only chunks can be compressed
        raise ValueError(f"{path} claims {claimed:,} bytes where the file holds {written:,}")

    brain = text_attribute(dataset, "dtype") == "bfloat16"

    def read() -> NDArray[Any]:
        values: NDArray[Any] = np.asarray(dataset[()])
        if brain and values.dtype.itemsize == 2:  # the upper half of a float32
            values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return values

    return Stored(tuple(map(int, shape)), read)


def arrays(group: Any) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Group -> (path, shape, number type) of every array below it; links are not followed."""
    todo = [("", group, 0)]
    seen: set[Any] = set()
    while todo:
        path, item, depth = todo.pop()
        if isinstance(item, h5py.Dataset):
            if item.shape is not None:
                yield path, tuple(int(n) for n in item.shape), str(item.dtype)
        elif isinstance(item, h5py.Group) and depth < _DEEPEST and item.id not in seen:
            seen.add(item.id)
            hard = [n for n in item if item.get(n, getlink=True).__class__ is h5py.HardLink]
            todo += [(f"{path}/{name}".lstrip("/"), item[name], depth + 1) for name in reversed(hard[:_MOST_ITEMS])]


class Budget:
    """How many bytes one file's arrays may unpack to together: one array may be linked under many names."""

    def __init__(self, name: str, file_bytes: int) -> None:
        self._name = name
        self._left = file_bytes * MOST_STRETCH

    def bounded(self, found: Stored) -> Stored:
        """Array -> the same, whose reading raises BadModel where it is damaged or the file unpacks to too much."""

        def read() -> NDArray[Any]:
            with damage_named(self._name):
                array = found.read()
            self._left -= array.nbytes
            if self._left < 0:
                raise BadModel(
                    f"{self._name} unpacks to more than {MOST_STRETCH} times its size; nothing more was read."
                )
            return array

        return Stored(found.shape, read)
