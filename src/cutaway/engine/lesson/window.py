"""A window that moves along: where it stands, what it sees there, what comes out. In one direction and in two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cutaway.errors import BadInput, must_be

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Step:
    """How a window moves, in every direction alike: places per step, zeros laid around, cells from weight to weight."""

    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise must_be("stride", "at least 1", self.stride)
        if self.padding < 0:
            raise must_be("padding", "at least 0", self.padding)
        if self.dilation < 1:
            raise must_be("dilation", "at least 1", self.dilation)

    def span(self, kernel: int) -> int:
        """Weights of a kernel -> cells from its first to its last."""
        return self.dilation * (kernel - 1) + 1

    def out(self, cells: int, kernel: int) -> int:
        """Cells of the map, weights of the kernel -> places: floor((cells + 2 padding - span) / stride) + 1.

        Raises BadInput where the window is longer than the map with its padding.
        """
        room = cells + 2 * self.padding - self.span(kernel)
        if room < 0:
            raise BadInput(
                f"A window of {self.span(kernel)} cells does not fit into {cells} cells with a padding of "
                f"{self.padding}; take a smaller kernel or dilation, or more padding."
            )
        return room // self.stride + 1


@dataclass(frozen=True, slots=True)
class Places:
    """Where a window stands along one side. `starts`: its first cell at each place, below 0 in the padding; `seen`: how
    many places see each cell; `outside`: how many of each place's cells lie in the padding; `left`: cells at the end
    that no window reaches."""

    starts: tuple[int, ...]
    seen: tuple[int, ...]
    outside: tuple[int, ...]
    left: int


def places(cells: int, kernel: int, step: Step) -> Places:
    """Cells of a row, weights of the kernel, step -> Places, counted one by one. Raises BadInput as `Step.out`."""
    starts = tuple(i * step.stride - step.padding for i in range(step.out(cells, kernel)))
    seen, outside = [0] * cells, []
    for start in starts:
        cover = range(start, start + step.span(kernel), step.dilation)
        inside = [c for c in cover if 0 <= c < cells]
        for c in inside:
            seen[c] += 1
        outside.append(kernel - len(inside))
    end = starts[-1] + step.span(kernel)
    return Places(starts, tuple(seen), tuple(outside), max(0, cells - end))


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A kernel along a row: what it sees, times its weights, and the sums: (P, K), (P, K), (P,)."""

    patches: Floats
    products: Floats
    sums: Floats


def along(values: Floats, kernel: Floats) -> Row:
    """Row of numbers (N,), kernel (K,) -> Row at its N - K + 1 places, as a network slides it (not mirrored).

    Raises BadInput where the kernel is longer than the row.
    """
    Step().out(len(values), len(kernel))
    patches = np.lib.stride_tricks.sliding_window_view(values, len(kernel))  # (P, K)
    sums = F.conv1d(torch.from_numpy(values)[None, None], torch.from_numpy(kernel)[None, None])[0, 0]
    return Row(patches.copy(), patches * kernel, sums.numpy())


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """A filter over a stack of maps: each slice's own map (C, h, w), and their sum plus the bias (h, w)."""

    parts: Floats
    total: Floats


def over(stack: Floats, slices: Floats, step: Step, bias: float = 0.0) -> Sums:
    """Maps (C, H, W), one kernel for each (C, kh, kw), step -> Sums. Zeros are laid around. Raises BadInput."""
    _must_fit(stack, slices, step)
    maps, kernels = torch.from_numpy(stack), torch.from_numpy(slices)
    parts = torch.stack([
        F.conv2d(one[None, None], kernel[None, None], None, step.stride, step.padding, step.dilation)[0, 0]
        for one, kernel in zip(maps, kernels, strict=True)
    ])  # fmt: skip
    return Sums(parts.numpy(), (parts.sum(0) + bias).numpy())


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """One cell of the result: what its window sees (C, kh, kw), which of it is picture and not padding (kh, kw), the
    products, each slice's sum (C,), and the cell's value with the bias."""

    patch: Floats
    inside: Mask
    products: Floats
    sums: Floats
    value: float


def opened(stack: Floats, slices: Floats, step: Step, cell: tuple[int, int], bias: float = 0.0) -> Opened:
    """Maps, kernels and step as for `over`, (row, column) of the result -> Opened. Raises BadInput beyond it."""
    high, wide = _must_fit(stack, slices, step)
    row, column = cell
    if not (0 <= row < high and 0 <= column < wide):
        raise BadInput(f"The result has {high} x {wide} cells; there is no cell ({row}, {column}).")
    rows = row * step.stride - step.padding + step.dilation * np.arange(slices.shape[1])
    columns = column * step.stride - step.padding + step.dilation * np.arange(slices.shape[2])
    there = ((rows >= 0) & (rows < stack.shape[1]))[:, None] & ((columns >= 0) & (columns < stack.shape[2]))[None, :]
    nearest = stack[:, rows.clip(0, stack.shape[1] - 1)][:, :, columns.clip(0, stack.shape[2] - 1)]
    patch = np.where(there, nearest, 0.0)
    products = patch * slices
    sums = products.sum((1, 2))
    return Opened(patch, there, products, sums, float(sums.sum() + bias))


def _must_fit(stack: Floats, slices: Floats, step: Step) -> tuple[int, int]:
    if len(stack) != len(slices):
        raise must_be("the filter", f"one slice for each of the {len(stack)} maps", f"{len(slices)} slices")
    return step.out(stack.shape[1], slices.shape[1]), step.out(stack.shape[2], slices.shape[2])


def answers(kernel: Floats) -> dict[str, float]:
    """Kernel (kh, kw) -> what it says to three test pictures of 0 and 1 under its window.

    "flat": all 1; "vertical": 0 in its left half, 1 in its right; "horizontal": 0 above, 1 below. A middle column
    counts to the right, a middle row to what is below.
    """
    high, wide = kernel.shape
    right, below = np.arange(wide) >= wide // 2, np.arange(high) >= high // 2
    return {
        "flat": float(kernel.sum()),
        "vertical": float((kernel * right[None, :]).sum()),
        "horizontal": float((kernel * below[:, None]).sum()),
    }
