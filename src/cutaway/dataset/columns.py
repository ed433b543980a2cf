"""Column names -> which one holds the picture, the label and the fold; cells -> labels and folds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cutaway.dataset.samples import Fold
from cutaway.dataset.words import class_name, count, did_you_mean, fold_of, natural_key, some
from cutaway.errors import BadInput

PICTURE_COLUMNS: tuple[str, ...] = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "img",
)
PICTURE_COLUMNS += ("img_path", "picture", "photo", "image_file", "image_name", "image_id", "name")
BYTES_COLUMNS = ("image", "img", "picture", "photo", "bytes", "image_bytes", "jpg", "jpeg", "png", "content", "data")
LABEL_COLUMNS: tuple[str, ...] = (
    "label",
    "class",
    "category",
    "target",
    "labels",
    "class_name",
    "label_name",
    "classname",
    "y",
)
LABEL_COLUMNS += ("fine_label", "species", "breed", "tag")
FOLD_COLUMNS = ("split", "fold", "subset", "set", "partition", "dataset")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns that matter; `fold` is None where the table has none."""

    picture: str
    label: str
    fold: str | None


def choose(what: str, columns: Sequence[str], pictures: Sequence[str] = PICTURE_COLUMNS) -> Columns:
    """Table and its column names -> the three that matter; of two columns the one beside the picture is the label,
    unless its name says that it holds something else (a fold, another path).

    Raises BadInput that names the columns found.
    """
    picture = _guess(columns, pictures)
    label = _guess([c for c in columns if c != picture], LABEL_COLUMNS)
    if label is None and picture is not None and len(columns) == 2:
        label = next((c for c in columns if c != picture and not _guess([c], (*PICTURE_COLUMNS, *FOLD_COLUMNS))), None)
    if picture is None:
        raise _missing(what, "of picture paths", pictures, columns)
    if label is None:
        raise _missing(what, "of labels", LABEL_COLUMNS, columns)
    return Columns(picture, label, _guess([c for c in columns if c not in (picture, label)], FOLD_COLUMNS))


def label_names(what: str, column: str, cells: Sequence[object], places: Sequence[str]) -> list[str]:
    """Cells of a label column and where each is ('line 7') -> class names. Raises BadInput where one is blank."""
    text = {cell: _text(cell) for cell in set(cells)}  # a few classes, many rows
    names = [text[cell] for cell in cells]
    blank = [place for name, place in zip(names, places, strict=True) if not name]
    if blank:
        raise BadInput(
            f"{what} has {count(len(blank), 'row')} without a label in column {column!r} (the first: {blank[0]}); "
            f"give them a label or take them out."
        )
    return names


def folds(what: str, column: str, cells: Iterable[object]) -> list[Fold | None]:
    """Cells of a fold column -> folds, None where blank. Raises BadInput where a word is no fold."""
    words = [_text(cell) for cell in cells]
    found = {word: fold_of(word) for word in set(words)}
    unknown = sorted((w for w, f in found.items() if w and f is None), key=natural_key)
    if unknown:
        raise BadInput(
            f"{what} has {some(map(repr, unknown))} in column {column!r}, which is not a fold name; "
            f"wanted are train, val and test."
        )
    return [found[word] for word in words]


def indexed(names: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """Class name of each row -> (classes in natural order, label of each row)."""
    classes = tuple(sorted(set(names), key=natural_key))
    index = {name: i for i, name in enumerate(classes)}
    return classes, [index[name] for name in names]


def _guess(columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    plain = {c.strip().lower().replace(" ", "_").replace("-", "_"): c for c in reversed(columns)}
    return next((plain[w] for w in wanted if w in plain), None)


def _text(cell: object) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return class_name(str(cell))


def _missing(what: str, kind: str, wanted: Sequence[str], columns: Sequence[str]) -> BadInput:
    near = next((hint for c in columns if (hint := did_you_mean(c, wanted))), "")
    found = some([repr(c) for c in columns], 12) or "none"
    return BadInput(
        f"{what} has no column {kind}: found {found}; name it {wanted[0]!r} (also known: {some(wanted[1:], 6)}).{near}"
    )
