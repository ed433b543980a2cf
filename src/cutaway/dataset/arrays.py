"""Pictures that come as one array: kept as a .npy file in the cache folder and mapped, never copied to workers."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.places import build_once
from cutaway.dataset.samples import Dataset, Fold, Sample
from cutaway.image import Image

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ArrayStore:
    """Rows of a mapped uint8 array (N, H, W) or (N, H, W, 3); `Sample.at` is the row."""

    file: str

    def read(self, sample: Sample, target_px: int | None = None) -> Image:
        """Sample -> its picture, as stored: arrays are small, so `target_px` has nothing to save."""
        del target_px
        pixels = _mapped(self.file)[int(sample.at)]
        rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else np.array(pixels)  # (H, W, 3)
        digest = hashlib.sha256(f"{rgb.shape}".encode() + rgb.tobytes()).hexdigest()
        return Image(rgb, sample.name, digest, stored_size=rgb.shape[:2])

    def stamp(self, sample: Sample) -> str:
        """Sample -> folder name and row; the folder is named by data set and library version and never rewritten."""
        return f"{Path(self.file).parent.name}|{sample.at}"


@dataclass(frozen=True, slots=True)
class Part:
    """One fold of a data set as a library gives it: pixels (N, H, W) or (N, H, W, 3) uint8, labels (N,)."""

    fold: Fold | None
    pixels: Pixels
    labels: Sequence[int]


def keep(folder: Path, parts: Sequence[Part], classes: Sequence[str]) -> None:
    """Parts of one picture size -> `folder` with pixels.npy and rows.json, whole or not at all."""

    def build(draft: Path) -> None:
        np.save(draft / "pixels.npy", np.concatenate([p.pixels for p in parts]), allow_pickle=False)
        rows = {
            "classes": list(classes),
            "labels": [int(label) for p in parts for label in p.labels],
            "folds": [[p.fold, len(p.labels)] for p in parts],
        }
        (draft / "rows.json").write_text(json.dumps(rows), encoding="utf-8")

    build_once(folder, build)


def open_kept(root: str, folder: Path) -> Dataset | None:
    """What `keep` wrote -> Dataset whose samples are named 'train[17]'; None when it is not there."""
    try:
        rows: dict[str, Any] = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    folds: list[tuple[Fold | None, int]] = [(f, i) for f, length in rows["folds"] for i in range(length)]
    samples = tuple(
        Sample(f"{fold or root}[{i}]", label, fold, at)
        for at, ((fold, i), label) in enumerate(zip(folds, rows["labels"], strict=True))
    )
    return Dataset(root, tuple(rows["classes"]), samples, ArrayStore(str(folder / "pixels.npy")))


@functools.lru_cache(maxsize=4)
def _mapped(file: str) -> Pixels:
    pixels: Pixels = np.load(file, mmap_mode="r", allow_pickle=False)
    return pixels
