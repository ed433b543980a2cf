"""Files that were dropped on the page: kept in the cache under the digest of their content, so that an address that
names one works again after a restart."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from cutaway.dataset.places import cache_folder, writing
from cutaway.errors import BadInput, one_line
from cutaway.studio import passing
from cutaway.verbs.model_name import AS, named_network

PREFIX = "upload:"
MOST_BYTES = 2 * 2**30
_ADDRESS = re.compile(r"upload:([0-9a-f]{64})/([^/\\\x00]{1,200})")


def uploads_folder() -> Path:
    return cache_folder() / "studio" / "uploads"


def address_of(digest: str, name: str) -> str:
    return f"{PREFIX}{digest}/{name}"


def path_of(typed: str) -> str:
    """What an address names: for upload:SHA/NAME and frame:SHA the file in the cache, anything else as it is; in
    as:NETWORK:ADDRESS the address alone is replaced.

    Raises BadInput for one that is not there any more.
    """
    network, typed = named_network(typed)
    return f"{AS}{network}:{_kept(typed)}" if network else _kept(typed)


def _kept(typed: str) -> str:
    if typed.startswith(passing.PREFIX):
        return passing.frame_path(typed)
    if not typed.startswith(PREFIX):
        return typed
    found = _ADDRESS.fullmatch(typed)
    path = uploads_folder() / found[1] / found[2] if found else None
    if found is None or path is None or not path.is_file():
        name = found[2] if found else typed.removeprefix(PREFIX)
        raise BadInput(f"{one_line(name, 80)} was dropped on the page earlier and is no longer kept; drop it again.")
    return os.fspath(path)


def as_dropped(text: str) -> str:
    """A sentence -> the same with dropped files under the names that they had, not where they lie in the cache."""
    return re.sub(re.escape(f"{uploads_folder()}{os.sep}") + r"[0-9a-f]{64}" + re.escape(os.sep), "", text)


async def keep_upload(name: str, chunks: AsyncIterator[bytes], most: int = MOST_BYTES) -> tuple[str, int]:
    """File name as the browser tells it, its bytes -> address and size. Written beside, then moved: never half a file.

    Raises BadInput for a file that is larger than `most` bytes, empty, or cannot be kept.
    """
    plain = plain_name(name)
    folder = uploads_folder()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, half = tempfile.mkstemp(dir=folder, prefix=".half-")
        sha, size = hashlib.sha256(), 0
        try:
            with os.fdopen(handle, "wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > most:
                        raise BadInput(f"{plain} has more than {most / 2**20:,.0f} MiB, the most the studio takes.")
                    sha.update(chunk)
                    file.write(chunk)
            if not size:
                raise BadInput(f"{plain} is empty; choose another file.")
            kept = folder / sha.hexdigest() / plain
            kept.parent.mkdir(exist_ok=True)
            Path(half).replace(kept)
        finally:
            Path(half).unlink(missing_ok=True)
    return address_of(sha.hexdigest(), plain), size


def keep_bytes(name: str, data: bytes) -> str:
    """What a file is called, its content -> its address: for a picture that is no file of its own."""
    plain, digest = plain_name(name), hashlib.sha256(data).hexdigest()
    kept = uploads_folder() / digest / plain
    with writing(uploads_folder()):
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not kept.is_file():
            handle, half = tempfile.mkstemp(dir=uploads_folder(), prefix=".half-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(half).replace(kept)
    return address_of(digest, plain)


def plain_name(name: str) -> str:
    """A name from outside -> one that is a file's name here and nothing else, its ending kept."""
    last = re.split(r"[/\\]", one_line(name))[-1]
    plain = re.sub(r"[^\w .()+-]", "_", last).strip(" .") or "file"
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[:80]}.{ending[:20]}" if dot and stem else plain[:100]
