"""Axis: which pixels each cell of one spatial axis sees, as a pattern that repeats; exact through any window."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_LONGEST = 4096  # cells of one repetition that are kept apart

Taps = Callable[[int], tuple[int, int]]
"""Cell of the output -> the first and last cell of the input that it takes."""

Slide = tuple[Taps, int, int]
"""Taps that repeat: every `given` cells of the output, `taken` cells further along the input."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Cell q * len(lows) + r sees the pixels from lows[r] + q * step to highs[r] + q * step, both included.

    Pixels count from 0; below 0 and beyond the picture lies the padding. One repetition is one cell long through
    convolutions and pools; upsampling and adaptive pools make longer ones. `step` 0: every cell sees the same.
    """

    lows: tuple[int, ...] = (0,)
    highs: tuple[int, ...] = (0,)
    step: int = 1

    def window(self, cell: int) -> tuple[int, int]:
        """Cell -> first and last pixel it sees."""
        if not self.step:
            return self.lows[0], self.highs[0]
        q, r = divmod(cell, len(self.lows))
        return self.lows[r] + q * self.step, self.highs[r] + q * self.step

    @property
    def size(self) -> int:
        """Pixels that one cell sees, the most of any cell."""
        return max(high - low + 1 for low, high in zip(self.lows, self.highs, strict=True))

    @property
    def stride(self) -> float:
        """Pixels between the windows of neighbouring cells."""
        return self.step / len(self.lows)

    @property
    def offset(self) -> float:
        """Centre of the first cell's window in pixels; 0 is the centre of the first pixel."""
        return (self.lows[0] + self.highs[0]) / 2

    def through(self, slide: Slide) -> Axis:
        """A window that slides over this axis -> the axis of its output.

        A cell that takes nothing (a transposed convolution with gaps) is said to see what its neighbour sees.
        """
        taps, given, taken = slide
        period = len(self.lows)
        repeats = period // math.gcd(period, taken) if taken else 1
        if given * repeats > _LONGEST:
            return self.hull(0, 0)
        spans = [taps(cell) for cell in range(given * repeats)]
        lows = tuple(self.window(min(first, last))[0] for first, last in spans)
        highs = tuple(self.window(last)[1] for _, last in spans)
        return Axis(lows, highs, self.step * taken * repeats // period)._shortest()

    def hull(self, first: int, last: int) -> Axis:
        """Cells first to last taken together -> an axis whose every cell sees all that they see."""
        return Axis((self.window(first)[0],), (self.window(last)[1],), 0)

    def joined(self, other: Axis) -> Axis | None:
        """What either sees, cell by cell; None where their windows move at different speeds."""
        mine, theirs = len(self.lows), len(other.lows)
        period = math.lcm(mine, theirs)
        if self.step * theirs != other.step * mine or period > _LONGEST:
            return None
        pairs = [(self.window(cell), other.window(cell)) for cell in range(period)]
        lows = tuple(min(a[0], b[0]) for a, b in pairs)
        highs = tuple(max(a[1], b[1]) for a, b in pairs)
        return Axis(lows, highs, self.step * period // mine)._shortest()

    def _shortest(self) -> Axis:
        """The same with the shortest repetition (an upsampling that a stride undid)."""
        period = len(self.lows)
        for short in (d for d in range(1, period) if period % d == 0 and self.step * d % period == 0):
            move = self.step * short // period
            if all(
                (self.lows[r + short], self.highs[r + short]) == (self.lows[r] + move, self.highs[r] + move)
                for r in range(period - short)
            ):
                return Axis(self.lows[:short], self.highs[:short], move)
        return self


def window_taps(kernel: int, stride: int, dilation: int, before: int) -> Slide:
    """Convolution or pool along one axis, `before` cells of padding in front -> Slide."""
    return (lambda cell: (cell * stride - before, cell * stride - before + dilation * (kernel - 1))), 1, stride


def transposed_taps(kernel: int, stride: int, dilation: int, before: int) -> Slide:
    """Transposed convolution along one axis, `before` cells cut off in front -> Slide."""

    def taps(cell: int) -> tuple[int, int]:
        hits = [t for t in range(kernel) if (cell + before - dilation * t) % stride == 0]
        if not hits:
            near = (cell + before) // stride
            return near, near
        return (cell + before - dilation * hits[-1]) // stride, (cell + before - dilation * hits[0]) // stride

    return taps, stride, 1


def adaptive_taps(cells: int, wanted: int) -> Slide:
    """Adaptive pool from `cells` to `wanted` cells -> Slide."""
    common = math.gcd(cells, wanted)
    return (lambda o: (o * cells // wanted, -(-(o + 1) * cells // wanted) - 1)), wanted // common, cells // common


def resized_taps(cells: int, wanted: int, before: int, after: int) -> Slide:
    """Upsampling or downsampling to `wanted` cells: the nearest cell, or `before`/`after` cells around the place."""
    common = math.gcd(cells, wanted)

    def taps(cell: int) -> tuple[int, int]:
        if not before and not after:
            nearest = cell * cells // wanted
            return nearest, nearest
        place = ((2 * cell + 1) * cells - wanted) // (2 * wanted)
        return place - before, place + after

    return taps, wanted // common, cells // common


def same_before(cells: int, kernel: int, stride: int, dilation: int) -> int:
    """Cells of padding in front where ceil(cells / stride) windows must fit (TensorFlow's 'same')."""
    return max((-(-cells // stride) - 1) * stride + dilation * (kernel - 1) + 1 - cells, 0) // 2
