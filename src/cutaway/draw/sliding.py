"""The sliding window as an animation: input with the moving window, patch × kernel, the output filling cell by cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.arithmetic import brief, grown, ink_on
from cutaway.draw.colours import Pixels, Range, Rgb, painted, range_of
from cutaway.draw.film import Film
from cutaway.draw.scene import (
    INK,
    MUTED,
    RULE,
    Box,
    Mark,
    Raster,
    Words,
    cut,
    hatched,
    width_of,
)
from cutaway.errors import must_be

if TYPE_CHECKING:
    pass

PANEL = 236.0
TOP = 64.0
_GAP = 26.0
_LEFT = 20.0
_MIDDLE = _LEFT + PANEL + _GAP
_MIDDLE_WIDE = 250.0
_RIGHT = _MIDDLE + _MIDDLE_WIDE + _GAP
WIDE, HIGH = _RIGHT + PANEL + _LEFT + 2, 382.0
"""Points of a frame; two pixels to each."""
_MARK: Rgb = (214, 51, 108)
_VEIL: Rgb = (238, 238, 233)
_SHOWN = 3
"""Input channels whose products are drawn; the others are told as one sum."""
_READABLE = 16.0
"""Points of a cell that its number is written into."""


class Sliding(Protocol):
    """What is drawn: engine.unfold.Slide says what each of these is."""

    @property
    def step(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def input_step(self) -> str: ...
    @property
    def channel(self) -> int: ...
    @property
    def channels(self) -> tuple[int, ...]: ...
    @property
    def inputs(self) -> NDArray[np.float64]: ...
    @property
    def kernel(self) -> NDArray[np.float64] | None: ...
    @property
    def bias(self) -> float | None: ...
    @property
    def output(self) -> NDArray[np.float64]: ...
    @property
    def row_spans(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def column_spans(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def does(self) -> str: ...
    def patch(self, row: int, column: int) -> NDArray[np.float64]: ...
    def outside(self, row: int, column: int) -> NDArray[np.bool_]: ...


def visited(rows: int, columns: int, most: int) -> tuple[tuple[int, int], ...]:
    """Size of the output, most frames -> the cells to stop at, in reading order: all, or a spread with the ends."""
    if rows * columns <= most:
        return tuple((r, c) for r in range(rows) for c in range(columns))
    least = min(2, rows)
    down = min(rows, max(least, round(math.sqrt(most * rows / columns))), max(1, most // min(2, columns)))
    across = min(columns, most // down)
    down = min(rows, most // across)
    return tuple((r, c) for r in _spread(rows, down) for c in _spread(columns, across))


def animation(
    slide: Sliding, picture: Pixels | None = None, names: Sequence[str] = (), most: int = 120, seconds: float = 15.0
) -> Film:
    """Slide; where its input is the picture, that as uint8 (H, W, 3) and its channels' names -> the frames.

    Maps with more than `most` places stop at a sample of them. Raises BadInput.
    """
    if most < 2:
        raise must_be("frames", "at least 2", most)
    if not 0 < seconds <= 600:
        raise must_be("seconds", "above 0 and at most 600", seconds)
    stage = _Stage(slide, picture, names)
    cells = visited(slide.output.shape[0], slide.output.shape[1], most)
    return Film(stage.title, WIDE, HIGH, stage.still(), tuple(stage.frame(r, c) for r, c in cells), cells, seconds)


class _Stage:
    """Where everything stands, worked out once for all frames."""

    def __init__(self, slide: Sliding, picture: Pixels | None, names: Sequence[str]) -> None:
        self.slide = slide
        self.names = names
        self.picture = picture
        self.title = f"{slide.step}: channel {slide.channel}"
        self.order = _by_strength(slide)
        self.strong = self.order[:_SHOWN] if slide.kernel is not None else [0]
        if len(slide.channels) <= _SHOWN:
            self.strong = list(range(len(slide.channels)))  # red, green, blue in their order
        height, width = slide.inputs.shape[1:]
        self.first = min(0, *(s for s, _ in slide.row_spans)), min(0, *(s for s, _ in slide.column_spans))
        self.last = max(height, *(e for _, e in slide.row_spans)), max(width, *(e for _, e in slide.column_spans))
        self.scale = PANEL / max(self.last[0] - self.first[0], self.last[1] - self.first[1])
        self.out_scale = PANEL / max(slide.output.shape)
        self.in_range = range_of(slide.inputs[self.strong])
        self.out_range = range_of(slide.output)
        self.product_range = self._products()

    def still(self) -> tuple[Mark, ...]:
        s = self.slide
        does = {"sum": "patch × kernel, summed" + (", plus bias" if s.bias is not None else ""),
                "max": "the largest of the window", "mean": "the mean of the window"}[s.does]  # fmt: skip
        marks: list[Mark] = [
            Words(_LEFT, 28, cut(self.title, 500, 19, True), 19, INK, strong=True),
            Words(_LEFT, 47, f"{s.kind}: {does}", 11, MUTED),
            *self._input(),
            *self._output(),
            *self._kernels(),
        ]
        captions = (self._input_words(), "window × kernel = products" if s.kernel is not None else "the window",
                    f"output, {s.output.shape[0]} × {s.output.shape[1]}")  # fmt: skip
        for x, words, wide in zip((_LEFT, _MIDDLE, _RIGHT), captions, (PANEL, _MIDDLE_WIDE, PANEL)):
            marks.append(Words(x, TOP + PANEL + 16, cut(words, wide, 10), 10, MUTED))
        return tuple(marks)

    def frame(self, row: int, column: int) -> tuple[Mark, ...]:
        patch = self.slide.patch(row, column)
        return (
            *self._window(row, column),
            *self._grids(patch, self.slide.outside(row, column)),
            *self._veil(row, column),
            *self._sum(patch, row, column),
        )

    # -- left ----------------------------------------------------------------------------------------------------------
    def _input(self) -> list[Mark]:
        s, k = self.slide, self.scale
        (top, left), (bottom, right) = self.first, self.last
        height, width = s.inputs.shape[1:]
        marks: list[Mark] = []
        if (top, left) != (0, 0) or (bottom, right) != (height, width):
            whole = (_LEFT, TOP, (right - left) * k, (bottom - top) * k)
            marks += [Box(*whole, _VEIL), *hatched(*whole, pitch=6, colour=RULE)]
        x, y = _LEFT - left * k, TOP - top * k
        shown = s.inputs[self.strong[0]]
        if self.picture is not None:
            marks.append(Raster(x, y, width * k, height * k, self.picture, smooth=k < 3))
        else:
            marks.append(Raster(x, y, width * k, height * k, painted(shown, self.in_range)))
        if k >= _READABLE and len(s.channels) == 1:
            marks += _numbers(shown, x, y, k, self.in_range, self._ink_on_input)
        marks.append(Box(x, y, width * k, height * k, None, RULE, 0.8))
        return marks

    def _ink_on_input(self, row: int, column: int) -> Rgb:
        if self.picture is None:
            return ink_on(float(self.slide.inputs[self.strong[0], row, column]), self.in_range)
        return INK if float(self.picture[row, column] @ np.array([0.299, 0.587, 0.114])) > 140 else (255, 255, 255)

    def _input_words(self) -> str:
        s = self.slide
        size = f"{s.inputs.shape[1]} × {s.inputs.shape[2]}"
        if self.picture is not None:
            return f"the picture as the network gets it, {size}"
        if len(s.channels) == 1:
            return f"channel {s.channels[0]} of {s.input_step}, {size}"
        return f"channel {s.channels[self.strong[0]]} of {s.input_step}, the strongest of {len(s.channels)}"

    def _window(self, row: int, column: int) -> list[Mark]:
        (top, bottom), (left, right) = self.slide.row_spans[row], self.slide.column_spans[column]
        k = self.scale
        corner = (_LEFT + (left - self.first[1]) * k, TOP + (top - self.first[0]) * k)
        place = grown(*corner, (right - left) * k, (bottom - top) * k, 7)
        return [Box(*place, None, (255, 255, 255), 3.5), Box(*place, None, _MARK, 2)]

    # -- middle --------------------------------------------------------------------------------------------------------
    def _side(self, patch: tuple[int, int]) -> float:
        """Points of a cell of the grids in the middle."""
        rows, columns = patch
        if self.slide.kernel is None:
            return min(40.0, _MIDDLE_WIDE / columns, PANEL / rows)
        lines = len(self.strong)
        return min(30.0, (_MIDDLE_WIDE - 40) / (3 * columns), (PANEL / lines - 18) / rows)

    def _corners(self, shape: tuple[int, int]) -> list[tuple[float, float]]:
        """Upper left corners of the patches, one per shown channel."""
        side, lines = self._side(shape), len(self.strong)
        if self.slide.kernel is None:
            return [(_MIDDLE + (_MIDDLE_WIDE - shape[1] * side) / 2, TOP + (PANEL - shape[0] * side) / 2)]
        wide = 3 * shape[1] * side + 40
        x = _MIDDLE + (_MIDDLE_WIDE - wide) / 2
        pitch = PANEL / lines
        return [(x, TOP + pitch * i + (pitch - 14 - shape[0] * side) / 2 + 14) for i in range(lines)]

    def _kernels(self) -> list[Mark]:
        kernel = self.slide.kernel
        if kernel is None:
            return []
        shape = (kernel.shape[1], kernel.shape[2])
        side, step = self._side(shape), self._side(shape) * shape[1] + 20
        own = range_of(kernel[self.strong])
        marks: list[Mark] = []
        for n, (x, y) in zip(self.strong, self._corners(shape)):
            if len(self.slide.channels) > 1:
                marks.append(Words(x, y - 4, self._channel_words(n), 8.5, MUTED))
            marks += _cells(kernel[n], x + step, y, side, own)
            middle = y + shape[0] * side / 2 + 5
            marks += [Words(x + step - 10, middle, "×", 14, INK, "middle"),
                      Words(x + 2 * step - 10, middle, "=", 14, INK, "middle")]  # fmt: skip
        return marks

    def _channel_words(self, n: int) -> str:
        own = self.slide.channels[n]
        return self.names[own] if self.picture is not None and own < len(self.names) else f"channel {own}"

    def _grids(self, patch: NDArray[np.float64], outside: NDArray[np.bool_]) -> list[Mark]:
        kernel = self.slide.kernel
        shape = (patch.shape[1], patch.shape[2])
        side = self._side(shape)
        marks: list[Mark] = []
        for n, (x, y) in zip(self.strong, self._corners(shape)):
            marks += _cells(patch[n], x, y, side, self.in_range)
            for r, c in np.argwhere(outside):
                marks += hatched(x + float(c) * side, y + float(r) * side, side, side, max(3.0, side / 6))
            if kernel is not None:
                marks += _cells(patch[n] * kernel[n], x + 2 * (side * shape[1] + 20), y, side, self.product_range)
            elif self.slide.does == "max" and patch[n].size:
                r, c = np.unravel_index(int(patch[n].argmax()), shape)
                marks.append(Box(x + float(c) * side, y + float(r) * side, side, side, None, _MARK, 2))
        return marks

    def _products(self) -> Range:
        kernel = self.slide.kernel
        if kernel is None:
            return self.in_range
        most = max(float(np.abs(kernel[n]).max() * np.abs(self.slide.inputs[n]).max()) for n in self.strong)
        return Range(most or 1.0, True)

    # -- right ---------------------------------------------------------------------------------------------------------
    def _output(self) -> list[Mark]:
        out, k = self.slide.output, self.out_scale
        rows, columns = out.shape
        marks: list[Mark] = [Raster(_RIGHT, TOP, columns * k, rows * k, painted(out, self.out_range))]
        if k >= _READABLE:
            marks += _numbers(
                out, _RIGHT, TOP, k, self.out_range, lambda r, c: ink_on(float(out[r, c]), self.out_range)
            )
        marks.append(Box(_RIGHT, TOP, columns * k, rows * k, None, RULE, 0.8))
        return marks

    def _veil(self, row: int, column: int) -> list[Mark]:
        """What is not computed yet is covered; the cell at work is marked."""
        rows, columns = self.slide.output.shape
        k = self.out_scale
        below, beside = rows - row - 1, columns - column - 1
        marks: list[Mark] = []
        if beside:
            marks.append(Box(_RIGHT + (column + 1) * k, TOP + row * k, beside * k, k, _VEIL))
        if below:
            marks.append(Box(_RIGHT, TOP + (row + 1) * k, columns * k, below * k, _VEIL))
        place = grown(_RIGHT + column * k, TOP + row * k, k, k, 5)
        return [*marks, Box(*place, None, (255, 255, 255), 3), Box(*place, None, _MARK, 2)]

    # -- below ---------------------------------------------------------------------------------------------------------
    def _sum(self, patch: NDArray[np.float64], row: int, column: int) -> list[Mark]:
        """The line under the panels: the sums of the channels, the bias, the cell's value on its colour."""
        s, y = self.slide, HIGH - 26
        total = float(s.output[row, column])
        words = self._terms(patch) + " ="
        size = 15.0
        while width_of(words, size) > WIDE - 200 and size > 9:
            size -= 0.5
        wide = width_of(words, size)
        value = _two(total, self.out_range)
        box = width_of(value, 17, True) + 20
        x = (WIDE - wide - box - 10) / 2
        chip: list[Mark] = [
            Box(x + wide + 10, y - 20, box, 28, _solid(total, self.out_range), _MARK, 1.5),
            Words(x + wide + 10 + box / 2, y, value, 17, ink_on(total, self.out_range), "middle", True),
        ]
        where = f"{s.step}[{s.channel}, {row}, {column}]"
        return [Words(x + wide, y, words, size, INK, "end"), *chip, Words(WIDE - _LEFT, 28, where, 12, MUTED, "end")]

    def _terms(self, patch: NDArray[np.float64]) -> str:
        s = self.slide
        if s.kernel is None:
            return f"{'largest' if s.does == 'max' else 'mean'} of {patch[0].size} cells"
        sums = (patch * s.kernel).sum((1, 2))
        parts = [_two(float(sums[n]), self.out_range) for n in self.strong]
        rest = float(sums.sum() - sums[self.strong].sum())
        words = " + ".join(f"({p})" if p.startswith("−") and i else p for i, p in enumerate(parts))
        if len(sums) > len(self.strong):
            words += f"  + {_signed(_two(rest, self.out_range))} ({len(sums) - len(self.strong)} other channels)"
        return words + (f"  + {_signed(_two(s.bias, self.out_range))} (bias)" if s.bias is not None else "")


def _by_strength(slide: Sliding) -> list[int]:
    """Input channels, those first whose kernel and values are largest."""
    if slide.kernel is None:
        return [0]
    weight = np.sqrt((slide.kernel**2).sum((1, 2)) * (np.nan_to_num(slide.inputs) ** 2).sum((1, 2)))
    return [int(i) for i in np.argsort(-weight, kind="stable")]


def _cells(numbers: NDArray[np.float64], x: float, y: float, side: float, scale: Range) -> list[Mark]:
    rows, columns = numbers.shape
    marks: list[Mark] = [Raster(x, y, columns * side, rows * side, painted(numbers, scale))]
    if side >= _READABLE:
        marks += _numbers(numbers, x, y, side, scale, lambda r, c: ink_on(float(numbers[r, c]), scale))
    return [*marks, Box(x, y, columns * side, rows * side, None, RULE, 0.8)]


def _numbers(numbers: NDArray[np.float64], x: float, y: float, side: float, scale: Range, ink: Any) -> list[Mark]:
    marks: list[Mark] = []
    for r, row in enumerate(numbers):
        for c, value in enumerate(row):
            words = _two(float(value), scale)
            size = min(0.33 * side, 0.9 * side / max(1.0, width_of(words, 20) / 20))
            spot = (x + (c + 0.5) * side, y + (r + 0.5) * side + 0.36 * size)
            marks.append(Words(*spot, words, size, ink(r, c), "middle"))
    return marks


def _two(value: float, scale: Range) -> str:
    """A number for a small cell: two places, fewer where it is large, more where all beside it are tiny."""
    if not math.isfinite(value):
        return "–"
    if scale.high < 0.1:
        return brief(value)
    size = abs(value)
    shown = f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown.replace("-", "−")


def _signed(words: str) -> str:
    return f"({words})" if words.startswith("−") else words


def _solid(value: float, scale: Range) -> Rgb:
    r, g, b = (int(v) for v in painted(np.array([value]), scale)[0])
    return r, g, b


def _spread(size: int, most: int) -> list[int]:
    return sorted({round(i * (size - 1) / max(1, most - 1)) for i in range(most)}) if most < size else list(range(size))
