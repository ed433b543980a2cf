"""Vectors of many pictures -> a place for each on a plane: t-SNE, UMAP or PCA; the same places for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.steps import Steps
from cutaway.errors import BadInput, MissingExtra, must_be
from cutaway.events import Progress
from cutaway.explanation.neighbours import Floats, nearest

METHODS = ("tsne", "umap", "pca")
LEAST = 5
DIMENSIONS = 50
"""t-SNE and UMAP see the first so many principal components: van der Maaten & Hinton 2008 do so with 30."""
EARLY, LATE, STEP = 250, 500, 50  # iterations; progress is told after each step
_FFT_FROM = 3000  # points from which interpolating the repulsion is quicker than the tree


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """`xy` float64 (N, 2); `settings` as they were used (a perplexity too large for the data is made smaller);
    `meaning`: what may be read off the plane, in a sentence."""

    xy: NDArray[np.float64]
    method: str
    settings: Mapping[str, Any]
    meaning: str


def project(
    vectors: Floats, method: str, *, seed: int = 0, perplexity: float = 30.0, neighbours: int = 15,
    min_dist: float = 0.1,
) -> Steps[Projection]:  # fmt: skip
    """(N, D), one of METHODS -> Projection. One thread does the random part, so the same seed gives the same bits.

    Sources: openTSNE (Policar, Strazar & Zupan 2024), UMAP (McInnes, Healy & Melville 2018), scikit-learn's PCA.
    Departures: neighbours are exact, not approximate, and are taken among the first 50 principal components.
    Raises BadInput below 5 pictures, where all vectors are the same, and for an unknown method; MissingExtra for umap.
    """
    if method not in METHODS:
        raise must_be("method", ", ".join(METHODS), method)
    if len(vectors) < LEAST:
        raise must_be("A map", f"made of at least {LEAST} pictures that can be read", len(vectors))
    if not np.ptp(vectors, 0).any():
        raise BadInput(
            f"All {len(vectors):,} pictures have the same vector in this layer, so there is nothing to lay out; choose "
            "another --layer (`cutaway silent` lists the channels that never fire)."
        )
    if method == "umap":
        _need_umap()
    parts, shares = _principal(vectors, 2 if method == "pca" else DIMENSIONS, seed)
    if method == "pca":
        told = "both" if parts.shape[1] > 1 else "the first"
        meaning = (
            f"The axes are the two directions of largest variance and hold {shares[:2].sum():.1%} of it together "
            f"({told} to one scale); what lies far apart here is far apart in the layer, not the other way round."
        )
        xy = parts if parts.shape[1] > 1 else np.pad(parts, ((0, 0), (0, 1)))
        return Projection(xy, method, {"seed": seed}, meaning)
    if method == "umap":
        return (yield from _umap(parts, seed, neighbours, min_dist))
    return (yield from _tsne(parts, seed, perplexity))


_FAR = (
    "Who lies next to whom means something; the axes, the size of a cluster and the distance between two clusters do "
    "not."
)


def _principal(vectors: Floats, most: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """-> coordinates along the principal components, largest variance first, and the share of variance of each."""
    from sklearn.decomposition import PCA

    points = np.asarray(vectors, np.float64)
    made = PCA(min(most, *points.shape), random_state=seed)
    return made.fit_transform(points), made.explained_variance_ratio_


def _tsne(parts: NDArray[np.float64], seed: int, perplexity: float) -> Steps[Projection]:
    from openTSNE import TSNEEmbedding, affinity, initialization
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    used = min(perplexity, (len(parts) - 1) / 3)
    found = yield from nearest(parts, min(len(parts) - 1, max(1, int(3 * used))))
    alike = affinity.PerplexityBasedNN(perplexity=used, knn_index=PrecomputedNeighbors(*found), random_state=seed)
    width = min(2, parts.shape[1])
    start = np.zeros((len(parts), 2))
    start[:, :width] = parts[:, :width]
    start = initialization.jitter(initialization.rescale(start), random_state=seed)
    way = "fft" if len(parts) >= _FFT_FROM else "bh"
    places = TSNEEmbedding(start, alike, negative_gradient_method=way, random_state=seed, n_jobs=1)
    for done in range(0, EARLY + LATE, STEP):
        early = done < EARLY
        yield Progress("t-SNE", done, EARLY + LATE, "iterations")
        places.optimize(
            STEP,
            inplace=True,
            propagate_exception=True,
            exaggeration=12 if early else 1,
            momentum=0.5 if early else 0.8,
        )
    yield Progress("t-SNE", EARLY + LATE, EARLY + LATE, "iterations")
    settings = {"seed": seed, "perplexity": round(used, 3), "iterations": EARLY + LATE, "components": parts.shape[1]}
    return Projection(np.asarray(places, np.float64), "tsne", settings, _FAR)


def _umap(parts: NDArray[np.float64], seed: int, neighbours: int, min_dist: float) -> Steps[Projection]:
    UMAP = _need_umap()  # noqa: N806  as its authors write it
    count = len(parts)
    used = min(neighbours, count - 1)
    near, far = yield from nearest(parts, used - 1) if used > 1 else nearest(parts, 1)
    itself = np.arange(count)[:, None]
    graph = (np.hstack([itself, near]), np.hstack([np.zeros((count, 1)), far]))  # UMAP counts a point as its own first
    yield Progress("UMAP", 0, 1, "maps")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one thread for a seed, of small graphs
        made = UMAP(
            n_neighbors=used, min_dist=min_dist, random_state=seed, n_jobs=1, precomputed_knn=graph,
            init="pca" if count <= 2 * used else "spectral",
        )  # fmt: skip
        xy = made.fit_transform(parts.astype(np.float32))
    yield Progress("UMAP", 1, 1, "maps")
    settings = {"seed": seed, "neighbours": used, "min_dist": min_dist, "components": parts.shape[1]}
    return Projection(np.asarray(xy, np.float64), "umap", settings, _FAR)


def _need_umap() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from umap import UMAP
    except ImportError:
        raise MissingExtra("A map by UMAP", "umap") from None
    return UMAP
