"""What a person typed -> Dataset: a folder, an archive, a table or a name, decided by content."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cutaway.dataset.archive import is_archive, list_archive
from cutaway.dataset.folder import FolderStore, list_folder
from cutaway.dataset.layout import Listing, arrange
from cutaway.dataset.named import dataset_names, open_named
from cutaway.dataset.parquet import fold_in_name, is_parquet, open_parquet
from cutaway.dataset.path_table import open_csv
from cutaway.dataset.places import cache_folder
from cutaway.dataset.samples import Dataset, Store
from cutaway.dataset.words import class_name, count, did_you_mean, is_picture_name, shown, some
from cutaway.errors import BadInput, BadPicture


def open_dataset(what: str | Path, *, classes: Sequence[str] | None = None) -> Dataset:
    """Folder, zip, tar, CSV, Parquet or name -> labelled Dataset; `what` that exists as a file wins over a name.

    `classes`: the names a model was trained with; labels then index these, in their order.
    Raises BadInput for what does not exist, holds nothing usable or has a class outside `classes`; Offline.
    """
    typed = os.fspath(what)
    path = located(typed)
    if path.is_dir():
        found = _open_folder(typed, path, list_folder(path), FolderStore(os.fspath(path)))
    elif path.exists():
        found = _open_file(typed, path)
    elif typed.lower() in dataset_names():
        found = open_named(typed.lower())
    else:
        raise not_there(typed, (*dataset_names(),))
    return found if classes is None else with_classes(found, classes)


def with_classes(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """Dataset and the class names of a model -> the same samples with labels that index those.

    Raises BadInput when a sample has a class that the model does not know.
    """
    index = {class_name(name): i for i, name in enumerate(classes)}
    used = Counter(dataset.classes[s.label] for s in dataset.samples if s.label is not None)
    if unknown := [name for name in dataset.classes if name in used and name not in index]:
        raise BadInput(
            f"{dataset.root} has pictures of {some(map(repr, unknown))}, but the classes of the model are "
            f"{some(map(repr, classes), 12)}; rename the folders or labels, or train a model on this data."
        )
    moved = [index.get(name, -1) for name in dataset.classes]
    samples = tuple(s if s.label is None else dataclasses.replace(s, label=moved[s.label]) for s in dataset.samples)
    return dataclasses.replace(dataset, classes=tuple(classes), samples=samples)


def must_be_trainable(dataset: Dataset, failures: Sequence[BadPicture] = ()) -> None:
    """Dataset and the pictures that could not be read -> nothing when a classifier can be trained on the rest.

    Raises BadInput for unlabelled pictures, one class only, a class that is unreadable or has one picture, no train
    fold beside given folds, and labels of val or test that never occur in train.
    """
    if any(s.label is None for s in dataset.samples) or not dataset.classes:
        raise BadInput(f"{dataset.root} has pictures without a label; training wants one folder per class or a table.")
    bad = {f.name: f for f in failures}
    there = Counter(dataset.classes[s.label] for s in dataset.samples if s.label is not None)
    readable = Counter(dataset.classes[s.label] for s in dataset.samples if s.label is not None and s.name not in bad)
    what = dataset.root + (f" (labels from column {dataset.label_column!r})" if dataset.label_column else "")
    if len(there) < 2:
        raise BadInput(f"{what} has one class only ({some(there)}); a classifier needs two or more to tell apart.")
    for name, pictures in there.items():
        if not readable[name]:
            first = next(f for s in dataset.samples if dataset.classes[s.label or 0] == name and (f := bad.get(s.name)))
            raise BadInput(
                f"No picture of class {name!r} in {dataset.root} can be read ({count(pictures, 'file')}; the first: "
                f"{first}); replace them or take the class out."
            )
    if small := [name for name in there if readable[name] == 1]:
        raise BadInput(
            f"{what} has one picture only of {some(map(repr, small))}; at least two are needed, one to learn "
            f"from and one to check."
        )
    _must_learn_all(dataset, bad)


def located(typed: str) -> Path:
    """What a person typed -> absolute path, so that stores mean the same in every process and working folder."""
    return Path(os.path.abspath(Path(typed).expanduser()))  # noqa: PTH100  resolve() would follow links


def not_there(typed: str, names: Sequence[str] = ()) -> BadInput:
    """A path that does not exist and the names it could have been -> the sentence with the nearest of them."""
    path = Path(typed).expanduser()
    try:
        beside = [p.name for p in path.parent.iterdir()]
    except OSError:
        beside = []
    also = f", and no data set by name ({', '.join(names)})" if names else ""
    return BadInput(f"{shown(typed)} is no file or folder{also}.{did_you_mean(path.name, [*beside, *names])}")


def _must_learn_all(dataset: Dataset, bad: dict[str, BadPicture]) -> None:
    """Given folds: there is a train fold, and every class of val and test occurs in it."""
    by_fold = Counter((s.fold, s.label) for s in dataset.samples if s.name not in bad)
    if not any(fold for fold, _ in by_fold):
        return
    learnt = {label for fold, label in by_fold if fold in ("train", None)}
    if not learnt:
        raise BadInput(f"{dataset.root} has no train fold; put the pictures to learn from into train/.")
    unlearnt = {dataset.classes[label] for _, label in by_fold if label is not None and label not in learnt}
    if unlearnt:
        known = [dataset.classes[label] for label in learnt if label is not None]
        raise BadInput(
            f"{dataset.root} has {some(map(repr, sorted(unlearnt)))} in val or test but never in train; add such "
            f"pictures to train or rename the folder." + did_you_mean(min(unlearnt), known)
        )


def _open_folder(typed: str, path: Path, listing: Listing, store: Store) -> Dataset:
    """Folder on disk with its listing: class folders of pictures, or Parquet files."""
    tables = [path / at for name, at in listing.named(".parquet")]
    if tables and not listing.has_pictures:
        skipped = tuple(
            (shown(n), "not a Parquet file") for n, _ in listing.files if not n.lower().endswith(".parquet")
        )
        folds = [fold_in_name(path, table) for table in tables]
        if any(folds) and not all(folds):
            odd = [shown(t.name) for t, f in zip(tables, folds, strict=True) if f is None]
            raise BadInput(
                f"{typed} has {some(odd)} beside tables of train and test, which is not a fold name; begin its name "
                f"with train, val or test, or move it away."
            )
        opened = open_parquet(typed, list(zip(tables, folds, strict=True)))
        return dataclasses.replace(opened, skipped=(*listing.skipped, *skipped))
    arranged = arrange(typed, listing)
    return Dataset(typed, arranged.classes, arranged.samples, store, arranged.skipped)


def _open_file(typed: str, path: Path) -> Dataset:
    if not path.is_file():
        raise BadInput(f"{shown(typed)} is neither a folder nor a regular file; give a folder, an archive or a table.")
    if is_picture_name(path.name):
        raise BadInput(f"{shown(typed)} is one picture; give the folder that holds one folder per class.")
    try:
        if is_parquet(path):
            return open_parquet(typed, [(path, None)])
        if not is_archive(path):
            return open_csv(typed, path)
    except OSError as error:
        raise BadInput(f"{shown(typed)} cannot be read ({error.strerror or error}).") from error
    listing, inside = list_archive(path, cache_folder())
    below = Path(inside.root) if isinstance(inside, FolderStore) else path
    return _open_folder(typed, below, listing, inside)
