"""Pictures in a folder: a walk that survives strange names, links and locked folders, and the store that reads them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cutaway.dataset.layout import Listing
from cutaway.dataset.samples import Sample
from cutaway.dataset.words import is_hidden, shown
from cutaway.image import Image, InputContract


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Files under the absolute folder `root`; `Sample.at` is the path from there, or an absolute one."""

    root: str

    def read(self, sample: Sample, target_px: int | None = None) -> Image:
        """Sample -> its picture. Raises BadPicture with the sample's name."""
        from cutaway.image.read import read_image

        return read_image(Path(self.path(sample)), target_px, name=sample.name)

    def read_fitted(self, sample: Sample, contract: InputContract) -> Image:
        """Sample, contract -> its picture at the contract's size. Raises BadPicture with the sample's name."""
        from cutaway.image.fit import read_fitted

        return read_fitted(Path(self.path(sample)), contract, name=sample.name)

    def stamp(self, sample: Sample) -> str:
        """Sample -> path, bytes and modification time; '' when the file cannot be asked."""
        return file_stamp(self.path(sample))

    def path(self, sample: Sample) -> str:
        return os.path.join(self.root, str(sample.at))  # noqa: PTH118  Path() is 10 times slower and this runs per picture


def file_stamp(path: str) -> str:
    """Absolute path -> 'path|bytes|nanoseconds', a text that changes when the file does; '' when it cannot be asked."""
    try:
        facts = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return ""
    return f"{path}|{facts.st_size}|{facts.st_mtime_ns}"


def list_folder(root: str | Path) -> Listing:
    """Folder -> every file below it, as '/'-joined paths; links to folders are not followed, errors are collected."""
    walk = _Walk(os.fspath(root))
    while walk.waiting:
        walk.enter(walk.waiting.pop())
    return Listing(tuple((path, path) for path in walk.files), tuple(walk.folders), tuple(walk.skipped))


@dataclass(slots=True)
class _Walk:
    root: str
    waiting: list[str] = field(default_factory=lambda: [""])
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def enter(self, folder: str) -> None:
        """Folder below the root ('' or 'a/b/') -> its entries sorted into files, folders to enter and skipped."""
        try:
            with os.scandir(self.root + "/" + folder if folder else self.root) as entries:
                for entry in entries:
                    self._place(entry, folder + entry.name)
        except OSError as error:
            self.skipped.append((shown(folder) or ".", f"folder cannot be read ({error.strerror or error})"))

    def _place(self, entry: os.DirEntry[str], path: str) -> None:
        try:
            if is_hidden(entry.name):
                kind = "folder" if entry.is_dir(follow_symlinks=False) else "file"
                self.skipped.append((shown(path), f"hidden {kind}"))
            elif entry.is_dir(follow_symlinks=False):
                self.folders.append(path)
                self.waiting.append(path + "/")
            elif entry.is_file():
                self.files.append(path)
            else:
                self.skipped.append((shown(path), _odd(entry)))
        except OSError as error:
            self.skipped.append((shown(path), f"cannot be read ({error.strerror or error})"))


def _odd(entry: os.DirEntry[str]) -> str:
    if not entry.is_symlink():
        return "not a regular file"
    return "link to a folder" if entry.is_dir() else "link that leads nowhere"
