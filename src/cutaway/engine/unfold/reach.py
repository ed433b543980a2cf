"""Which rows or columns of a map a window reads along one axis: stride, padding, dilation and borders."""

from __future__ import annotations

from dataclasses import dataclass

from cutaway.engine.unfold.terms import OUTSIDE


@dataclass(frozen=True, slots=True)
class Reach:
    """Coordinates read along one axis, OUTSIDE where there is no cell, and whether each is padding."""

    at: tuple[int, ...]
    padded: tuple[bool, ...]


def reach(position: int, size: int, kernel: int, stride: int, before: int, dilation: int, mode: str = "zeros") -> Reach:
    """Output coordinate, input size, settings -> what the kernel's places read; `before`: padding ahead of cell 0."""
    wanted = [position * stride - before + k * dilation for k in range(kernel)]
    padded = tuple(not 0 <= c < size for c in wanted)
    return Reach(tuple(_inside(c, size, mode) for c in wanted), padded)


def same_before(size: int, kernel: int, stride: int, dilation: int) -> int:
    """TensorFlow's 'same' padding ahead of cell 0 (the odd pixel lies behind)."""
    return max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0) // 2


def adaptive(position: int, size: int, outputs: int) -> Reach:
    """Adaptive pooling's window: from floor(i * size / outputs) up to ceil((i + 1) * size / outputs)."""
    cells = tuple(range(position * size // outputs, -(-(position + 1) * size // outputs)))
    return Reach(cells, (False,) * len(cells))


def transposed(
    position: int, size: int, kernel: int, stride: int, before: int, dilation: int
) -> tuple[Reach, list[int]]:
    """Output coordinate of a transposed convolution -> the input cells that reach it, and each one's kernel place."""
    cells: list[int] = []
    places: list[int] = []
    for k in reversed(range(kernel)):
        far = position + before - k * dilation
        if far % stride == 0 and 0 <= far // stride < size:
            cells.append(far // stride)
            places.append(k)
    return Reach(tuple(cells), (False,) * len(cells)), places


def _inside(c: int, size: int, mode: str) -> int:
    if 0 <= c < size:
        return c
    if mode == "circular":
        return c % size
    if mode == "replicate":
        return min(max(c, 0), size - 1)
    if mode == "reflect":
        return -c if c < 0 else 2 * (size - 1) - c
    return OUTSIDE
