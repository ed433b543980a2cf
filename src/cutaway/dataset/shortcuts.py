"""Does something trivial give the class away? Size, shape, brightness or colour cast, each tried alone.

A network learns the easiest thing that works: if all cats were photographed in portrait format, it learns the format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.linear import stratified_rows
from cutaway.dataset.resample import LUMA
from cutaway.dataset.steps import Steps
from cutaway.events import Progress

STATISTICS = (
    "file width",
    "file height",
    "shape (width / height)",
    "brightness",
    "contrast",
    "redness",
    "greenness",
    "blueness",
    "colourfulness",
    "sharpness",
)
FOLDS = 5
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well one statistic alone tells the classes apart, in cross-validation, every class counting the same.

    `accuracy` is the mean recall over classes in [0, 1], `chance` is 1 / classes, `strength` the share of the way from
    chance to perfect, `low` its lower 95 % bound. `means` holds each class's mean, in class order.
    """

    statistic: str
    accuracy: float
    chance: float
    strength: float
    low: float
    means: tuple[float, ...]


def measuring_statistics(
    pixels: NDArray[np.uint8], sizes: NDArray[np.int64], batch: int = 1024
) -> Steps[NDArray[np.float64]]:
    """Squashed pictures uint8 (N, h, w, 3), stored sizes (N, 2) as height, width -> (N, 10) in STATISTICS' order.

    Colours and brightness are grey levels in [0, 255]; redness, greenness and blueness are a plane's mean minus the
    mean brightness; sharpness is the mean difference of neighbours.
    """
    table = np.empty((len(pixels), len(STATISTICS)))
    height, width = sizes[:, 0].astype(float), sizes[:, 1].astype(float)
    table[:, :3] = np.stack([width, height, width / np.maximum(height, 1)], 1)
    for start in range(0, len(pixels), batch):
        picture = pixels[start : start + batch].astype(np.float32)
        gray = picture @ LUMA
        planes, brightness = picture.mean((1, 2)), gray.mean((1, 2))
        spread = picture.max(3) - picture.min(3)
        sharp = np.abs(np.diff(gray, axis=1)).mean((1, 2)) + np.abs(np.diff(gray, axis=2)).mean((1, 2))
        cast = planes - brightness[:, None]
        columns = [brightness, gray.std((1, 2)), *cast.T, spread.mean((1, 2)), sharp]
        table[start : start + batch, 3:] = np.stack(columns, 1)
        yield Progress("size and colour", min(start + batch, len(pixels)), len(pixels), "pictures")
    return table


def shortcuts(table: NDArray[np.float64], labels: NDArray[np.integer[Any]], seed: int = 0) -> tuple[Shortcut, ...]:
    """Statistics (N, S) in STATISTICS' order, labels (N,) -> one Shortcut per statistic that varies, strongest first.

    Each is judged by a decision tree with two leaves per class, five-fold. Nothing is said where a class has fewer than
    five pictures.
    """
    names, given, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) < 2 or counts.min() < FOLDS:
        return ()
    rows = stratified_rows(given, MOST_ROWS, seed)
    found = [_tried(k, table[rows], given[rows], seed) for k in range(table.shape[1]) if np.ptp(table[rows, k]) > 0]
    return tuple(sorted(found, key=lambda s: -s.strength))


def _tried(column: int, table: NDArray[np.float64], given: NDArray[np.integer[Any]], seed: int) -> Shortcut:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    counts = np.bincount(given)
    leaves = 2 * len(counts)
    least = max(1, int(counts.min()) // 10)  # a leaf of a few pictures is luck
    tree = DecisionTreeClassifier(
        max_leaf_nodes=leaves, min_samples_leaf=least, class_weight="balanced", random_state=seed
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    answer = cross_val_predict(tree, table[:, [column]], given, cv=folds)
    right = np.bincount(given, weights=answer == given) / counts
    accuracy, chance = float(right.mean()), 1 / len(counts)
    error = float(np.sqrt((right * (1 - right) / counts).sum()) / len(counts))
    means = np.bincount(given, weights=table[:, column]) / counts
    strength, low = ((value - chance) / (1 - chance) for value in (accuracy, accuracy - 1.96 * error))
    return Shortcut(STATISTICS[column], accuracy, chance, strength, low, tuple(float(m) for m in means))
