"""Pictures without labels, for prediction: files, folders, archives and samples -> one Dataset."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cutaway.dataset.archive import is_archive, list_archive
from cutaway.dataset.decode import fitted_picture
from cutaway.dataset.folder import FolderStore, list_folder
from cutaway.dataset.layout import Listing, Skipped, sift
from cutaway.dataset.named import dataset_names, open_named
from cutaway.dataset.places import cache_folder
from cutaway.dataset.sample_pictures import PREFIX, sample_path
from cutaway.dataset.samples import Dataset, Sample, Store
from cutaway.dataset.scan import located, not_there
from cutaway.dataset.words import is_picture_name, shown, some, unique
from cutaway.errors import BadInput
from cutaway.image import Image, InputContract

_NUMBERED = re.compile(rf"({'|'.join(map(re.escape, dataset_names()))}):(\d{{1,9}})")
"""digits:17 is picture 17 of the data set, which lists and reports call digits[17]."""


@dataclass(frozen=True, slots=True)
class JoinedStore:
    """Several stores as one; `Sample.at` is 'number of the store:its own at'."""

    stores: tuple[Store, ...]

    def read(self, sample: Sample, target_px: int | None = None) -> Image:
        store, inner = self.inner(sample)
        return store.read(inner, target_px)

    def read_fitted(self, sample: Sample, contract: InputContract) -> Image:
        store, inner = self.inner(sample)
        return fitted_picture(store, inner, contract)

    def stamp(self, sample: Sample) -> str:
        store, inner = self.inner(sample)
        return store.stamp(inner)

    def inner(self, sample: Sample) -> tuple[Store, Sample]:
        """Sample -> the store that holds it, and the sample as that store knows it."""
        number, _, at = str(sample.at).partition(":")
        return self.stores[int(number)], dataclasses.replace(sample, at=at)


def open_pictures(paths: Sequence[str | Path]) -> Dataset:
    """Picture files, folders (walked to the bottom), zips, tars, 'sample:cat', 'digits:17' -> unlabelled Dataset, in
    this order.

    A file that is named itself is taken whatever its ending. Samples are named as typed, with the way from there.
    Raises BadInput for a path that does not exist, a folder without a picture, and when nothing is given.
    """
    if not paths:
        raise BadInput("No picture was given; name a picture file, a folder, an archive or sample:cat.")
    found = [_open_one(os.fspath(path)) for path in paths]
    rows = [(number, name, at) for number, one in enumerate(found) for name, at in one.pictures]
    names = unique(name for _, name, _ in rows)
    samples = tuple(Sample(name, None, None, f"{n}:{at}") for name, (n, _, at) in zip(names, rows, strict=True))
    skipped = tuple(s for one in found for s in one.skipped)
    return Dataset(
        some([os.fspath(p) for p in paths], 3), (), samples, JoinedStore(tuple(one.store for one in found)), skipped
    )


@dataclass(frozen=True, slots=True)
class _Found:
    store: Store
    pictures: tuple[tuple[str, str], ...]
    """(name as a person knows it, at)."""
    skipped: tuple[Skipped, ...] = ()


def _open_one(typed: str) -> _Found:
    if typed.startswith(PREFIX):
        return _Found(FolderStore(""), ((typed, os.fspath(sample_path(typed))),))
    if numbered := _NUMBERED.fullmatch(typed):
        return _one_of(typed, numbered[1], int(numbered[2]))
    path = located(typed)
    if path.is_dir():
        return _below(typed, list_folder(path), FolderStore(os.fspath(path)))
    if not os.path.lexists(path):
        raise not_there(typed)
    if path.is_file() and not is_picture_name(path.name) and is_archive(path):
        return _below(typed, *list_archive(path, cache_folder()))
    return _Found(FolderStore(""), ((shown(typed), os.fspath(path)),))


def _one_of(typed: str, name: str, number: int) -> _Found:
    """A data set that is known by name, the number of a picture in it -> that one."""
    dataset = open_named(name)
    if number >= len(dataset):
        raise BadInput(f"{typed} is not there: {name} has {len(dataset):,} pictures, numbered from 0.")
    return _Found(dataset.store, ((typed, str(dataset.samples[number].at)),))


def _below(typed: str, listing: Listing, store: Store) -> _Found:
    pictures, skipped = sift(listing)
    if not pictures:
        raise BadInput(f"{shown(typed)} holds no picture; wanted are files like .jpg, .png, .webp or .heic.")
    return _Found(store, tuple(_named(typed, pictures)), tuple((_join(typed, n), why) for n, why in skipped))


def _named(typed: str, pictures: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((_join(typed, path), at) for path, at in pictures)


def _join(typed: str, path: str) -> str:
    return shown(f"{typed.rstrip('/')}/{path}")
