"""A TensorFlow.js weights manifest and its binary files -> arrays by name. Float32 or quantised to 8 or 16 bits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadModel
from cutaway.formats.keras_calls import shown
from cutaway.formats.keras_weights import Stored

_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint16": "<u2", "uint8": "u1", "bool": "u1"}
_MOST_ARRAYS = 100_000
_MOST_SIDE = 2**31


@dataclass(frozen=True, slots=True)
class _Entry:
    """One array: how its numbers are kept, and `stored * scale + low` for quantised ones."""

    name: str
    shape: tuple[int, ...]
    kept: np.dtype[Any]
    scale: float = 1.0
    low: float = 0.0

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.kept.itemsize


def read_weights(manifest: Any, file: Path, folders: Sequence[Path]) -> dict[str, Stored]:
    """The manifest of `file`, the folders to look in -> name: array, in the manifest's order.

    Raises BadModel: a damaged manifest, files that are not there or of another size than the manifest adds up to.
    """
    if not isinstance(manifest, list):
        raise BadModel(f"{file.name} lists no weights (no weightsManifest); export the model again.")
    found: dict[str, Stored] = {}
    read: set[Path] = set()
    for group in manifest:
        try:
            entries = [_entry(row) for row in group["weights"]]
            paths = [str(p) for p in group["paths"]]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadModel(
                f"{file.name}: its list of weights is damaged ({type(error).__name__}: {shown(str(error))})."
            ) from None
        whole = _joined(paths, sum(entry.bytes for entry in entries), file, folders, read)
        at = 0
        for entry in entries:
            found[entry.name] = _stored(entry, whole[at : at + entry.bytes])
            at += entry.bytes
    if len(found) > _MOST_ARRAYS:
        raise BadModel(f"{file.name} lists {len(found)} arrays; at most {_MOST_ARRAYS} are accepted.")
    return found


def _entry(row: dict[str, Any]) -> _Entry:
    name, shape, quantised = row["name"], row["shape"], row.get("quantization")
    if not isinstance(name, str) or not all(type(n) is int and 0 <= n < _MOST_SIDE for n in shape):
        raise ValueError("an array has no name, or a shape that is none")
    kept = np.dtype(_TYPES[(quantised or row)["dtype"]])
    if quantised is None or quantised["dtype"] == "float16":
        return _Entry(name, tuple(shape), kept)
    scale, low = float(quantised["scale"]), float(quantised["min"])
    if not (math.isfinite(scale) and math.isfinite(low)):
        raise ValueError("a scale is not finite")
    return _Entry(name, tuple(shape), kept, scale, low)


def _stored(entry: _Entry, kept: memoryview) -> Stored:
    def read() -> NDArray[Any]:
        array: NDArray[Any] = np.frombuffer(kept, entry.kept).reshape(entry.shape)
        if (entry.scale, entry.low) == (1.0, 0.0):
            return array
        return array.astype(np.float32) * np.float32(entry.scale) + np.float32(entry.low)

    return Stored(entry.shape, read)


def _joined(paths: Sequence[str], claimed: int, file: Path, folders: Sequence[Path], read: set[Path]) -> memoryview:
    """The shards of one group, one after the other."""
    shards = [_located(path, file, folders) for path in paths]
    for shard, path in zip(shards, paths, strict=True):
        if shard in read:
            raise BadModel(f"{file.name} lists the weights {shown(path)} twice; export the model again.")
        read.add(shard)
    held = sum(shard.stat().st_size for shard in shards)
    if held != claimed:
        names = " and ".join(shown(path) for path in paths[:3]) + (" and others" if len(paths) > 3 else "")
        raise BadModel(
            f"{names or 'No file'} beside {file.name} holds {held:,} bytes where {file.name} lists {claimed:,}; "
            "the two belong to different exports, or the download was cut short."
        )
    return memoryview(b"".join(shard.read_bytes() for shard in shards))


def _is_there(place: Path) -> bool:
    try:
        return place.is_file()
    except (OSError, ValueError):  # a name that no disk can hold
        return False


def _located(name: str, file: Path, folders: Sequence[Path]) -> Path:
    parts = re.split(r"[\\/]", name)
    if ".." in parts or parts[0] == "" or ":" in name or "\0" in name:
        raise BadModel(f"{file.name} names weights outside its own folder ({shown(name)}); nothing was read.")
    looked = [folder.joinpath(*where) for folder in folders for where in (parts, parts[-1:])]
    found = next((place for place in looked if _is_there(place)), None)
    if found is not None:
        return found
    above = file.resolve().parent.parent
    hint = f" There is one in {above}: open that folder." if _is_there(above / parts[-1]) else ""
    where = " and ".join(dict.fromkeys(str(place.parent) for place in looked))
    raise BadModel(
        f"{file.name} keeps its weights in {shown(name)}, which is not in {where}. Put it beside {file.name}, or open "
        f"a folder that holds it with {file.name} in it or in one folder below.{hint}"
    )
