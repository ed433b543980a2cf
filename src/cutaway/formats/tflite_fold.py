"""TFLite operators on numbers the file holds: computed while reading (sizes for a reshape, 16-bit weights)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway.formats.tflite_emit import Array, Emit, Value
from cutaway.formats.tflite_slices import strided

_MOST = 2**26
_DTYPES = {0: np.float32, 1: np.float32, 2: np.int64, 4: np.int64, 6: np.bool_, 9: np.int64, 10: np.float32}
_TWO: dict[str, Callable[[Array, Array], Any]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
}
_ONE: dict[str, Callable[[Array], Any]] = {
    "QUANTIZE": lambda a: a,
    "DEQUANTIZE": lambda a: a,
    "NEG": np.negative,
}


def shape_of(e: Emit) -> Array:
    """The shape of a value as numbers."""
    x = e.operand(0)
    shape = x.shape
    if isinstance(x, Value) and x.merged:
        shape = (math.prod(shape[: x.merged]), *shape[x.merged :])
    return np.array(shape, np.int64)


def folded(e: Emit) -> Array:
    """Operator whose operands are all numbers of the file -> what it makes. Stops at one that is not on the list."""
    arrays = [e.constant(at, "operands") for at in range(len(e.operands)) if e.has(at)]
    if not arrays:
        raise e.bad("it is applied to nothing.")
    if e.kind in _ONE:
        return np.asarray(_ONE[e.kind](arrays[0]))
    if e.kind in _TWO and len(arrays) == 2:
        _room(e, math.prod(np.broadcast_shapes(arrays[0].shape, arrays[1].shape)))
        with np.errstate(all="ignore"):
            return np.asarray(_TWO[e.kind](*arrays))
    if e.kind not in _MORE:
        raise e.stop("it works on numbers the file holds, which is not on Cutaway's list for it.")
    return np.asarray(_MORE[e.kind](e, arrays))


def _room(e: Emit, count: int) -> None:
    if count > _MOST:
        raise e.bad(f"it would make {count:,} numbers; at most {_MOST:,} are accepted.")
    e.spend(count * 8)


def _reshape(e: Emit, arrays: list[Array]) -> Array:
    return arrays[0].reshape(e.wholes(1, "sizes"))


def _transpose(e: Emit, arrays: list[Array]) -> Array:
    return arrays[0].transpose(e.wholes(1, "axes"))


def _expand(e: Emit, arrays: list[Array]) -> Array:
    return np.expand_dims(arrays[0], e.wholes(1, "axis")[0])


def _cast(e: Emit, arrays: list[Array]) -> Array:
    kind = int(e.number("CastOptions", "OutDataType"))
    if kind not in _DTYPES:
        raise e.stop(f"it makes values of type {kind}, which is not on Cutaway's list.")
    _room(e, arrays[0].size)
    with np.errstate(all="ignore"):
        return arrays[0].astype(_DTYPES[kind])


def _pack(e: Emit, arrays: list[Array]) -> Array:
    _room(e, sum(a.size for a in arrays))
    return np.stack(arrays, int(e.number("PackOptions", "Axis")))


def _concatenate(e: Emit, arrays: list[Array]) -> Array:
    _room(e, sum(a.size for a in arrays))
    return np.concatenate(arrays, int(e.number("ConcatenationOptions", "Axis")))


def _gather(e: Emit, arrays: list[Array]) -> Array:
    if e.number("GatherOptions", "BatchDims"):
        raise e.stop("it gathers in batches, which is not on Cutaway's list.")
    axis = int(e.number("GatherOptions", "Axis"))
    _room(e, arrays[1].size * math.prod(n for a, n in enumerate(arrays[0].shape) if a != axis % arrays[0].ndim))
    return np.take(arrays[0], arrays[1], axis)


def _product(e: Emit, arrays: list[Array]) -> Array:
    kept = bool(e.number("ReducerOptions", "KeepDims"))
    return np.asarray(np.prod(arrays[0], axis=tuple(e.wholes(1, "axes")), keepdims=kept))


def _strided_slice(e: Emit, arrays: list[Array]) -> Array:
    return np.asarray(arrays[0][tuple(strided(e, arrays[0].shape))])


def _slice(e: Emit, arrays: list[Array]) -> Array:
    starts, sizes = e.wholes(1, "starts"), e.wholes(2, "sizes")
    ends = [None if size == -1 else start + size for start, size in zip(starts, sizes, strict=True)]
    return arrays[0][tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))]


def _fill(e: Emit, arrays: list[Array]) -> Array:
    sizes = e.wholes(0, "sizes")
    _room(e, math.prod(sizes))
    return np.full(sizes, arrays[1].reshape(()))


def _broadcast(e: Emit, arrays: list[Array]) -> Array:
    sizes = e.wholes(1, "sizes")
    _room(e, math.prod(sizes))
    return np.array(np.broadcast_to(arrays[0], sizes))


_MORE: dict[str, Callable[[Emit, list[Array]], Array]] = {
    "RESHAPE": _reshape,
    "TRANSPOSE": _transpose,
    "EXPAND_DIMS": _expand,
    "CAST": _cast,
    "PACK": _pack,
    "CONCATENATION": _concatenate,
    "GATHER": _gather,
    "REDUCE_PROD": _product,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "FILL": _fill,
    "BROADCAST_TO": _broadcast,
}
