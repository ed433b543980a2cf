"""Lessons 5 and 6: an activation and its slope, zeros in the reader's network, pooling while the picture moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.studio.desk import Desk
from cutaway.studio.learn_picture import picture, pixels_of, plane, rounded, rows
from cutaway.studio.schemas.learn import (
    CurveRequest,
    CurveSeen,
    LayerZeros,
    LessonRequest,
    PoolCurve,
    PooledCell,
    PoolRequest,
    PoolSeen,
    Probabilities,
)

if TYPE_CHECKING:
    from cutaway.image.picture import Pixels

Floats = NDArray[np.float64]
REACH, POINTS = 6.0, 121
"""The curve is drawn from -REACH to REACH."""
MOVES = tuple(range(9))


def curve(asked: CurveRequest) -> CurveSeen:
    from cutaway.engine.lesson.slope import applied, chain, slopes

    xs = np.linspace(-REACH, REACH, POINTS)
    at = np.array([asked.x])
    through = chain(asked.name, asked.x, asked.weight, asked.depth)
    slope = slopes(asked.name, xs)
    return CurveSeen(
        xs=_all(xs),
        ys=_all(applied(asked.name, xs)),
        slopes=_all(slope),
        y=rounded(applied(asked.name, at)[0]),
        slope=rounded(slopes(asked.name, at)[0]),
        most=rounded(slope.max()),
        values=_all(through.values),
        steps=_all(through.steps),
        left=_all(through.left),
    )


def answer(desk: Desk, asked: LessonRequest) -> Probabilities:
    from cutaway.surgery.effect import probabilities

    if not asked.model:
        raise BadInput("No model is chosen yet; choose one on the Home page to see what it says.")
    ran = desk.run(asked)
    return Probabilities(p=_all(probabilities(ran.model, ran.after.trace.output)[0].tolist()))


def zeros(desk: Desk, asked: LessonRequest) -> list[LayerZeros]:
    from cutaway.draw.families import family_of

    if not asked.model:
        return []
    trace = desk.run(asked).after.trace
    named = [row for row in desk.table(asked) if family_of(row.kind) == "activation" and row.name in trace]
    return [
        LayerZeros(layer=row.name, kind=row.kind, zeros=float((trace[row.name].numpy() == 0).mean())) for row in named
    ]


def pool(desk: Desk, asked: PoolRequest) -> PoolSeen:
    from cutaway.engine.lesson.pool import alike, pooled

    pixels = pixels_of(desk, asked)
    now = _moved(pixels, asked.right)
    still, moved = _map(pixels, asked), _map(now, asked)
    small, small_moved = (pooled(m, asked.kind, asked.size, asked.stride) for m in (still, moved))
    return PoolSeen(
        picture=picture(now),
        still=plane(still),
        moved=plane(moved),
        pooled_still=plane(small),
        pooled_moved=plane(small_moved),
        kept=small.size / still.size,
        alike=(rounded(alike(still, moved)), rounded(alike(small, small_moved))),
        opened=None if asked.cell is None else _opened(moved, small_moved, asked),
    )


def pool_curve(desk: Desk, asked: PoolRequest) -> PoolCurve:
    from cutaway.engine.lesson.pool import alike, pooled

    pixels = pixels_of(desk, asked)
    maps = [_map(_moved(pixels, right), asked) for right in MOVES]

    def follow(kind: Literal["max", "average"]) -> tuple[float, ...]:
        small = [pooled(m, kind, asked.size, asked.stride) for m in maps]
        return _all([alike(small[0], other) for other in small])

    none = _all([alike(maps[0], other) for other in maps])
    return PoolCurve(moves=MOVES, none=none, max=follow("max"), average=follow("average"))


def _moved(pixels: Pixels, right: int) -> Pixels:
    from cutaway.studio.desk import changed_picture
    from cutaway.studio.schemas.about import PictureChange

    return changed_picture(pixels, (PictureChange(kind="translate", amount=right),)) if right else pixels


def _map(pixels: Pixels, asked: PoolRequest) -> Floats:
    """The picture's brightness through the named kernel and ReLU."""
    from cutaway.engine.lesson.picture import brightness
    from cutaway.engine.lesson.slope import applied
    from cutaway.engine.lesson.window import Step, over
    from cutaway.surgery.kernels import named_kernel

    kernel: Floats = named_kernel(asked.name, 3, 3).numpy()
    return applied("relu", over(brightness(pixels)[None], kernel[None], Step()).total)


def _opened(before: Floats, after: Floats, asked: PoolRequest) -> PooledCell:
    assert asked.cell is not None
    row, column = (min(max(c, 0), side - 1) for c, side in zip(asked.cell, after.shape, strict=True))
    top, left = row * asked.stride, column * asked.stride
    patch = before[top : top + asked.size, left : left + asked.size]
    return PooledCell(row=row, column=column, patch=rows(patch), value=rounded(after[row, column]))


def _all(values: Floats | tuple[float, ...] | list[float]) -> tuple[float, ...]:
    return tuple(rounded(float(v)) for v in values)
