"""A list of file paths -> classes, folds and samples: what the arrangement of folders says about the pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cutaway.dataset.samples import Fold, Sample
from cutaway.dataset.words import (
    class_name,
    count,
    fold_of,
    is_hidden,
    is_picture_name,
    natural_key,
    shown,
    some,
    unique,
)
from cutaway.errors import BadInput

WANTED = "one folder per class (photos/cats/1.jpg, photos/dogs/2.jpg), or train/ and test/ folders that hold those"
TABLES = (".csv", ".tsv", ".parquet")
Skipped = tuple[str, str]
File = tuple[str, str]
"""('/'-joined path below the root, the store's own way to find it)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything found below a root: files as (path, at), folders as paths, and what the walk itself passed over."""

    files: tuple[File, ...]
    folders: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def named(self, *endings: str) -> tuple[File, ...]:
        """Endings -> the files that are not hidden and end so, in natural order."""
        found = [f for f in self.files if f[0].lower().endswith(endings) and not _hidden(f[0])]
        return tuple(sorted(found, key=lambda f: natural_key(f[0])))

    @property
    def has_pictures(self) -> bool:
        return any(is_picture_name(path) and not _hidden(path) for path, _ in self.files)


@dataclass(frozen=True, slots=True)
class Arranged:
    """What a layout means: classes in natural order, samples with label and fold, what was passed over and why."""

    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...]


def arrange(what: str, listing: Listing) -> Arranged:
    """Root as typed and its listing -> classes, samples, skipped.

    Class folders may lie at the top, in train/val/test folders, or either of these inside one wrapping folder.
    Raises BadInput when there is no picture, no class folder, or a folder beside train/ that is not a fold.
    """
    pictures, skipped = sift(listing)
    if not pictures:
        raise BadInput(f"{what} holds no picture ({_instead(listing)}); wanted is {WANTED}.")
    wrapper = _wrapper([path for path, _ in pictures])
    if _is_folds({path[len(wrapper) :] for path, _ in pictures}):
        rows, loose = _by_fold(what, wrapper, pictures)
    else:
        rows, loose = _by_class(wrapper, pictures)
    if not rows:
        raise BadInput(
            f"{what} holds {count(len(pictures), 'picture')} but no class folders{_table_hint(listing)}; "
            f"wanted is {WANTED}."
        )
    classes = tuple(sorted({class_name(r.folder) for r in rows}, key=natural_key))
    skipped += [(shown(path), "not inside a class folder") for path in loose]
    skipped += _empty(listing.folders, wrapper, rows)
    return Arranged(classes, _samples(rows, classes), tuple(sorted(skipped, key=lambda s: natural_key(s[0]))))


def sift(listing: Listing) -> tuple[list[File], list[Skipped]]:
    """Listing -> (pictures in natural order, skipped): hidden files and endings that are no picture's are left out."""
    pictures, skipped = [], list(listing.skipped)
    for path, at in listing.files:
        if _hidden(path):
            skipped.append((shown(path), "hidden file"))
        elif is_picture_name(path):
            pictures.append((path, at))
        else:
            skipped.append((shown(path), "not a picture file by its ending"))
    return sorted(pictures, key=lambda f: natural_key(f[0])), skipped


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    at: str
    folder: str
    fold: Fold | None


def _by_fold(what: str, wrapper: str, pictures: list[File]) -> tuple[list[_Row], list[str]]:
    rows, loose, unknown = [], [], Counter[str]()
    for path, at in pictures:
        match path[len(wrapper) :].split("/"):
            case [top, _, *_] if fold_of(top) is None:
                unknown[top] += 1
            case [top, folder, _, *_]:
                rows.append(_Row(path, at, folder, fold_of(top)))
            case _:
                loose.append(path)
    if unknown:
        names = some(shown(u) for u in sorted(unknown, key=natural_key))
        raise BadInput(
            f"{what} has fold folders, and beside them {names}, which is not a fold name; call it train, val or test, "
            f"or move it away."
        )
    return rows, loose


def _by_class(wrapper: str, pictures: list[File]) -> tuple[list[_Row], list[str]]:
    rows, loose = [], []
    for path, at in pictures:
        folder, _, file = path[len(wrapper) :].partition("/")
        if file:
            rows.append(_Row(path, at, folder, None))
        else:
            loose.append(path)
    return rows, loose


def _samples(rows: Iterable[_Row], classes: tuple[str, ...]) -> tuple[Sample, ...]:
    index = {name: i for i, name in enumerate(classes)}
    rows = list(rows)
    names = unique(shown(r.path) for r in rows)
    return tuple(Sample(n, index[class_name(r.folder)], r.fold, r.at) for n, r in zip(names, rows, strict=True))


def _wrapper(paths: list[str]) -> str:
    """Paths -> the folders that wrap all of them ('photos/'), as long as class folders are left below."""
    wrapper = ""
    while True:
        below = [p[len(wrapper) :].split("/", 2) for p in paths]
        tops = {parts[0] for parts in below}
        if len(tops) != 1 or fold_of(next(iter(tops))) or any(len(parts) < 3 for parts in below):
            return wrapper
        wrapper += tops.pop() + "/"


def _is_folds(paths: Iterable[str]) -> bool:
    """Whether the top folders are folds: all are named so, or there is a train folder with several class folders."""
    parts = [p.split("/") for p in paths]
    tops = {p[0] for p in parts if len(p) > 1}
    in_train = {p[1] for p in parts if len(p) > 2 and fold_of(p[0]) == "train"}
    return bool(tops) and (all(fold_of(t) for t in tops) or len(in_train) > 1)


def _empty(folders: Iterable[str], wrapper: str, rows: list[_Row]) -> list[Skipped]:
    """Folders that hold no picture; of empty folders inside each other the outermost is named."""
    used: set[str] = set()
    for folder in {r.path.rpartition("/")[0] for r in rows}:
        parts = folder.split("/")
        used.update("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    inside = {f for f in folders if f.startswith(wrapper) and f not in used and not _hidden(f)}
    return [(shown(f), "folder without pictures") for f in inside if f.rpartition("/")[0] not in inside]


def _hidden(path: str) -> bool:
    return any(is_hidden(part) for part in path.split("/"))


def _instead(listing: Listing) -> str:
    if not listing.files:
        return "it is empty"
    hint = _table_hint(listing)
    return f"it has {count(len(listing.files), 'other file')}{hint}"


def _table_hint(listing: Listing) -> str:
    tables = [path for path, _ in listing.named(*TABLES)]
    return f", and {shown(tables[0])} which can be given itself" if tables else ""
