"""Pictures -> feature vectors of a frozen backbone, computed once: every epoch and every later run reuses them."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.fast import BATCH, fast_twin
from cutaway.engine.prepare import prepare
from cutaway.events import Progress
from cutaway.graph.digest import digest
from cutaway.model.backbone import Backbone
from cutaway.training.source import Rows

_ON_GPU = 256


def embed(
    backbone: Backbone,
    rows: Rows,
    sha256s: Sequence[str],
    *,
    cache: Path | None,
    device: torch.device | None = None,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Backbone, picture reader and the pictures' digests -> float32 (N, features), in their order.

    The result is kept in `cache` under a name made of the backbone's weights, its contract and the digests.
    """
    n = len(sha256s)
    file = cache / "embeddings" / f"{_key(backbone, sha256s)}.npy" if cache else None
    kept = _kept(file, (n, backbone.features)) if file is not None else None
    if kept is not None:
        yield Progress("embed", n, n, "pictures")
        return kept
    device = device or torch.device("cpu")
    vectors = np.empty((n, backbone.features), np.float32)
    graph = fast_twin(backbone.graph).to(device)
    batch = BATCH if device.type == "cpu" else _ON_GPU
    for start in range(0, n, batch):
        at = np.arange(start, min(start + batch, n))
        with torch.inference_mode():
            x = prepare(torch.from_numpy(rows(at)).to(device), backbone.contract)
            vectors[at] = graph(x).float().cpu().numpy()
        yield Progress("embed", int(at[-1]) + 1, n, "pictures")
    if file is not None:
        _keep(file, vectors)
    return vectors


def _key(backbone: Backbone, sha256s: Sequence[str]) -> str:
    text = "\n".join([digest(backbone.graph), repr(backbone.contract), *sha256s])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _kept(file: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """A kept file that is not there, or damaged, is made again."""
    try:
        vectors: NDArray[np.float32] = np.load(file)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.shape == shape and vectors.dtype == np.float32 else None


def _keep(file: Path, vectors: NDArray[np.float32]) -> None:
    """A cache that cannot be written costs time, not the run."""
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as handle:
            np.save(handle, vectors)
        partial.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
