"""Evidence: what reading every picture of a data set once has told, row by row; all that the checks look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.duplicates import Duplicate
from cutaway.dataset.samples import Dataset
from cutaway.errors import BadInput, BadPicture


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything is aligned with Dataset.samples (N rows); rows where `ok` is False hold no picture.

    `features` may be classical (`features.features`) or a network's embeddings; without them labels are not checked.
    `copies` may be handed in where the caller has them already (they also group the splits); None: found by the check.
    """

    pixels: NDArray[np.uint8]
    """uint8 (N, h, w, 3): the whole picture squashed to a small square, 64 x 64 say."""
    ok: NDArray[np.bool_]
    failures: tuple[BadPicture, ...]
    sha256s: tuple[str, ...]
    stored_sizes: NDArray[np.int64]
    """(N, 2) height and width in the file."""
    notes: tuple[tuple[str, ...], ...] = ()
    """What the loader did beyond decoding, per picture (Image.notes)."""
    formats: tuple[str, ...] = ()
    """Format of the content as Pillow names it ("JPEG"), "" where unknown; () skips the check of endings."""
    features: NDArray[np.float32] | None = None
    copies: tuple[Duplicate, ...] | None = None


def check_alignment(dataset: Dataset, evidence: Evidence) -> None:
    """Raises BadInput where a part of the evidence has another number of rows than the data set."""
    rows = len(dataset)
    for name in ("pixels", "ok", "sha256s", "stored_sizes", "notes", "formats", "features"):
        part = getattr(evidence, name)
        optional = name in ("notes", "formats") and not part
        if part is not None and not optional and len(part) != rows:
            raise BadInput(f"Evidence must have one row per picture: {name} has {len(part)} for {rows} pictures.")
