"""A CSV, TSV or Parquet of picture paths and labels -> Dataset."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from cutaway.dataset.columns import Columns, choose, folds, indexed, label_names
from cutaway.dataset.folder import FolderStore
from cutaway.dataset.samples import Dataset, Fold, Sample
from cutaway.dataset.words import count, none_of, shown
from cutaway.errors import BadInput


def open_csv(root: str, path: Path) -> Dataset:
    """CSV or TSV file with a header -> Dataset; relative paths count from the table's folder.

    Raises BadInput when it is not readable text, misses a column, or holds blanks.
    """
    header, rows, places = _read(root, path)
    columns = choose(root, header)
    where = {name: header.index(name) for name in header}
    cells = {name: [row[at] if at < len(row) else "" for row in rows] for name, at in where.items()}
    return from_columns(root, path.parent, columns, cells, places)


def from_columns(
    root: str, folder: Path, columns: Columns, cells: dict[str, list[str]], places: Sequence[str]
) -> Dataset:
    """Columns of a path table and the place of each row ('line 7') -> Dataset over the files it names."""
    if not places:
        raise BadInput(f"{root} has a header but no rows; wanted is one picture per row.")
    labels = label_names(root, columns.label, cells[columns.label], places)
    paths = [str(p).strip() for p in cells[columns.picture]]
    if blank := [place for p, place in zip(paths, places, strict=True) if not p]:
        raise BadInput(
            f"{root} has {count(len(blank), 'row')} without a path in column {columns.picture!r} "
            f"(the first: {blank[0]}); fill them in or take them out."
        )
    given = folds(root, columns.fold, cells[columns.fold]) if columns.fold else [None] * len(paths)
    _must_exist(root, folder, paths)
    classes, numbers = indexed(labels)
    samples, skipped = _samples(root, folder, paths, numbers, given, classes)
    return Dataset(root, classes, samples, FolderStore(os.fspath(folder)), skipped, columns.label)


def _samples(
    root: str, folder: Path, paths: list[str], labels: list[int], given: Sequence[Fold | None], classes: tuple[str, ...]
) -> tuple[tuple[Sample, ...], tuple[tuple[str, str], ...]]:
    first: dict[str, Sample] = {}
    skipped = []
    for path, label, fold in zip(paths, labels, given, strict=True):
        at = _local(folder, path)
        before = first.get(at)
        if before is None:
            first[at] = Sample(shown(at), label, fold, at)
        elif before.label == label and before.fold == fold:
            skipped.append((shown(path), "listed twice"))
        elif before.label != label and before.label is not None:
            raise BadInput(
                f"{root} gives {shown(path)} two labels, {classes[before.label]!r} and {classes[label]!r}; "
                f"keep one row per picture."
            )
        else:
            raise BadInput(
                f"{root} puts {shown(path)} into two folds, {before.fold} and {fold}; keep one row per picture."
            )
    return tuple(first.values()), tuple(skipped)


def _local(folder: Path, path: str) -> str:
    """A path as the table writes it -> normalised with '/'; Windows spellings work where only they fit."""
    if "\\" in path and not os.path.exists(os.path.join(folder, path)):  # noqa: PTH110, PTH118
        path = path.replace("\\", "/")
    return os.path.normpath(path).replace(os.sep, "/")


def _must_exist(root: str, folder: Path, paths: list[str]) -> None:
    """One file has to be there; single missing ones are told later, each by its name."""
    if any(os.path.exists(os.path.join(folder, _local(folder, p))) for p in paths):  # noqa: PTH110, PTH118
        return
    raise BadInput(
        f"{none_of(len(paths), 'picture')} that {root} names is there (the first: "
        f"{shown(os.path.join(folder, paths[0]))}); paths count from the table's own folder."  # noqa: PTH118
    )


def _read(root: str, path: Path) -> tuple[list[str], list[list[str]], list[str]]:
    """Table file -> (header, rows, 'line N' of each row); empty lines are passed over."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text), strict=True)
        lines = [(row, f"line {reader.line_num}") for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise BadInput(f"{root} is not UTF-8 text (byte {error.start}); save the table as UTF-8 CSV.") from error
    except csv.Error as error:
        raise BadInput(f"{root} cannot be read as a CSV table ({error}).") from error
    except OSError as error:
        raise BadInput(f"{root} cannot be read ({error.strerror or error}).") from error
    if not lines:
        raise BadInput(f"{root} is empty; wanted is a header and one picture per row.")
    header = [name.strip() for name in lines[0][0]]
    return header, [row for row, _ in lines[1:]], [place for _, place in lines[1:]]


def _delimiter(text: str) -> str:
    """The separator that the header has most of; a comma where it has none."""
    header = text.partition("\n")[0]
    return max(",;\t|", key=header.count)
