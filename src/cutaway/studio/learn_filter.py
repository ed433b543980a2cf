"""Lessons 2 to 5: a kernel along a row, a filter over the picture, where a window stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput, must_be
from cutaway.studio.desk import Desk
from cutaway.studio.learn_picture import pixels_of, plane, rounded, rows
from cutaway.studio.learn_spots import first_of
from cutaway.studio.schemas.learn import (
    MOST,
    AlongRequest,
    AlongSeen,
    OpenedCell,
    OverRequest,
    OverSeen,
    PlacesRequest,
    TestAnswers,
    WindowPlaces,
)

if TYPE_CHECKING:
    from cutaway.engine.lesson.window import Step

Floats = NDArray[np.float64]
FLAT = 0.01
"""Where the slope is below this an activation hardly passes a gradient on."""
_TEST_ROW = np.pad(np.array([1, 1, 1, 0, 0, 0, 1, 1], np.float64), MOST)


def along_row(asked: AlongRequest) -> AlongSeen:
    from cutaway.engine.lesson.window import along

    kernel = np.array(asked.kernel, np.float64)
    found = along(np.array(asked.values, np.float64), kernel)
    return AlongSeen(
        patches=rows(found.patches),
        products=rows(found.products),
        sums=tuple(rounded(v) for v in found.sums),
        best=int(found.sums.argmax()),
        falls=_finds(kernel, falls=True),
        rises=_finds(kernel, falls=False),
    )


def _finds(kernel: Floats, *, falls: bool) -> bool:
    """Whether the kernel is above 0 once for each fall (rise) of the test row, its window over it, and nowhere else."""
    from cutaway.engine.lesson.window import along

    change = np.diff(_TEST_ROW) * (-1 if falls else 1) > 0
    fires = along(_TEST_ROW, kernel).sums > 0
    for first in range(len(kernel) - 1):  # the change may lie anywhere under the window
        if np.array_equal(fires, change[first : first + len(fires)]) and fires.sum() == change.sum():
            return True
    return False


def over_picture(desk: Desk, asked: OverRequest) -> OverSeen:
    from cutaway.engine.lesson.slope import applied, slopes
    from cutaway.engine.lesson.window import Step, answers, over

    step = Step(asked.stride, asked.padding, asked.dilation)
    bias, layer = 0.0, ""
    if asked.source == "model":
        stack, slices, bias, step, layer = _own(desk, asked)
    else:
        stack = _stack(desk, asked)
        slices = _slices(asked, len(stack))
    found = over(stack, slices, step, bias)
    shown = found.total if asked.activation is None else applied(asked.activation, found.total)
    slope = None if asked.activation is None else slopes(asked.activation, found.total)
    span = [step.out(side, k) for side, k in zip(stack.shape[1:], slices.shape[1:], strict=True)]
    unseen = [
        max(0, side - ((out - 1) * step.stride - step.padding + step.span(k)))
        for side, out, k in zip(stack.shape[1:], span, slices.shape[1:], strict=True)
    ]
    return OverSeen(
        slices=tuple(rows(s) for s in slices),
        bias=rounded(bias),
        stride=step.stride,
        padding=step.padding,
        dilation=step.dilation,
        cells=(span[0], span[1]),
        given=tuple(plane(m) for m in stack) if asked.given else (),
        parts=tuple(plane(m) for m in found.parts) if len(stack) > 1 or bias else (),
        total=plane(found.total),
        after=None if asked.activation is None else plane(shown),
        zeros=float((shown == 0).mean()),
        flat=None if slope is None else float((slope < FLAT).mean()),
        answers=TestAnswers(**answers(slices[0])),
        opened=None if asked.cell is None else _opened(stack, slices, step, asked.cell, bias),
        layer=layer,
        unseen=(unseen[0], unseen[1]),
    )


def _stack(desk: Desk, asked: OverRequest) -> Floats:
    from cutaway.engine.lesson.picture import brightness, colours

    pixels = pixels_of(desk, asked)
    return brightness(pixels)[None] if asked.source == "grey" else colours(pixels)


def _slices(asked: OverRequest, count: int) -> Floats:
    """The kernels that were typed, or a named one for each map: (C, kh, kw). Raises BadInput where they do not fit."""
    from cutaway.surgery.kernels import named_kernel

    if asked.slices is None:
        kernel: Floats = named_kernel(asked.name, asked.side, asked.side).numpy()
        return np.repeat(kernel[None], count, axis=0) / count
    shapes = {tuple(len(row) for row in one) for one in asked.slices}
    sides = {len(one) for one in asked.slices} | {n for shape in shapes for n in shape}
    if len(shapes) != 1 or len({n for shape in shapes for n in shape}) != 1 or not 1 <= max(sides) <= MOST:
        raise BadInput(f"Every slice of a filter has the same rows of the same length, up to {MOST} weights a side.")
    given = np.array(asked.slices, np.float64)
    if not np.isfinite(given).all() or np.abs(given).max() > 1e6:
        raise must_be("a weight", "a number within a million of 0", given.flat[int(np.abs(given).argmax())])
    return given


def _own(desk: Desk, asked: OverRequest) -> tuple[Floats, Floats, float, Step, str]:
    first = first_of(desk, asked)
    if first is None:
        raise BadInput(
            "Your network does not begin with a convolution that a lesson can show; take the picture's colours."
        )
    if asked.filter >= len(first.weights):
        raise must_be("filter", f"from 0 to {len(first.weights) - 1} in {first.name}", asked.filter)
    return first.stack, first.weights[asked.filter], float(first.bias[asked.filter]), first.step, first.name


def _opened(stack: Floats, slices: Floats, step: Step, cell: tuple[int, int], bias: float) -> OpenedCell:
    from cutaway.engine.lesson.window import opened

    high, wide = step.out(stack.shape[1], slices.shape[1]), step.out(stack.shape[2], slices.shape[2])
    row, column = min(max(cell[0], 0), high - 1), min(max(cell[1], 0), wide - 1)
    found = opened(stack, slices, step, (row, column), bias)
    return OpenedCell(
        row=row,
        column=column,
        top=row * step.stride - step.padding,
        left=column * step.stride - step.padding,
        patches=tuple(rows(p) for p in found.patch),
        inside=tuple(tuple(line) for line in found.inside.tolist()),
        products=tuple(rows(p) for p in found.products),
        sums=tuple(rounded(v) for v in found.sums),
        bias=rounded(bias),
        value=rounded(found.value),
    )


def window_places(asked: PlacesRequest) -> WindowPlaces:
    from cutaway.engine.lesson.window import Step, places

    step = Step(asked.stride, asked.padding, asked.dilation)
    found = places(asked.cells, asked.kernel, step)
    span = step.span(asked.kernel)
    return WindowPlaces(
        out=step.out(asked.cells, asked.kernel),
        span=span,
        starts=found.starts,
        seen=found.seen,
        outside=found.outside,
        left=found.left,
        same=(span - 1) // 2 if span % 2 else None,
    )
