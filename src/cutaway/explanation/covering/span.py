"""Span: for each of n windows, which cells along one axis of a map can differ from those of the uncovered picture."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slide:
    """A convolution or pool along one axis: kernel, stride, dilation, and cells of padding in front."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def reach(self) -> int:
        """Cells from the first to the last that one window takes."""
        return self.dilation * (self.kernel - 1) + 1

    def taken(self, cells: int) -> int:
        """That many cells of the output, next to each other -> cells of the padded input that they take."""
        return (cells - 1) * self.stride + self.reach


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """`first` to `last`, both included: the cells that window i changes, of `cells` along this axis.

    `start` to `start + size`: the cells that are computed for it, as many for every window, so that windows can share
    a batch; inside the map and around the changed ones (more than these is only more work: what is computed is right).
    """

    first: Cells  # (n,)
    last: Cells  # (n,)
    cells: int
    size: int
    start: Cells  # (n,)

    @classmethod
    def of(cls, first: Cells, last: Cells, cells: int) -> Span:
        first = np.clip(first, 0, cells - 1)
        last = np.clip(last, first, cells - 1)  # a window that no cell sees: one cell is computed for nothing
        size = int((last - first).max()) + 1
        return cls(first, last, cells, size, np.minimum(first, cells - size))

    def through(self, slide: Slide, cells: int) -> Span:
        """-> which of the `cells` of a sliding window's output take one of these."""
        first = -((slide.reach - 1 - self.first - slide.before) // slide.stride)
        last = (self.last + slide.before) // slide.stride
        return Span.of(first, last, cells)

    def moved(self, before: int, cells: int) -> Span:
        """-> the same behind `before` more cells in front (fewer where it is negative)."""
        return Span.of(self.first + before, self.last + before, cells)

    def joined(self, other: Span) -> Span:
        """-> what either changes."""
        return Span.of(np.minimum(self.first, other.first), np.maximum(self.last, other.last), self.cells)


@dataclass(frozen=True, slots=True)
class Run:
    """Windows next to each other in a batch that are cut out and pasted alike.

    Windows `at` of the batch: their crops begin at `start`, `start + step`, ... of the map; into each, `length` cells
    from `taken` on of what was computed go to `put` on.
    """

    at: slice
    start: int
    step: int
    put: int
    taken: int
    length: int


@dataclass(frozen=True, eq=False)
class Cut:
    """How the crop that the next step needs is made along one axis: `size` cells of the map from `start` on, with the
    computed cells `first` to `last` in their places; these lie in a patch that begins at `patch`."""

    start: Cells  # (n,)
    size: int
    first: Cells  # (n,)
    last: Cells  # (n,)
    patch: Cells  # (n,)
    patch_size: int

    @classmethod
    def between(cls, given: Span, start: Cells, size: int, before: int = 0) -> Cut:
        """Computed cells of a map, which cells of the map behind `before` cells of padding are needed -> Cut."""
        begin = given.start + before
        return cls(start, size, begin, begin + given.size - 1, begin, given.size)

    @property
    def trivial(self) -> bool:
        """Whether the crop is the patch."""
        return self.size == self.patch_size and bool((self.start == self.patch).all())

    @functools.cached_property
    def runs(self) -> tuple[Run, ...]:
        """-> the windows of the batch in their order."""
        start, patch = self.start, self.patch
        low = np.maximum(self.first, start)
        high = np.minimum(self.last, start + self.size - 1)
        rows = np.stack([low - start, low - patch, np.maximum(high - low + 1, 0)], 1)
        found: list[Run] = []
        begin, count = 0, len(start)
        for end in range(1, count + 1):
            step = int(start[begin + 1] - start[begin]) if begin + 1 < count else 0
            alike = end < count and step >= 0 and bool((rows[end] == rows[begin]).all())
            if alike and start[end] - start[end - 1] == step:
                continue
            put, taken, length = map(int, rows[begin])
            found.append(Run(slice(begin, end), int(start[begin]), step if end > begin + 1 else 0, put, taken, length))
            begin = end
        return tuple(found)
