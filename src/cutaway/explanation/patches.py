"""Units over a data set: how strongly each picture excites them, where, and what of the picture they see there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.errors import BadModel
from cutaway.explanation.unit import Layer, Unit, by_channel
from cutaway.graph.receptive import ReceptiveField

Box = tuple[int, int, int, int]
"""First row, first column, last row, last column, all included."""


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Of N pictures in order: a unit's largest and smallest value, where in its map, and the mean over the map."""

    high: NDArray[np.float32]  # (N,)
    high_at: NDArray[np.int32]  # (N, 2) row, column
    low: NDArray[np.float32]  # (N,)
    low_at: NDArray[np.int32]  # (N, 2)
    mean: NDArray[np.float32]  # (N,)

    def __len__(self) -> int:
        return len(self.high)

    def strongest(self, most: int, above: float = -np.inf) -> NDArray[np.intp]:
        """-> the pictures with the largest values, the first the strongest; none that is not above `above`.

        Of equal ones (a ReLU6 gives 6 and no more) the larger mean over the map comes first, then the earlier.
        """
        order = np.lexsort((-self.mean, -self.high))[:most]
        return order[self.high[order] > above]

    def weakest(self, most: int, below: float = 0.0) -> NDArray[np.intp]:
        """-> the pictures with the smallest values, the first the smallest; none that is not below `below`."""
        order = np.lexsort((self.mean, self.low))[:most]
        return order[self.low[order] < below]

    def by_class(self, labels: Sequence[int | None], classes: Sequence[str]) -> tuple[ClassMean, ...]:
        """Labels (N,), class names -> a row for each class that has pictures, the largest mean first."""
        numbers = np.array([-1 if label is None else label for label in labels])
        found = []
        for i, name in enumerate(classes):
            values = self.high[numbers == i].astype(np.float64)
            if len(values):
                error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else math.inf
                found.append(ClassMean(name, float(values.mean()), len(values), error))
        return tuple(sorted(found, key=lambda row: -row.mean))


@dataclass(frozen=True, slots=True)
class ClassMean:
    """A class of the pictures, the mean of a unit's largest values on its `pictures`, and that mean's standard error
    (infinite for one picture)."""

    name: str
    mean: float
    pictures: int
    error: float

    def beats(self, other: ClassMean) -> bool:
        """Whether the means differ by more than twice the standard error of their difference."""
        return self.mean - other.mean > 2 * math.hypot(self.error, other.error)


class PeakFinder:
    """Sees what units' layers give (their `source`) batch by batch, as `stream` hands it over; keeps 28 bytes a picture
    and unit."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = tuple(units)
        self._seen: list[list[Peaks]] = []

    @property
    def pictures(self) -> int:
        return sum(len(batch[0]) for batch in self._seen)

    def __call__(self, values: Mapping[str, torch.Tensor]) -> None:
        """{source: value for N pictures} -> kept; all of it or, where Ctrl-C falls in between, nothing."""
        self._seen.append([_peaks(unit.values(values[unit.layer.source]).float()) for unit in self.units])

    def found(self) -> tuple[Peaks, ...]:
        """-> the Peaks of each unit over the pictures so far. Raises BadModel where a value is not finite."""
        joined = [_joined([batch[i] for batch in self._seen]) for i in range(len(self.units))]
        for unit, peaks in zip(self.units, joined, strict=True):
            bad = int((~(np.isfinite(peaks.high) & np.isfinite(peaks.low))).sum())
            if bad:
                raise BadModel(
                    f"{unit.name} gives values that are not finite on {bad:,} of {len(peaks):,} pictures; "
                    "`cutaway watch` on one of them shows the layer where that begins."
                )
        return tuple(joined)


class Liveliest:
    """Sees a layer batch by batch and says which channels are most active: the largest mean of the maps' peaks."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._sum = torch.zeros(layer.channels, dtype=torch.float64)

    def __call__(self, values: Mapping[str, torch.Tensor]) -> None:
        self._sum += by_channel(values[self.layer.source], self.layer).double().amax((2, 3)).sum(0)

    def channels(self, most: int) -> tuple[int, ...]:
        order = np.argsort(-self._sum.numpy(), kind="stable")[:most]
        return tuple(int(i) for i in order)


def seen_window(field: ReceptiveField | None, cell: tuple[int, int], picture: tuple[int, int]) -> Box | None:
    """Receptive field, place in the map, picture's (H, W) -> the pixels it sees, those of the padding around the
    picture among them (below 0, or beyond its sides); None where the whole picture is seen."""
    if field is None or field.whole or clipped(field.window(*cell), picture) == (0, 0, picture[0] - 1, picture[1] - 1):
        return None
    return field.window(*cell)


def clipped(box: Box, picture: tuple[int, int]) -> Box:
    """Box, picture's (H, W) -> the part of it that lies in the picture."""
    top, left, bottom, right = box
    return max(top, 0), max(left, 0), min(bottom, picture[0] - 1), min(right, picture[1] - 1)


def place_of(unit: Unit, field: ReceptiveField | None, cell: tuple[int, int], picture: tuple[int, int]) -> Box | None:
    """Unit, its receptive field, place in the map, picture's (H, W) -> the pixels that lie under this cell of the map:
    as wide as the step to its neighbour, around the middle of what it sees. None for a unit without a map."""
    rows, columns = unit.layer.size
    if rows * columns == 1:
        return None
    if field is None or field.whole:
        down, across = picture[0] / rows, picture[1] / columns
        middle = ((cell[0] + 0.5) * down - 0.5, (cell[1] + 0.5) * across - 0.5)
    else:
        top, left, bottom, right = field.window(*cell)
        middle, (down, across) = ((top + bottom) / 2, (left + right) / 2), field.stride
    spans = [_span(m, width, side) for m, width, side in zip(middle, (down, across), picture, strict=True)]
    return spans[0][0], spans[1][0], spans[0][1], spans[1][1]


def _span(middle: float, width: float, side: int) -> tuple[int, int]:
    """Middle and width in pixels -> first and last pixel, inside the picture."""
    first = int(np.ceil(middle - (max(width, 1.0) - 1) / 2 - 1e-9))
    last = int(np.floor(middle + (max(width, 1.0) - 1) / 2 + 1e-9))
    first = min(max(min(first, last), 0), side - 1)
    return first, min(max(last, first), side - 1)


def _peaks(maps: torch.Tensor) -> Peaks:
    """(N, H, W) -> Peaks."""
    width = maps.shape[2]
    flat = maps.flatten(1)
    high, low = flat.max(1), flat.min(1)
    places = [torch.stack((i // width, i % width), 1).numpy().astype(np.int32) for i in (high.indices, low.indices)]
    return Peaks(high.values.numpy().copy(), places[0], low.values.numpy().copy(), places[1], flat.mean(1).numpy())


def _joined(parts: Sequence[Peaks]) -> Peaks:
    fields = [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("high", "high_at", "low", "low_at", "mean")
    ]
    return Peaks(*fields)
