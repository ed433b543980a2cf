"""Where jobs write, and which files a result names: only those may be fetched."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cutaway.dataset.places import cache_folder, writing


def job_folder(name: str = "") -> Path:
    """() -> a new folder in the cache for what one job writes; a name -> always the same, where work is taken up."""
    folder = cache_folder() / "studio" / "jobs" / (name or secrets.token_hex(8))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=bool(name))
    return folder


def written(result: Any) -> tuple[Path, ...]:
    """A verb's result as JSON values -> files that it names and that lie where jobs write."""
    home = (cache_folder() / "studio" / "jobs").resolve()
    found = dict.fromkeys(Path(text) for text in _texts(result) if _may_be_a_path(text))
    return tuple(path for path in found if path.is_file() and path.resolve().is_relative_to(home))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value[:10_000]:
            yield from _texts(one)


def _may_be_a_path(text: str) -> bool:
    return 0 < len(text) < 4096 and ("/" in text or "\\" in text) and "\x00" not in text
