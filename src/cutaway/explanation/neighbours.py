"""Vectors -> who lies next to whom: exact Euclidean neighbours, in memory that does not grow with their square."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.steps import Steps
from cutaway.events import Progress

ROWS = 512
"""Points whose distances to all others are held at a time: 41 MB at 10,000 points."""
Floats = NDArray[np.floating[Any]]


def distance_rows(vectors: Floats) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """(N, D) -> (which rows, their squared distances to all (n, N), infinite to themselves), ROWS at a time.

    |a - b|^2 = |a|^2 + |b|^2 - 2ab in float64 on centred vectors; equal vectors may come out 1e-15 of |a|^2 apart.
    """
    points = np.asarray(vectors, np.float64)
    points = points - points.mean(0)
    squares = np.einsum("nd,nd->n", points, points)
    for start in range(0, len(points), ROWS):
        rows = slice(start, min(start + ROWS, len(points)))
        found = squares[rows, None] + squares[None] - 2 * points[rows] @ points.T
        np.maximum(found, 0, out=found)
        found[np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)] = np.inf
        yield rows, found


def nearest(vectors: Floats, k: int, task: str = "neighbours") -> Steps[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """(N, D), k < N -> the k nearest others of each and their distances, both (N, k), the nearest first."""
    near, far = np.empty((len(vectors), k), np.int64), np.empty((len(vectors), k))
    for rows, squared in distance_rows(vectors):
        near[rows] = smallest(squared, k)
        far[rows] = np.sqrt(np.take_along_axis(squared, near[rows], 1))
        yield Progress(task, rows.stop, len(vectors), "pictures")
    return near, far


def smallest(values: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """(n, N) -> the columns of the k smallest of each row, the smallest first, the lower number where two are equal."""
    found = np.sort(np.argpartition(values, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(np.take_along_axis(values, found, 1), axis=1, kind="stable")
    ordered: NDArray[np.int64] = np.take_along_axis(found, order, 1)
    return ordered


def voted(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Labels of neighbours (N, k), the nearest first -> the commonest of each row; of equals the one met first."""
    count, k = labels.shape
    votes = np.zeros((count, classes))
    for place in range(k):
        votes[np.arange(count), labels[:, place]] += 1 + 0.4 * 0.5**place  # less than a vote in all
    found: NDArray[np.int64] = votes.argmax(1)
    return found
