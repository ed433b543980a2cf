"""Pictures in a zip or tar: read in place; a compressed tar is unpacked once into the cache folder."""

from __future__ import annotations

import functools
import hashlib
import json
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from cutaway.dataset.encoded import EncodedStore
from cutaway.dataset.folder import FolderStore, file_stamp, list_folder
from cutaway.dataset.layout import TABLES, File, Listing, Skipped
from cutaway.dataset.places import build_once
from cutaway.dataset.samples import Sample
from cutaway.dataset.words import is_picture_name, shown
from cutaway.errors import BadInput, BadPicture

BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError)
MOST_BYTES = 512 * 2**20
"""Members above this are skipped: the picture loader refuses them too."""
LEAVES = "leaves the folder it is unpacked in"


@dataclass(frozen=True, slots=True)
class ZipStore(EncodedStore):
    """Members of a zip, read in place; `Sample.at` is the member's place in the zip's own list."""

    archive: str

    def stamp(self, sample: Sample) -> str:
        return _member_stamp(self.archive, sample)

    def content(self, sample: Sample) -> bytes:
        """Sample -> the bytes of its file. Raises BadPicture with the sample's name."""
        try:
            opened = _open_zip(self.archive, file_stamp(self.archive))
            return opened.read(opened.infolist()[int(sample.at)])
        except (OSError, IndexError, *BROKEN) as error:
            raise _not_given(sample, error) from error


@dataclass(frozen=True, slots=True)
class TarStore(EncodedStore):
    """Members of a plain tar, read in place; `Sample.at` is 'offset:bytes'."""

    archive: str

    def stamp(self, sample: Sample) -> str:
        return _member_stamp(self.archive, sample)

    def content(self, sample: Sample) -> bytes:
        """Sample -> the bytes of its file. Raises BadPicture with the sample's name."""
        offset, size = map(int, str(sample.at).split(":"))
        try:
            with open(self.archive, "rb") as file:  # noqa: PTH123
                file.seek(offset)
                return file.read(size)
        except OSError as error:
            raise _not_given(sample, error) from error


def _not_given(sample: Sample, error: Exception) -> BadPicture:
    return BadPicture(sample.name, "unreadable", f"the archive does not give it: {error}")


def is_archive(path: Path) -> bool:
    """File -> whether it is a zip or a tar by content, or claims to be one by name."""
    if path.name.lower().endswith((".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")):
        return True
    return zipfile.is_zipfile(path) or _is_tar(path)


def list_archive(path: Path, cache: Path) -> tuple[Listing, ZipStore | TarStore | FolderStore]:
    """Archive -> its files and the store that reads them: in place, or from the folder where they were unpacked.

    A compressed tar, and any archive that holds tables instead of pictures, is unpacked into `cache` once.
    Raises BadInput when the archive is damaged.
    """
    try:
        listing, store = _in_place(path)
        if store is not None and (listing.has_pictures or not listing.named(*TABLES)):
            return listing, store
        folder, skipped = _unpack(path, cache)
    except (*BROKEN, ValueError) as error:
        raise BadInput(f"{path} is a damaged archive ({error}); pack or download it again.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read as an archive ({error.strerror or error}).") from error
    inside = list_folder(folder)
    return Listing(inside.files, inside.folders, inside.skipped + skipped), FolderStore(os.fspath(folder))


def _in_place(path: Path) -> tuple[Listing, ZipStore | TarStore | None]:
    if zipfile.is_zipfile(path):
        return _list_zip(path), ZipStore(os.fspath(path))
    if not _is_tar(path, "r:"):
        return Listing(()), None
    with tarfile.open(path, "r:") as plain:
        return _list_tar(plain, path.stat().st_size), TarStore(os.fspath(path))


def _list_zip(path: Path) -> Listing:
    files: list[File] = []
    folders: list[str] = []
    skipped: list[Skipped] = []
    with zipfile.ZipFile(path) as opened:
        for number, member in enumerate(opened.infolist()):
            name = _inside(member.filename)
            if reason := _refused_zip(member, name):
                skipped.append((shown(member.filename), reason))
            elif member.is_dir():
                folders.append(name)
            else:
                files.append((name, str(number)))
    return Listing(tuple(files), tuple(folders), tuple(skipped))


def _refused_zip(member: zipfile.ZipInfo, name: str) -> str:
    if not name:
        return LEAVES
    if member.flag_bits & 0x1:
        return "encrypted"
    if (member.external_attr >> 16) & 0o170000 == 0o120000:
        return "link"
    return "more than 512 MiB" if member.file_size > MOST_BYTES else ""


def _list_tar(plain: tarfile.TarFile, size: int) -> Listing:
    files: list[File] = []
    folders: list[str] = []
    skipped: list[Skipped] = []
    for member in plain:
        name = _inside(member.name)
        if reason := _refused_tar(member, name):
            skipped.append((shown(member.name), reason))
        elif member.isdir():
            folders.append(name)
        elif member.offset_data + member.size > size:
            raise tarfile.ReadError(f"it ends in the middle of {shown(member.name)}")
        else:
            files.append((name, f"{member.offset_data}:{member.size}"))
    return Listing(tuple(files), tuple(folders), tuple(skipped))


def _refused_tar(member: tarfile.TarInfo, name: str) -> str:
    if not name and member.name.strip("./"):
        return LEAVES
    if member.issym() or member.islnk():
        return "link"
    if not (member.isdir() or member.isreg()) or member.issparse():
        return "not a regular file"
    return "more than 512 MiB" if member.size > MOST_BYTES else ""


def _inside(name: str) -> str:
    """Member name -> the same as a clean relative path, '' when it leaves the folder it would be unpacked in."""
    name = name.replace("\\", "/")
    parts = [p for p in name.split("/") if p not in ("", ".")]
    absolute = name.startswith("/") or (len(name) > 1 and name[1] == ":")
    return "" if absolute or ".." in parts else "/".join(parts)


def _unpack(path: Path, cache: Path) -> tuple[Path, tuple[Skipped, ...]]:
    """Archive -> (folder in the cache with its pictures and tables, members passed over)."""
    key = hashlib.sha256(file_stamp(os.fspath(path)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    target = cache / "unpacked" / key
    build_once(target, lambda draft: _write_members(path, draft))
    skipped = json.loads((target / "skipped.json").read_text(encoding="utf-8"))
    return target / "files", tuple((name, reason) for name, reason in skipped)


def _write_members(path: Path, draft: Path) -> None:
    skipped: list[Skipped] = []
    (draft / "files").mkdir()
    for name, shown_name, reason, content in _members(path):
        if reason or content is None:
            skipped.append((shown_name, reason))
            continue
        target = draft / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
    (draft / "skipped.json").write_text(json.dumps(skipped), encoding="utf-8")


def _members(path: Path) -> Iterator[tuple[str, str, str, IO[bytes] | None]]:
    """Archive -> (clean path, name as shown, why it is passed over, content) of each file; names come once."""
    seen: set[str] = set()
    for name, raw, reason, content in _zip_members(path) if zipfile.is_zipfile(path) else _tar_members(path):
        if not reason and not (is_picture_name(name) or name.lower().endswith(TABLES)):
            reason = "not a picture file by its ending"
        if not reason and name in seen:
            reason = "a second member of the same name"
        seen.add(name)
        yield name, shown(raw), reason, content


def _tar_members(path: Path) -> Iterator[tuple[str, str, str, IO[bytes] | None]]:
    with tarfile.open(path, "r:*") as opened:
        for member in opened:
            name = _inside(member.name)
            reason = _refused_tar(member, name)
            if reason or not member.isdir():
                yield name, member.name, reason, None if reason else opened.extractfile(member)


def _zip_members(path: Path) -> Iterator[tuple[str, str, str, IO[bytes] | None]]:
    with zipfile.ZipFile(path) as opened:
        for member in opened.infolist():
            name = _inside(member.filename)
            reason = _refused_zip(member, name)
            if reason or not member.is_dir():
                yield name, member.filename, reason, None if reason else opened.open(member)


def _is_tar(path: Path, mode: Literal["r:", "r:*"] = "r:*") -> bool:
    """File, compressions to try -> whether a tar's first header can be read."""
    try:
        tarfile.open(path, mode).close()
    except BROKEN:
        return False
    return True


def _member_stamp(archive: str, sample: Sample) -> str:
    stamp = file_stamp(archive)
    return f"{stamp}|{sample.at}" if stamp else ""


@functools.lru_cache(maxsize=4)
def _open_zip(path: str, stamp: str) -> zipfile.ZipFile:
    """The zip kept open in this process; `stamp` is part of the key so that a changed file is opened anew."""
    del stamp
    return zipfile.ZipFile(path)
