"""What the checks found in these pictures before: unchanged pictures, labels and checks are not looked over again.

One small JSON file for each state of a data set, in the cache folder under a name that is a digest of all that the
checks read, their own source included: what has changed has another name.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.duplicates import Duplicate
from cutaway.dataset.pixels import PixelSet
from cutaway.dataset.samples import Dataset
from cutaway.errors import BadInput
from cutaway.reports import Finding
from cutaway.reports.codec import to_json, typed_from_json


@dataclass(frozen=True, slots=True)
class Known:
    """Copies of pictures and everything else that was found, as `checks.checking` told it."""

    copies: tuple[Duplicate, ...]
    findings: tuple[Finding, ...]


def key_of(dataset: Dataset, pixels: PixelSet, features: NDArray[np.float32] | None, *settings: object) -> str:
    """Data set, its fitted pictures, what labels are judged by (None: the pictures), settings -> digest."""
    text = hashlib.sha256(_checks().encode())
    text.update(
        repr((pixels.size, pixels.file.stem, dataset.classes, dataset.skipped, dataset.label_column, settings)).encode(
            *_ANY
        )
    )
    rows = zip(dataset.samples, pixels.sha256s, pixels.stored_sizes.tolist(), pixels.notes, strict=True)
    for sample, sha, size, notes in rows:
        text.update(repr((sample.name, sample.label, sample.fold, sha, size, notes)).encode(*_ANY))
    for failure in pixels.failures:
        text.update(repr((failure.name, failure.code, failure.detail)).encode(*_ANY))
    if features is not None:
        text.update(np.ascontiguousarray(features).tobytes())
    return text.hexdigest()[:32]


def recall(folder: Path, key: str) -> Known | None:
    """Cache folder, `key_of` -> what was kept under it; a file that is not there, or damaged, is made again."""
    try:
        return typed_from_json(_file(folder, key).read_text(encoding="utf-8"), Known)
    except (OSError, ValueError, BadInput):
        return None


def remember(folder: Path, key: str, known: Known) -> None:
    """A cache that cannot be written costs time, not the run."""
    file = _file(folder, key)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(to_json(known), encoding="utf-8")
        partial.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


_ANY = ("utf-8", "surrogatepass")  # names that are no UTF-8


def _file(folder: Path, key: str) -> Path:
    return folder / "checks" / f"{key}.json"


@functools.cache
def _checks() -> str:
    """() -> digest of the checks themselves: the source of this room, and the libraries that do the arithmetic."""
    source = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
    libraries = [
        f"{name} {importlib.metadata.version(name)}" for name in ("cutaway", "numpy", "scikit-learn", "cleanlab")
    ]
    return hashlib.sha256(source + " ".join(libraries).encode()).hexdigest()
