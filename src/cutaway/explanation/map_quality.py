"""A map and the vectors it was made of -> how much of what lies together there lies together in truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.steps import Steps
from cutaway.events import Progress
from cutaway.explanation.neighbours import Floats, distance_rows, nearest, smallest, voted

NEIGHBOURS = 10


@dataclass(frozen=True, slots=True, eq=False)
class MapQuality:
    """`trustworthiness` in [0, 1] (Venna & Kaski 2001, as scikit-learn has it): 1 where no point has a stranger for a
    neighbour on the map. `kept`: of each point's `k` nearest in the layer's space, the share that is among its k
    nearest on the map; `kept_by_chance` is what scattered points would keep. `knn_layer`, `knn_map`: of `judged`
    labelled pictures how many the k nearest others name rightly, leave-one-out, in the layer's space and on the map;
    None without two classes. `agree` (N,): of a picture's k nearest in the layer's space, the share with its own label,
    NaN without labels; `among` (N,): the label that is commonest there, -1 without. `near` (N, k): those k nearest,
    the nearest first.
    """

    k: int
    trustworthiness: float
    kept: float
    kept_by_chance: float
    judged: int
    knn_layer: int | None
    knn_map: int | None
    agree: NDArray[np.float64]
    among: NDArray[np.int64]
    near: NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "k": self.k, "trustworthiness": round(self.trustworthiness, 6), "kept": round(self.kept, 6),
            "kept_by_chance": round(self.kept_by_chance, 6), "judged": self.judged,
        }  # fmt: skip
        for name, right in (("knn_layer", self.knn_layer), ("knn_map", self.knn_map)):
            found[name] = None if right is None else round(right / self.judged, 6)
        return found


def map_quality(
    vectors: Floats, xy: Floats, labels: NDArray[np.int64] | None = None, k: int = NEIGHBOURS
) -> Steps[MapQuality]:
    """Vectors (N, D), their places (N, 2), labels (N,) (negative: none) -> MapQuality, all by Euclidean distance.

    k is at most (N - 1) / 2, what trustworthiness is defined for. Equal vectors count as nearer than they are ranked.
    """
    count = len(vectors)
    k = max(1, min(k, (count - 1) // 2))
    near_map, _ = yield from nearest(xy, k, "neighbours on the map")
    near = np.empty((count, k), np.int64)
    strangers = 0
    for rows, squared in distance_rows(vectors):
        near[rows] = smallest(squared, k)
        to_mapped = np.take_along_axis(squared, near_map[rows], 1)  # (n, k)
        for place in range(k):
            rank = 1 + (squared < to_mapped[:, place, None]).sum(1)
            strangers += int(np.maximum(rank - k, 0).sum())
        yield Progress("neighbours in the layer", rows.stop, count, "pictures")
    trust = 1 - 2 * strangers / (count * k * (2 * count - 3 * k - 1))
    kept = float((near[:, :, None] == near_map[:, None, :]).any(2).mean())
    judged, agree, among = 0, np.full(count, np.nan), np.full(count, -1)
    right: list[int | None] = [None, None]
    if labels is not None and len(np.unique(labels[labels >= 0])) > 1:
        known = labels >= 0
        judged = int(known.sum())
        agree[known] = (labels[near] == labels[:, None]).mean(1)[known]
        among = _commonest(labels, near)
        right = [int((found == labels)[known].sum()) for found in (among, _commonest(labels, near_map))]
    return MapQuality(k, trust, kept, k / (count - 1), judged, right[0], right[1], agree, among, near)


def _commonest(labels: NDArray[np.int64], near: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels (N,), neighbours (N, k) -> the label most of them carry; -1 where most have none."""
    classes = int(labels.max()) + 1
    found = voted(np.where(labels[near] < 0, classes, labels[near]), classes + 1)
    return np.where(found == classes, -1, found)
