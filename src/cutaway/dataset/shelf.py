"""The pixel cache on disk: one file of fitted pictures per pixel_key, and one index of what is in it.

Why this shape. Rows are keyed by content, so a picture that moves, is copied or belongs to two data sets is stored
once, and a data set that grows costs only what is new; one file per data set would copy gigabytes for one added photo.
The index is SQLite in WAL mode: many readers, one writer at a time, and whatever process is killed leaves the last
committed state. A batch is written inside one write transaction: pixels behind the last row that the index knows,
flushed to disk, then the index. A killed writer leaves bytes that no index row names and that the next writer
overwrites. Pixels are written with write(), never through the map, so that a full disk is an error to be told and not
a dead process (SIGBUS).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.places import writing
from cutaway.errors import BadPicture, PictureCode
from cutaway.image import InputContract

FORMAT = 1
"""Raised whenever the same bytes would give other pixels: older rows are then never read again."""
PATIENCE = 120.0
"""Seconds to wait for another process that writes to the same cache."""
LASTING: frozenset[PictureCode] = frozenset(
    {"empty", "not-an-image", "truncated", "corrupt", "too-many-pixels", "too-many-bytes"}
)
"""Codes that say something about the file's bytes; the others (permission, memory, timeout...) are tried again."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS contents (stamp BLOB PRIMARY KEY, sha256 BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pixels (key TEXT, sha256 BLOB, row INTEGER NOT NULL, height INTEGER NOT NULL,
    width INTEGER NOT NULL, notes TEXT NOT NULL, PRIMARY KEY (key, sha256)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lengths (key TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (stamp BLOB, decoder TEXT, code TEXT NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (stamp, decoder)) WITHOUT ROWID;
CREATE TEMP TABLE asked (number INTEGER PRIMARY KEY, stamp BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One picture on the shelf: row in the pixel file, digest of its file, size as stored (height, width), notes."""

    row: int
    sha256: str
    size: tuple[int, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One decoded picture on its way to the shelf; `pixels` is uint8 (H, W, 3) at the contract's size."""

    pixels: NDArray[np.uint8]
    sha256: str
    size: tuple[int, int]
    notes: tuple[str, ...]


class Shelf:
    """The pixel file of one contract and the index, open for one call of `cache.fill`."""

    def __init__(self, folder: Path, contract: InputContract, decoder: str) -> None:
        self.folder, self.decoder = folder / "pixels", decoder
        self.key = f"{FORMAT}-{contract.pixel_key}"
        self.row_bytes = contract.size[0] * contract.size[1] * 3
        self.file = self.folder / f"{self.key}.rgb"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.file.touch()
            self.index = _open_index(self.folder / "index.sqlite")
            self._mend()

    def look_up(self, stamps: Sequence[str]) -> list[Stored | BadPicture | None]:
        """Stamps of samples -> what is known of each under this contract: its row, why it failed, or None."""
        keys = [_short(stamp) if stamp else b"" for stamp in stamps]
        with writing(self.folder):
            known: dict[int, Stored | BadPicture] = self._failures(keys)
            known.update(self._joined(keys))
        return [known.get(number) for number in range(len(keys))]

    def put(self, batch: Sequence[tuple[str, Fitted | BadPicture]]) -> list[Stored | BadPicture]:
        """(stamp, picture or failure) of a batch -> where each is now; all of it is on disk, or none.

        Raises BadInput when the disk is full or closed.
        """
        with writing(self.folder), self._transaction():
            placed = self._placed(batch)
            for (stamp, _), where in zip(batch, placed, strict=True):
                if isinstance(where, Stored) and stamp:
                    row = (_short(stamp), bytes.fromhex(where.sha256))
                    self.index.execute("INSERT OR REPLACE INTO contents VALUES (?, ?)", row)
                elif isinstance(where, BadPicture) and stamp and where.code in LASTING:
                    failure = (_short(stamp), self.decoder, where.code, where.detail)
                    self.index.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", failure)
            return placed

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.index.close()

    def _placed(self, batch: Sequence[tuple[str, Fitted | BadPicture]]) -> list[Stored | BadPicture]:
        length = self._length()
        placed: list[Stored | BadPicture] = []
        new: dict[str, Fitted] = {}
        for _, got in batch:
            if isinstance(got, BadPicture):
                placed.append(got)
                continue
            where = self._of_content(got.sha256)
            if where is None:
                where = Stored(length + len(new), got.sha256, got.size, got.notes)
                self._insert(where)
                new[got.sha256] = got
            placed.append(where)
        if new:
            self._append(length, list(new.values()))
        return placed

    def _append(self, length: int, pictures: Sequence[Fitted]) -> None:
        handle = os.open(self.file, os.O_RDWR | getattr(os, "O_BINARY", 0))
        with open(handle, "r+b", buffering=0) as file:  # noqa: PTH123
            file.seek(length * self.row_bytes)
            try:
                for picture in pictures:
                    _write_all(file.fileno(), np.ascontiguousarray(picture.pixels).tobytes())
                os.fsync(file.fileno())
            except OSError:
                file.truncate(length * self.row_bytes)  # a full disk gets back what did not fit
                raise
        self.index.execute("INSERT OR REPLACE INTO lengths VALUES (?, ?)", (self.key, length + len(pictures)))

    def _insert(self, where: Stored) -> None:
        row = (self.key, bytes.fromhex(where.sha256), where.row, *where.size, "\n".join(where.notes))
        self.index.execute("INSERT INTO pixels VALUES (?, ?, ?, ?, ?, ?)", row)

    def _of_content(self, sha256: str) -> Stored | None:
        ask = "SELECT sha256, row, height, width, notes FROM pixels WHERE key = ? AND sha256 = ?"
        row = self.index.execute(ask, (self.key, bytes.fromhex(sha256))).fetchone()
        return _stored(row) if row else None

    def _joined(self, keys: Sequence[bytes]) -> dict[int, Stored]:
        """Short stamps -> {number of the stamp: where its pixels are}; one join takes half the time of N questions."""
        ask = (
            "SELECT a.number, c.sha256, p.row, p.height, p.width, p.notes FROM asked a "
            "JOIN contents c ON c.stamp = a.stamp JOIN pixels p ON p.key = ? AND p.sha256 = c.sha256"
        )
        self.index.execute("BEGIN")  # a temporary table needs no write lock
        self.index.execute("DELETE FROM asked")
        self.index.executemany("INSERT INTO asked VALUES (?, ?)", enumerate(keys))
        self.index.execute("COMMIT")
        return {row[0]: _stored(row[1:]) for row in self.index.execute(ask, (self.key,))}

    def _failures(self, keys: Sequence[bytes]) -> dict[int, Stored | BadPicture]:
        ask = "SELECT stamp, code, detail FROM failures WHERE decoder = ?"
        failed = {s: BadPicture("", code, detail) for s, code, detail in self.index.execute(ask, (self.decoder,))}
        return {number: failed[key] for number, key in enumerate(keys) if key in failed}

    def _length(self) -> int:
        row = self.index.execute("SELECT rows FROM lengths WHERE key = ?", (self.key,)).fetchone()
        return int(row[0]) if row else 0

    def _mend(self) -> None:
        """Where the pixel file or the index was deleted or cut short, both begin anew.

        The file is replaced, not emptied: a process that still maps it keeps its pixels.
        """
        if self._agrees():
            return
        with self._transaction():
            if not self._agrees():
                self.index.execute("DELETE FROM pixels WHERE key = ?", (self.key,))
                self.index.execute("DELETE FROM lengths WHERE key = ?", (self.key,))
                self.file.unlink()
                self.file.touch()

    def _agrees(self) -> bool:
        """The file may be longer than the index says (a killed writer), but not shorter, nor without any row named."""
        named, there = self._length() * self.row_bytes, self.file.stat().st_size
        return there >= named and (named > 0 or there == 0)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Takes the write lock now, so that the length read inside is the length written behind."""
        self.index.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self.index.execute("ROLLBACK")
            raise
        self.index.execute("COMMIT")


def _open_index(path: Path) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    _switch_to_wal(index)
    index.execute("PRAGMA synchronous = NORMAL")
    index.execute("PRAGMA mmap_size = 268435456")
    index.execute("PRAGMA temp_store = MEMORY")
    index.executescript(SCHEMA)
    return index


def _switch_to_wal(index: sqlite3.Connection) -> None:
    """Where several processes open a new index at once, SQLite refuses all but one here, without its usual wait."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            index.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _stored(row: tuple[bytes, int, int, int, str]) -> Stored:
    sha256, place, height, width, notes = row
    return Stored(place, sha256.hex(), (height, width), tuple(notes.split("\n")) if notes else ())


def _short(stamp: str) -> bytes:
    """A stamp, which may hold a long path, -> 16 bytes."""
    return hashlib.blake2b(stamp.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _write_all(handle: int, data: bytes) -> None:
    """write() may take a part only, on a disk that is about to be full."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
