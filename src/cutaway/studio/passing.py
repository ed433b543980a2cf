"""Webcam pictures: each is looked at once and replaced by the next, so only the last few are kept."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from cutaway.dataset.places import cache_folder, writing
from cutaway.errors import BadInput

PREFIX = "frame:"
KEPT = 24
MOST_BYTES = 4 * 2**20
_ADDRESS = re.compile(r"frame:([0-9a-f]{64})")


def frames_folder() -> Path:
    return cache_folder() / "studio" / "frames"


def keep_frame(data: bytes) -> str:
    """Bytes of a picture -> its address, good for the next KEPT pictures. Raises BadInput: empty, too large."""
    if not data or len(data) > MOST_BYTES:
        raise BadInput(f"A webcam picture has 1 to {MOST_BYTES / 2**20:.0f} MiB; this one has {len(data):,} bytes.")
    digest = hashlib.sha256(data).hexdigest()
    folder = frames_folder()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        half = folder / f".{digest}"
        half.write_bytes(data)
        half.replace(folder / f"{digest}.jpg")
        there = sorted(folder.glob("*.jpg"), key=lambda path: path.stat().st_mtime_ns)
        for old in there[:-KEPT]:
            old.unlink(missing_ok=True)
    return f"{PREFIX}{digest}"


def frame_path(typed: str) -> str:
    """frame:SHA -> the file. Raises BadInput where it has been replaced."""
    found = _ADDRESS.fullmatch(typed)
    path = frames_folder() / f"{found[1]}.jpg" if found else None
    if path is None or not path.is_file():
        raise BadInput("This webcam picture has been replaced by a newer one; take another.")
    return os.fspath(path)
