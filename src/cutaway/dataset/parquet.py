"""Parquet tables: encoded pictures with labels (the Hugging Face layout), or paths with labels."""

from __future__ import annotations

import bisect
import functools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from cutaway.dataset.columns import BYTES_COLUMNS, PICTURE_COLUMNS, Columns, choose, folds, indexed, label_names
from cutaway.dataset.encoded import EncodedStore
from cutaway.dataset.folder import file_stamp
from cutaway.dataset.path_table import from_columns
from cutaway.dataset.samples import Dataset, Fold, Sample
from cutaway.dataset.words import count, fold_of, shown
from cutaway.errors import BadInput, BadPicture


@dataclass(frozen=True, slots=True)
class ParquetStore(EncodedStore):
    """Encoded pictures in Parquet files; `Sample.at` counts rows over all files, `starts` says where each file begins.

    Rows are read by row group, lazily and once per process, so that a worker's copy of the store is a few names.
    """

    files: tuple[str, ...]
    starts: tuple[int, ...]
    column: str

    def stamp(self, sample: Sample) -> str:
        file, row = self._place(sample)
        stamp = file_stamp(file)
        return f"{stamp}|{self.column}|{row}" if stamp else ""

    def content(self, sample: Sample) -> bytes:
        """Sample -> the bytes of its file. Raises BadPicture with the sample's name."""
        file, row = self._place(sample)
        try:
            data = _row_bytes(file, file_stamp(file), self.column, row)
        except Exception as error:  # pyarrow's errors share no base; one bad row group must not end a batch
            raise BadPicture(sample.name, "unreadable", f"the table does not give it: {error}") from error
        if data is None:
            raise BadPicture(sample.name, "empty", "the table holds no bytes in this row")
        return data

    def _place(self, sample: Sample) -> tuple[str, int]:
        at = int(sample.at)
        number = bisect.bisect_right(self.starts, at) - 1
        return self.files[number], at - self.starts[number]


def is_parquet(path: Path) -> bool:
    """File -> whether it begins as Parquet does, or claims to be one by name."""
    if path.name.lower().endswith((".parquet", ".pq")):
        return True
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def open_parquet(root: str, files: Sequence[tuple[Path, Fold | None]]) -> Dataset:
    """Parquet files of one table, each with the fold its name gives -> Dataset.

    Class names come from the Hugging Face schema metadata where there is one (its order is kept), else from the cells.
    Raises BadInput when a file is damaged, misses a column, holds blanks, or files disagree on columns or classes.
    """
    tables = [_Table.open(root, path, fold) for path, fold in files]
    for table in tables[1:]:
        if (table.columns, table.names) != (tables[0].columns, tables[0].names):
            raise BadInput(
                f"{shown(os.fspath(table.path))} has other columns or classes than {shown(tables[0].path.name)}."
            )
    if not sum(t.rows for t in tables):
        raise BadInput(f"{root} has no rows; wanted is one picture per row.")
    return _of_bytes(root, tables) if tables[0].column else _of_paths(root, tables)


def fold_in_name(root: Path, file: Path) -> Fold | None:
    """Parquet file below a folder -> the fold its folder or the first word of its name gives ('train-0-of-2')."""
    words = [*file.relative_to(root).parts[:-1], file.name.partition(".")[0].replace("_", "-").partition("-")[0]]
    return next((fold for word in reversed(words) if (fold := fold_of(word))), None)


@dataclass(frozen=True, slots=True)
class _Table:
    path: Path
    fold: Fold | None
    rows: int
    columns: Columns
    column: str
    """Dotted leaf that holds the encoded bytes; '' in a table of paths."""
    names: tuple[str, ...] | None

    @classmethod
    def open(cls, root: str, path: Path, fold: Fold | None) -> _Table:
        import pyarrow.parquet

        try:
            file = pyarrow.parquet.ParquetFile(path)
        except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
            raise BadInput(f"{shown(os.fspath(path))} cannot be read as Parquet ({_short(error)}).") from error
        with file:
            schema = file.schema_arrow
            held = _bytes_leaf(schema)
            columns = choose(root, schema.names, (held[0],) if held else PICTURE_COLUMNS)
            names = _class_names(schema, columns.label)
            return cls(path, fold, file.metadata.num_rows, columns, held[1] if held else "", names)

    def read(self, column: str) -> list[Any]:
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:  # read_table would import pandas: 0.8 s
                table = file.read(columns=[column])
        except (OSError, ValueError) as error:
            raise BadInput(f"{shown(os.fspath(self.path))} is a damaged Parquet file ({_short(error)}).") from error
        cells: list[Any] = table.column(0).to_pylist()
        return cells

    def labels(self, places: Sequence[str]) -> list[str]:
        cells = self.read(self.columns.label)
        if self.names is not None and any(
            not isinstance(c, int) or c >= len(self.names) for c in cells if c is not None
        ):
            raise BadInput(
                f"{shown(os.fspath(self.path))} has labels beyond the {count(len(self.names), 'class')} it names."
            )
        if self.names is not None:
            cells = [self.names[c] if c is not None and c >= 0 else None for c in cells]
        return label_names(shown(os.fspath(self.path)), self.columns.label, cells, places)

    def folds(self) -> list[Fold | None]:
        if self.columns.fold is None or self.fold is not None:
            return [self.fold] * self.rows
        return folds(shown(os.fspath(self.path)), self.columns.fold, self.read(self.columns.fold))


def _of_bytes(root: str, tables: list[_Table]) -> Dataset:
    names, given, words = [], [], []
    for table in tables:
        stem = table.path.name
        places = [f"row {i}" for i in range(table.rows)]
        words += table.labels(places)
        given += table.folds()
        names += [f"{shown(stem)}[{i}]" for i in range(table.rows)]
    classes, labels = indexed(words)
    if tables[0].names is not None:
        classes, labels = _in_order(tables[0].names, words)
    starts = (0, *accumulate(t.rows for t in tables))[:-1]
    store = ParquetStore(tuple(os.fspath(t.path) for t in tables), starts, tables[0].column)
    if len(set(names)) < len(names):  # shards of the same name in several folders
        names = [f"{i}:{name}" for i, name in enumerate(names)]
    rows = zip(names, labels, given, range(len(names)), strict=True)
    return Dataset(root, classes, tuple(Sample(*row) for row in rows), store, label_column=tables[0].columns.label)


def _of_paths(root: str, tables: list[_Table]) -> Dataset:
    if len(tables) > 1:
        raise BadInput(f"{root} holds {count(len(tables), 'table')} of paths; give one of them, or a CSV of all.")
    table = tables[0]
    wanted = [c for c in (table.columns.picture, table.columns.label, table.columns.fold) if c]
    cells = {name: table.read(name) for name in wanted}
    places = [f"row {i}" for i in range(table.rows)]
    cells[table.columns.label] = table.labels(places)
    cells[table.columns.picture] = ["" if c is None else str(c) for c in cells[table.columns.picture]]
    return from_columns(root, table.path.parent, table.columns, cells, places)


def _in_order(classes: tuple[str, ...], words: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    index = {name: i for i, name in enumerate(classes)}
    return classes, [index[word] for word in words]


def _bytes_leaf(schema: Any) -> tuple[str, str] | None:
    """Arrow schema -> (column, dotted leaf) of the encoded pictures: a struct with `bytes`, or a binary column."""
    found = {}
    for field in schema:
        if _is_binary(field.type):
            found[field.name] = field.name
        elif _is_struct(field.type) and any(f.name == "bytes" and _is_binary(f.type) for f in field.type):
            found[field.name] = f"{field.name}.bytes"
    best = next((c for wanted in BYTES_COLUMNS for c in found if c.lower() == wanted), None)
    best = best or (next(iter(found)) if len(found) == 1 else None)
    return (best, found[best]) if best else None


def _is_binary(kind: Any) -> bool:
    return str(kind) in {"binary", "large_binary", "binary_view"}


def _is_struct(kind: Any) -> bool:
    return str(kind).startswith("struct<")


def _class_names(schema: Any, label: str) -> tuple[str, ...] | None:
    """Class names that Hugging Face writes into the schema's metadata, None where there are none."""
    text = (schema.metadata or {}).get(b"huggingface")
    try:
        names = json.loads(text)["info"]["features"][label]["names"] if text else None
    except (ValueError, KeyError, TypeError):
        return None
    return tuple(str(n) for n in names) if isinstance(names, list) else None


def _row_bytes(path: str, stamp: str, column: str, row: int) -> bytes | None:
    group = bisect.bisect_right(_group_starts(path, stamp), row) - 1
    cell = _group(path, stamp, column, group)[row - _group_starts(path, stamp)[group]]
    data: bytes | None = cell.as_py()
    return data


@functools.lru_cache(maxsize=64)
def _group_starts(path: str, stamp: str) -> tuple[int, ...]:
    import pyarrow.parquet

    del stamp  # part of the key: a changed file is read anew
    facts = pyarrow.parquet.read_metadata(path)
    return (0, *accumulate(facts.row_group(i).num_rows for i in range(facts.num_row_groups)))[:-1]


@functools.lru_cache(maxsize=1)
def _group(path: str, stamp: str, column: str, group: int) -> Any:
    """The encoded bytes of one row group; one is kept per process, since rows are read in order."""
    import pyarrow.compute
    import pyarrow.parquet

    del stamp
    with pyarrow.parquet.ParquetFile(path) as file:
        cells = file.read_row_group(group, columns=[column], use_threads=False).column(0)
    return pyarrow.compute.struct_field(cells, "bytes") if column.endswith(".bytes") else cells


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
