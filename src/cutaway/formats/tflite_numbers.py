"""Numbers that a .tflite file keeps -> arrays: dequantised where they are stored as integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadModel
from cutaway.formats.tflite_tables import Tables, Tensor, count_of, shown

_DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "float64": np.dtype("<f8"),
    "bfloat16": np.dtype("<u2"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "int16": np.dtype("<i2"),
    "uint16": np.dtype("<u2"),
    "int32": np.dtype("<i4"),
    "uint32": np.dtype("<u4"),
    "int64": np.dtype("<i8"),
    "bool": np.dtype("?"),
    "int4": np.dtype("u1"),
}
_STRETCH = 16
_SPARE = 2**20


class Numbers:
    """Reads constants; all together may take `_STRETCH` times the file's own bytes (one buffer can serve many)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._left = len(tables.data) * _STRETCH + _SPARE

    def __call__(self, tensor: Tensor) -> NDArray[Any] | None:
        """Tensor -> its numbers: float32, or int64/bool for plain integers; None where the file keeps none.

        Raises BadModel where the bytes do not fit the shape, or the type cannot be read.
        """
        raw = self._tables.raw(tensor)
        if raw is None:
            return None
        count = count_of(tensor.shape)
        stored = self._stored(tensor, raw, count)
        self.spend(count * (4 if tensor.quantisation or stored.dtype.kind == "f" else 8))
        if tensor.type == "bfloat16":
            return (stored.astype(np.uint32) << 16).view(np.float32).reshape(tensor.shape)
        if stored.dtype.kind == "f":
            return np.asarray(stored, np.float32).reshape(tensor.shape)
        if tensor.quantisation is not None:
            return self._dequantised(tensor, stored.reshape(tensor.shape))
        return (
            stored.reshape(tensor.shape) if stored.dtype.kind == "b" else stored.astype(np.int64).reshape(tensor.shape)
        )

    def spend(self, size: int) -> None:
        """Bytes about to be made. Raises BadModel when the file asks for too many in all."""
        self._left -= size
        if self._left < 0:
            raise BadModel(
                f"{self._tables.name} unpacks to more than {_STRETCH} times its size; nothing more was read."
            )

    def _stored(self, tensor: Tensor, raw: NDArray[np.uint8], count: int) -> NDArray[Any]:
        where = f"{self._tables.name}: tensor {shown(tensor.name) or tensor.index}"
        if tensor.sparse:
            raise BadModel(f"{where} is stored sparsely, which cannot be opened; convert it without pruning.")
        if tensor.type not in _DTYPES:
            raise BadModel(f"{where} holds {tensor.type} values, which cannot be opened.")
        dtype = _DTYPES[tensor.type]
        wanted = -(-count // 2) if tensor.type == "int4" else count * dtype.itemsize
        if len(raw) != wanted:
            raise BadModel(
                f"{where} of shape {tensor.shape} ({tensor.type}) takes {wanted:,} bytes; the file keeps {len(raw):,}."
            )
        stored = np.frombuffer(raw, dtype)
        if tensor.type != "int4":
            return stored
        self.spend(2 * count)
        halves: NDArray[np.int8] = np.stack([stored & 15, stored >> 4], 1).reshape(-1)[:count].astype(np.int8)
        return np.where(halves > 7, halves - 16, halves)

    def _dequantised(self, tensor: Tensor, stored: NDArray[Any]) -> NDArray[np.float32]:
        """scale * (stored - zero); the product of two float32 numbers is what TFLite takes, so it is rounded once."""
        assert tensor.quantisation is not None
        scale, zero, axis = tensor.quantisation.scale, tensor.quantisation.zero, tensor.quantisation.axis
        if len(scale) > 1:
            if not 0 <= axis < stored.ndim or stored.shape[axis] != len(scale):
                raise BadModel(
                    f"{self._tables.name}: tensor {shown(tensor.name) or tensor.index} of shape {tensor.shape} has "
                    f"{len(scale)} scales for axis {axis}."
                )
            along = [-1 if a == axis else 1 for a in range(stored.ndim)]
            scale, zero = scale.reshape(along), (zero.reshape(along) if len(zero) > 1 else zero)
        shifted = stored.astype(np.float32)
        if len(scale) == 1 and scale.ndim == 1:
            scale, zero = scale[0], zero[0]
        shifted -= np.float32(zero)
        shifted *= np.float32(scale)
        return shifted
