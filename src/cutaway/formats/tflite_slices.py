"""Which part of a value a TFLite STRIDED_SLICE takes, for values and for numbers the file holds alike."""

from __future__ import annotations

from collections.abc import Sequence

from cutaway.formats.tflite_emit import Emit

_CLS = "StridedSliceOptions"


def strided(e: Emit, shape: Sequence[int]) -> list[slice | int]:
    """Shape of what is cut -> one slice (or one place, whose axis is dropped) for each axis."""
    starts, ends, steps = (e.wholes(at, what) for at, what in ((1, "starts"), (2, "ends"), (3, "steps")))
    if not len(starts) == len(ends) == len(steps) <= len(shape):
        raise e.bad(f"it cuts {len(starts)} axes of a value of shape {tuple(shape)}.")
    if e.number(_CLS, "EllipsisMask") or e.number(_CLS, "NewAxisMask"):
        raise e.stop("it skips or adds axes (ellipsis, new axis), which is not on Cutaway's list.")
    if e.number(_CLS, "Offset"):
        ends = [start + end for start, end in zip(starts, ends, strict=True)]
    if any(step < 1 for step in steps):
        raise e.stop(f"it takes steps of {steps}; only steps forward are on Cutaway's list.")
    open_starts, open_ends = int(e.number(_CLS, "BeginMask")), int(e.number(_CLS, "EndMask"))
    single = int(e.number(_CLS, "ShrinkAxisMask"))
    picks: list[slice | int] = [slice(None)] * len(shape)
    for axis, (start, end, step) in enumerate(zip(starts, ends, steps, strict=True)):
        size = shape[axis]
        if single >> axis & 1:
            if not -size <= start < size:
                raise e.bad(f"it takes place {start} of an axis of {size}.")
            picks[axis] = start % size
            continue
        low = None if open_starts >> axis & 1 else start
        high = None if open_ends >> axis & 1 else end
        picks[axis] = slice(*slice(low, high, step).indices(size))
    return picks


def picked_shape(picks: Sequence[slice | int], shape: Sequence[int]) -> tuple[int, ...]:
    """One slice or place for each axis, shape -> shape of the part."""
    return tuple(len(range(n)[p]) for p, n in zip(picks, shape, strict=True) if isinstance(p, slice))
