"""The two layouts of torch.save -> the tree its pickle describes and the Store of its tensors.

Zip (torch 1.6 and later): records NAME/data.pkl and NAME/data/0, 1, ... Older: five pickles in a row (a magic number,
the protocol, the system, the tree, the list of storages), then the storages themselves.
"""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats.pickle_data import Call, ClassName, Persistent, read_pickle
from cutaway.formats.torch_tensors import ZIP_DAMAGE, Place, Store, itemsize, zip_store

MAGIC = 0x1950A86A20F9469CFC6C
_MOST_PICKLE = 300_000_000  # bytes; the pickle of a state_dict has about 150 a tensor
_MOST_RECORDS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """`tree`: what the pickle describes. `store`: its tensors. `layout`: a word for the card."""

    tree: Any
    store: Store
    layout: str


def names_in_zip(path: Path) -> frozenset[str]:
    """Path -> names of the archive's records; none where it is no readable zip.

    A zip cut short may end within a record that is a zip itself: what is found then does not begin where the file does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()[:_MOST_RECORDS]
            whole = min((record.header_offset for record in records), default=0) == 0
            return frozenset(record.filename for record in records) if whole else frozenset()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return frozenset()


def read_zip(path: Path) -> Saved:
    """Path of a file in the zip layout -> what it holds. Raises BadModel where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [i for i in archive.infolist()[:_MOST_RECORDS] if i.filename.rpartition("/")[2] == "data.pkl"]
            if not pickles:
                raise BadModel(f"{path.name} is a damaged zip archive: it has no data.pkl.")
            folder = pickles[0].filename.removesuffix("data.pkl")
            if pickles[0].file_size > min(_MOST_PICKLE, 100 * path.stat().st_size):
                raise BadModel(f"{path.name} claims a pickle of {pickles[0].file_size:,} bytes; nothing was read.")
            _must_be_little(archive, folder, path)
            tree = read_pickle(archive.read(pickles[0]), path.name)
            return Saved(tree, zip_store(path, archive, f"{folder}data/"), "zip")
    except ZIP_DAMAGE as error:
        raise BadModel(
            f"{path.name} is a damaged zip archive ({str(error)[:100]}); copy or download it again."
        ) from None


def _must_be_little(archive: zipfile.ZipFile, folder: str, path: Path) -> None:
    name = f"{folder}byteorder"
    if name in archive.namelist() and archive.read(name)[:8] == b"big":
        raise BadModel(
            f"{path.name} was written on a big-endian machine; open it with torch.load there and save it on a "
            "little-endian one."
        )


def is_old_layout(head: bytes) -> bool:
    """First bytes -> whether they are the older layout's: protocol 2..5 and the magic number as a 10-byte integer."""
    return head[:1] == b"\x80" and head[2:4] == b"\x8a\x0a" and head[4:14] == MAGIC.to_bytes(10, "little")


def read_old(path: Path) -> Saved:
    """Path of a file in the older layout -> what it holds. Raises BadModel where it is damaged or cut short."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for _ in range(3):  # magic number, protocol, system
            read_pickle(data, path.name)
        tree = read_pickle(data, path.name)
        keys = read_pickle(data, path.name)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise BadModel(f"{path.name} is damaged: its list of storages is not readable.")
        places = _old_places(data, keys, dict(_storages(tree)), path)
    return Saved(tree, Store(path, places), "older")


def _old_places(data: mmap.mmap, keys: list[str], storages: dict[str, str], path: Path) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for key in keys:
        count = int.from_bytes(data.read(8), "little")
        size = count * (itemsize(storages.get(key, "")) or 1)
        start = data.tell()
        if start + size > len(data):
            raise BadModel(
                f"{path.name} is cut short: a storage of {count:,} numbers begins at byte {start:,} and the file has "
                f"{len(data):,}; copy or download it again."
            )
        places[key] = Place(start, size)
        data.seek(start + size)
    return places


def _storages(tree: Any) -> Iterator[tuple[str, str]]:
    for value in walk(tree):
        if isinstance(value, Persistent) and isinstance(value.key, tuple) and len(value.key) >= 5:
            _, kind, key = value.key[:3]
            if isinstance(kind, ClassName) and isinstance(key, str):
                yield key, kind.name


def walk(tree: Any) -> Iterator[Any]:
    """Tree -> every value in it once, each before what it holds; a pickle may hold itself."""
    seen: set[int] = set()
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list | tuple | Call):
            if id(value) in seen:
                continue
            seen.add(id(value))
        yield value
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, Call):
            waiting.extend((value.args, value.state, value.items))
