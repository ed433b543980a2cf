"""Album: the photos of a data set by name, for the page to show one of them and to open it elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from cutaway.errors import BadInput, one_line
from cutaway.studio.uploads import keep_bytes, path_of

if TYPE_CHECKING:
    from cutaway.dataset import Dataset
    from cutaway.image.picture import Pixels
    from cutaway.studio.desk import Desk


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
    from cutaway.dataset.folder import FolderStore
    from cutaway.dataset.loose import JoinedStore
    from cutaway.image.write import to_png

    store, sample = album.dataset.store, album.dataset.samples[number]
    if isinstance(store, JoinedStore):
        store, sample = store.inner(sample)
    if isinstance(store, FolderStore):
        return os.fspath(store.path(sample))
    stem = sample.name.rpartition("/")[2].replace("[", "-").replace("]", "").rsplit(".", 1)
    return keep_bytes(f"{'-'.join(stem)}.png", to_png(_read(album, number)))


def _read(album: Album, number: int, wanted: int | None = None) -> Pixels:
    with album.reading:
        return album.dataset.read(number, wanted).pixels
