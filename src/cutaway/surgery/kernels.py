"""Kernels by name, for any size, and putting one in place of what a filter has learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from cutaway.errors import BadInput
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import change, must_convolve, seen, stored, which_words
from cutaway.surgery.patient import Patient

KernelName = Literal[
    "identity",
    "vertical_edge",
    "horizontal_edge",
    "diagonal_edge",
    "sobel_x",
    "sobel_y",
    "laplacian",
    "blur",
    "sharpen",
]


def named_kernel(name: KernelName, height: int, width: int) -> torch.Tensor:
    """Name, kernel size -> float64 (height, width), as a network applies it (not mirrored); row 0 is the upper one.

    identity: 1 at the cell in the middle (of an even side the one before it). vertical_edge: -1 left, +1 right of the
    middle (Prewitt), so dark-to-bright from left to right answers positively; horizontal_edge: -1 above, +1 below;
    diagonal_edge: -1 before, +1 behind the diagonal from the lower left to the upper right. sobel_x, sobel_y: binomial
    smoothing across the first difference of a binomial along (OpenCV's getDerivKernels). laplacian: neighbours minus
    the middle. blur: binomial, sum 1. sharpen: identity - laplacian.

    Raises BadInput where the size has no room for it (an edge needs two cells across it).
    """
    rows, columns = _NEEDS[name]
    if name != "identity" and (height < rows or width < columns or height * width < 2):
        wanted = "2 cells" if rows == columns == 1 else f"{rows} x {columns} cells"
        raise BadInput(f"{name} needs a kernel of at least {wanted}; this one is {height} x {width}.")
    return _MAKERS[name](height, width)


def _identity(height: int, width: int) -> torch.Tensor:
    kernel = torch.zeros(height, width, dtype=torch.float64)
    kernel[(height - 1) // 2, (width - 1) // 2] = 1
    return kernel


def _laplacian(height: int, width: int) -> torch.Tensor:
    kernel = torch.zeros(height, width, dtype=torch.float64)
    row, column = (height - 1) // 2, (width - 1) // 2
    for y, x in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
        if 0 <= y < height and 0 <= x < width:
            kernel[y, x] = 1
    kernel[row, column] = -kernel.sum()
    return kernel


def _halves(down: float, across: float) -> Callable[[int, int], torch.Tensor]:
    """-1 on one side of the middle, +1 on the other, 0 on it."""

    def make(height: int, width: int) -> torch.Tensor:
        y, x = _side(height), _side(width)
        return torch.sign(torch.round(down * y[:, None] + across * x[None, :], decimals=9))

    return make


def _side(count: int) -> torch.Tensor:
    """-1 to 1 in equal steps; 0 where there is one cell."""
    return torch.linspace(-1, 1, count, dtype=torch.float64) if count > 1 else torch.zeros(1, dtype=torch.float64)


def _binomial(count: int) -> torch.Tensor:
    return torch.tensor([math.comb(count - 1, i) for i in range(count)], dtype=torch.float64)


def _difference(count: int) -> torch.Tensor:
    """First difference of a binomial, `count` numbers: -1 0 1, -1 -2 0 2 1, ..."""
    one_less, nothing = _binomial(count - 1), torch.zeros(1, dtype=torch.float64)
    return torch.cat([nothing, one_less]) - torch.cat([one_less, nothing])


def _blur(height: int, width: int) -> torch.Tensor:
    kernel = torch.outer(_binomial(height), _binomial(width))
    return kernel / kernel.sum()


_MAKERS: dict[str, Callable[[int, int], torch.Tensor]] = {
    "identity": _identity,
    "vertical_edge": _halves(0, 1),
    "horizontal_edge": _halves(1, 0),
    "diagonal_edge": _halves(1, 1),
    "sobel_x": lambda height, width: torch.outer(_binomial(height), _difference(width)),
    "sobel_y": lambda height, width: torch.outer(_difference(height), _binomial(width)),
    "laplacian": _laplacian,
    "blur": _blur,
    "sharpen": lambda height, width: _identity(height, width) - _laplacian(height, width),
}
# Rows and columns that a kernel of that name needs.
_NEEDS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(_MAKERS, (1, 1)),
    **dict.fromkeys(("vertical_edge", "sobel_x"), (1, 2)),
    **dict.fromkeys(("horizontal_edge", "sobel_y"), (2, 1)),
    "diagonal_edge": (2, 2),
}


@dataclass(frozen=True)
class SetKernel(Edit):
    """Put a named kernel, or one of given numbers, in place of a learned one."""

    layer: str
    channel: int | None
    """Which filter (output channel), from 0; None: all of them."""
    to: KernelName | tuple[tuple[float, ...], ...]
    """A kernel's name, or its rows as numbers (one row for a convolution over one axis)."""
    input: int | None = None
    """Which input channel of the filter, from 0; None: the same kernel for each of them."""
    keep_energy: bool = True
    """Scale a named kernel so that the filter's chosen numbers keep the root of their summed squares, and later layers
    get maps of the size they know; a filter that was all but zero gets the layer's middle size. Otherwise, and for
    given numbers, they are written as they are."""

    def operate(self, patient: Patient) -> None:
        layer = must_convolve(patient, self.layer)
        *_, height, width = (1, *seen(layer, stored(patient, self.layer)).shape[2:])
        kernel = self._kernel(height, width)
        sizes = _sizes(self._seen_from(seen(layer, stored(patient, self.layer)).double())).flatten()

        def work(filters: torch.Tensor) -> torch.Tensor:  # (out, in, [height,] width)
            fresh = kernel.expand(*filters.shape[:2], height, width).reshape(filters.shape)
            if not (self.keep_energy and isinstance(self.to, str)):
                return fresh
            dead = _dead(sizes)
            if dead[self.channel if self.channel is not None else slice(None)].any() and not dead.all():
                patient.notes.append(
                    f"{_which(self.layer, self.channel, dead)} held next to nothing, so {self.to} got the size that "
                    f"{self.layer}'s other kernels have in the middle."
                )
            return _with_energy_of(filters.double(), fresh, sizes)

        change(patient, self.layer, _as_tuple(self.channel), _as_tuple(self.input), work)

    def _seen_from(self, filters: torch.Tensor) -> torch.Tensor:
        """All filters of the layer -> the numbers of them that this edit would write."""
        inputs = filters.shape[1]
        return filters if self.input is None or not 0 <= self.input < inputs else filters[:, [self.input]]

    def _kernel(self, height: int, width: int) -> torch.Tensor:
        if isinstance(self.to, str):
            return named_kernel(self.to, height, width)
        rows = {len(row) for row in self.to}
        if len(self.to) != height or rows != {width}:
            found = f"{len(self.to)} rows of {' or '.join(map(str, sorted(rows))) or 0} numbers"
            raise BadInput(f"{self.layer} has kernels of {height} x {width}; {found} were given.")
        return torch.tensor(self.to, dtype=torch.float64)

    @property
    def sentence(self) -> str:
        what = self.to if isinstance(self.to, str) else "the given numbers"
        into = "" if self.input is None else f", input {self.input}"
        which = f"every kernel of {self.layer}" if self.channel is None else f"{self.layer}'s kernel {self.channel}"
        return f"set {which}{into} to {what}"


@dataclass(frozen=True)
class RotateKernels(Edit):
    """Turn kernels about their middle, against the clock."""

    layer: str
    degrees: float
    """Quarter turns of square kernels move numbers exactly; other angles weigh the four nearest, with zeros outside."""
    channels: tuple[int, ...] = ()
    """Which filters, from 0; none named: all."""
    inputs: tuple[int, ...] = ()
    """Which input channels of them, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        layer = must_convolve(patient, self.layer)
        if seen(layer, stored(patient, self.layer)).ndim != 4:
            raise BadInput(f"{self.layer} has kernels of one axis, which cannot be turned; flip them instead.")
        change(patient, self.layer, self.channels, self.inputs, lambda filters: turned(filters, self.degrees))

    @property
    def sentence(self) -> str:
        return f"rotate {self.layer}'s kernels{which_words(self.channels, self.inputs)} by {self.degrees:g} degrees"


@dataclass(frozen=True)
class FlipKernels(Edit):
    """Mirror kernels."""

    layer: str
    axis: Literal["left_right", "up_down"]
    """left_right: the first column becomes the last; up_down: the first row."""
    channels: tuple[int, ...] = ()
    """Which filters, from 0; none named: all."""
    inputs: tuple[int, ...] = ()
    """Which input channels of them, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        layer = must_convolve(patient, self.layer)
        if self.axis == "up_down" and seen(layer, stored(patient, self.layer)).ndim != 4:
            raise BadInput(f"{self.layer} has kernels of one row; flip them left_right.")
        dim = -1 if self.axis == "left_right" else -2
        change(patient, self.layer, self.channels, self.inputs, lambda filters: filters.flip(dim))

    @property
    def sentence(self) -> str:
        return f"flip {self.layer}'s kernels{which_words(self.channels, self.inputs)} {self.axis.replace('_', '-')}"


def turned(filters: torch.Tensor, degrees: float) -> torch.Tensor:
    """(out, in, height, width), angle against the clock -> the same shape; bilinear, zeros from outside."""
    *_, height, width = filters.shape
    quarters = degrees / 90
    if quarters == round(quarters) and (height == width or round(quarters) % 2 == 0):
        return torch.rot90(filters, round(quarters) % 4, (2, 3))
    angle = math.radians(degrees)
    y = torch.arange(height, dtype=torch.float64)[:, None] - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float64)[None, :] - (width - 1) / 2
    # Rows count downwards: the cell that lands on (y, x) is found by turning it with the clock.
    from_x = math.cos(angle) * x - math.sin(angle) * y + (width - 1) / 2
    from_y = math.sin(angle) * x + math.cos(angle) * y + (height - 1) / 2
    grid = torch.stack([(2 * from_x + 1) / width - 1, (2 * from_y + 1) / height - 1], -1)  # (height, width, 2)
    flat = filters.double().reshape(1, -1, height, width)
    found = torch.nn.functional.grid_sample(flat, grid[None], "bilinear", "zeros", align_corners=False)
    return found.reshape(filters.shape)


_NOTHING = 1e-6
"""Share of the layer's largest filter below which one is dead: training has left it at zero but for rounding."""


def _with_energy_of(before: torch.Tensor, fresh: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Filter by filter: `fresh` as long as `before`, or as the middle one of the layer's living filters where `before`
    is dead; as it is where all of them are."""
    dead = _dead(sizes)
    if dead.all():
        return fresh
    old = _sizes(before)
    return fresh / _sizes(fresh) * torch.where(old > _NOTHING * sizes.max(), old, sizes[~dead].median())


def _sizes(filters: torch.Tensor) -> torch.Tensor:
    """(out, in, ...) -> the root of each filter's summed squares, (out, 1, ...)."""
    return filters.square().sum(tuple(range(1, filters.ndim)), keepdim=True).sqrt()


def _dead(sizes: torch.Tensor) -> torch.Tensor:
    return sizes <= _NOTHING * sizes.max()


def _which(layer: str, channel: int | None, dead: torch.Tensor) -> str:
    count = int(dead.sum())
    some = f"{count} of {layer}'s kernels" if count > 1 else f"One of {layer}'s kernels"
    return some if channel is None else f"{layer}'s kernel {channel}"


def _as_tuple(index: int | None) -> tuple[int, ...]:
    return () if index is None else (index,)
