"""Where Cutaway keeps what it can rebuild, and what is said when that disk is full or closed."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cutaway.errors import BadInput

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def cache_folder() -> Path:
    """The folder for pixels, unpacked archives and downloads: $CUTAWAY_CACHE, or the platform's user cache."""
    if given := os.environ.get("CUTAWAY_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "cutaway" / "cache"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/cutaway").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cutaway"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns a full or closed disk into one sentence that names the folder, the free bytes and $CUTAWAY_CACHE."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL or (error.errno is None and "requested and" in str(error)):  # numpy's short write
            raise _full(folder) from error
        if error.errno in CLOSED:
            raise _closed(folder, error.strerror or str(error)) from error
        raise
    except sqlite3.DatabaseError as error:
        if "full" in str(error):
            raise _full(folder) from error
        if "malformed" in str(error) or "not a database" in str(error):
            raise BadInput(
                f"The index of the cache folder {folder} is damaged ({error}); delete the folder, everything in it can "
                f"be rebuilt."
            ) from error
        raise _closed(folder, str(error)) from error


def build_once(target: Path, build: Callable[[Path], None]) -> None:
    """Folder to make, function that fills an empty folder -> `target` exists, complete, whoever else builds it now.

    A build that fails or is killed leaves no `target`; of two processes that build at once the first one counts.
    """
    if target.exists():
        return
    with writing(target.parent):
        draft = target.parent / f".{target.name}-{uuid.uuid4().hex[:8]}"
        draft.mkdir(parents=True)
        try:
            build(draft)
            draft.rename(target)
        except OSError:
            if not target.exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _full(folder: Path) -> BadInput:
    return BadInput(
        f"The disk of the cache folder {folder} is full ({_free(folder):,} bytes are free); make room, or set "
        f"$CUTAWAY_CACHE to a folder on a larger disk. What was already stored is kept."
    )


def _closed(folder: Path, detail: str) -> BadInput:
    return BadInput(
        f"The cache folder {folder} cannot be written ({detail}); set $CUTAWAY_CACHE to a folder that you may write to."
    )


def _free(folder: Path) -> int:
    there = next((p for p in (folder, *folder.parents) if p.exists()), Path())
    return shutil.disk_usage(there).free
