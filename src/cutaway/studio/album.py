"""Album: the photos of a data set by name, for the page to show one of them and to open it elsewhere."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from cutaway.errors import BadInput, one_line
from cutaway.studio.uploads import keep_bytes, path_of

if TYPE_CHECKING:
    from cutaway.dataset import Dataset
    from cutaway.image.picture import Pixels
    from cutaway.studio.desk import Desk

MOST_COPIED = 5_000
"""Photos that are no files of their own are copied when some of them become a data set."""


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """A data set as it was opened, and the number of each of its photos by name. Its store is read by one at a time."""

    typed: str
    dataset: Dataset
    numbers: dict[str, int]
    reading: Lock = field(default_factory=Lock)

    def number(self, name: str) -> int:
        """Raises BadInput where the data set has no such photo."""
        try:
            return self.numbers[name]
        except KeyError:
            raise BadInput(
                f"{self.typed} has no photo {one_line(name, 120)!r} (any more); put it back, or make this anew."
            ) from None


def album_of(desk: Desk, typed: str) -> Album:
    """Data set's address -> its Album, opened once. Raises BadInput, Offline."""
    path = path_of(typed)

    def opened() -> Album:
        from cutaway.verbs.photos import open_photos

        dataset, _, _ = open_photos(path, ())
        return Album(path, dataset, {s.name: i for i, s in enumerate(dataset.samples)})

    return desk.albums.get(path, opened)


def found_in(desk: Desk, typed: str, name: str) -> tuple[Album, int]:
    """Data set's address, photo's name -> its Album, opened anew where it lacks the name; the photo's number."""
    album = album_of(desk, typed)
    if name not in album.numbers:
        desk.albums.drop(album.typed)
        album = album_of(desk, typed)
    return album, album.number(name)


def small_photo(album: Album, number: int, side: int) -> bytes:
    """-> JPEG, its longer side at most `side` pixels. Raises BadPicture."""
    from cutaway.image.write import thumbnail

    return thumbnail(_read(album, number, side), side)


def address_of_photo(album: Album, number: int) -> str:
    """-> what goes where a picture is named: the path of a photo that is a file, else that of a copy among the uploads,
    with the same pixels. Raises BadPicture."""
    from cutaway.image.write import to_png

    if path := _file_of(album, number):
        return path
    stem = album.dataset.samples[number].name.rpartition("/")[2].replace("[", "-").replace("]", "").rsplit(".", 1)
    return keep_bytes(f"{'-'.join(stem)}.png", to_png(_read(album, number)))


def part_of(album: Album, numbers: Sequence[int]) -> str:
    """Some photos of an album -> the address of a data set of these alone: a table of their paths where they are
    labelled files, else a zip of copies. Raises BadInput for no photo, or for too many to copy; BadPicture."""
    if not numbers:
        raise BadInput("No photo was chosen; draw around some, or choose a class.")
    dataset = album.dataset
    paths = [_file_of(album, number) for number in numbers]
    labels = [dataset.samples[number].label for number in numbers]
    if None not in paths and None not in labels:
        rows = [(str(path), dataset.classes[int(label or 0)]) for path, label in zip(paths, labels, strict=True)]
        text = io.StringIO(newline="")
        csv.writer(text).writerows([("path", "label"), *rows])
        return keep_bytes(f"part-of-{_title(album)}.csv", text.getvalue().encode("utf-8", "surrogateescape"))
    if len(numbers) > MOST_COPIED:
        raise BadInput(
            f"{len(numbers):,} photos of {album.typed} would have to be copied; choose {MOST_COPIED:,} at most."
        )
    return keep_bytes(f"part-of-{_title(album)}.zip", _zipped(album, numbers))


def _zipped(album: Album, numbers: Sequence[int]) -> bytes:
    """-> a zip of PNGs with the exact pixels, in a folder for each class; the same bytes for the same photos."""
    from cutaway.image.write import to_png

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as into:
        for number in numbers:
            label = album.dataset.samples[number].label
            folder = "" if label is None else f"{album.dataset.classes[label].replace('/', '-')}/"
            into.writestr(zipfile.ZipInfo(f"{folder}{number}.png"), to_png(_read(album, number)))
    return file.getvalue()


def _title(album: Album) -> str:
    return os.path.basename(album.typed.rstrip("/")).rsplit(".", 1)[0] or "photos"  # noqa: PTH119  a name is no path


def _file_of(album: Album, number: int) -> str | None:
    """-> the path of a photo that is a file of its own."""
    from cutaway.dataset.folder import FolderStore
    from cutaway.dataset.loose import JoinedStore

    store, sample = album.dataset.store, album.dataset.samples[number]
    if isinstance(store, JoinedStore):
        store, sample = store.inner(sample)
    return os.fspath(store.path(sample)) if isinstance(store, FolderStore) else None


def _read(album: Album, number: int, wanted: int | None = None) -> Pixels:
    with album.reading:
        return album.dataset.read(number, wanted).pixels
