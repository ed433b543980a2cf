"""TFLite metadata (written by TensorFlow's model makers): scaling of the picture, class names, licence.

A flatbuffer of its own inside the model says what the tensors mean; text files it names lie in a zip behind the model.
Its schema is small and fixed (metadata_schema.fbs of tflite-support), so the few fields are read by number.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import number_types

from cutaway.formats.labels import parse_labels
from cutaway.formats.tflite_tables import Tables, shown, text_of

_ENTRY = b"TFLITE_METADATA"
_NORMALISATION = 1  # of the union ProcessUnitOptions
_AXIS_LABELS = 2  # of the enumeration AssociatedFileType
_MOST_ITEMS = 64
_MOST_LABELS = 1_000_000
_MOST_MEMBERS = 1_000
_END = struct.Struct("<4s4H2LH")  # a zip's end record


@dataclass(frozen=True, slots=True)
class Metadata:
    """(pixel - mean) / std with pixels from 0 to 255, one number or one a channel; () where nothing is said."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    name: str = ""
    author: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()


def read_metadata(tables: Tables) -> Metadata | None:
    """File -> what its metadata says, None where it has none; damaged metadata only leave a note."""
    held = tables.metadata(_ENTRY)
    if held is None:
        return None
    try:
        return _read(held, tables)
    except (struct.error, ValueError, TypeError, IndexError, OverflowError) as error:
        return Metadata(notes=(f"The file's TFLite metadata are damaged and were not used ({type(error).__name__}).",))


def _read(held: bytes, tables: Tables) -> Metadata:
    root = flatbuffers.table.Table(held, flatbuffers.encode.Get(flatbuffers.packer.uoffset, held, 0))
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    label_file = ""
    for graph in _tables(root, 3)[:1]:
        for tensor in _tables(graph, 2)[:1]:
            mean, std = _normalisation(tensor)
        for tensor in _tables(graph, 3)[:1]:
            files = [f for f in _tables(tensor, 6) if _byte(f, 2) == _AXIS_LABELS]
            label_file = text_of(files[0], 0) if files else ""
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if label_file:
        labels, notes = _labels(tables, label_file)
    name, author, licence = (shown(text_of(root, field), 300) for field in (0, 4, 5))
    return Metadata(mean, std, labels, name, author, licence, notes)


def _normalisation(tensor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for unit in _tables(tensor, 4):
        slot = unit.Offset(6)
        if _byte(unit, 0) == _NORMALISATION and slot:
            options = flatbuffers.table.Table(unit.Bytes, unit.Indirect(unit.Pos + slot))
            mean, std = _floats(options, 0), _floats(options, 1)
            if mean and std and np.isfinite((*mean, *std)).all() and all(std):
                return mean, std
    return (), ()


def _tables(table: Any, field: int) -> list[Any]:
    slot = table.Offset(4 + 2 * field)
    if not slot:
        return []
    start = table.Vector(slot)
    count = min(table.VectorLen(slot), _MOST_ITEMS)
    return [flatbuffers.table.Table(table.Bytes, table.Indirect(start + 4 * at)) for at in range(count)]


def _floats(table: Any, field: int) -> tuple[float, ...]:
    slot = table.Offset(4 + 2 * field)
    if not slot:
        return ()
    return tuple(float(n) for n in table.GetVectorAsNumpy(number_types.Float32Flags, slot)[:_MOST_ITEMS])


def _byte(table: Any, field: int) -> int:
    return int(table.GetSlot(4 + 2 * field, 0, number_types.Uint8Flags))


def _labels(tables: Tables, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name of a member of the zip behind the model -> (class names, notes)."""
    at = tables.data.rfind(b"PK\x05\x06", -(_END.size + 65_536))
    if at < 0 or len(tables.data) - at < _END.size:
        return (), (f"The file's metadata name its classes in {shown(name)}, which is not in it.",)
    _, _, _, _, members, size, _, _ = _END.unpack_from(tables.data, at)
    if members > _MOST_MEMBERS or size > _MOST_LABELS:
        return (), (f"The zip behind the model claims {members:,} members and was not read.",)
    try:
        with zipfile.ZipFile(tables.path) as archive, archive.open(name) as member:
            text = member.read(_MOST_LABELS + 1)
        if len(text) > _MOST_LABELS:
            return (), (f"{shown(name)} in the file has more than {_MOST_LABELS:,} bytes and was not read.",)
        return parse_labels(text.decode("utf-8-sig")), ()
    except (KeyError, OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
        return (), (f"{shown(name)} in the file could not be read ({type(error).__name__}).",)
    except Exception as error:  # zlib.error and lzma.LZMAError have no common parent
        return (), (f"{shown(name)} in the file could not be unpacked ({type(error).__name__}).",)
