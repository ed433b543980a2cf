"""PixelSet: the fitted pictures of a data set, mapped from disk and read by index at the speed of memory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput, BadPicture

MOST_HELD = 512 * 2**20


@dataclass(frozen=True, eq=False)
class PixelSet:
    """Uint8 pictures (N, H, W, 3) of the N samples of a data set, in their order; small to pickle unless `held`.

    `place` (N,) is each sample's row in the file, -1 where the picture could not be read: `failures` says why, under
    the sample's name. `stored_sizes` (N, 2) are heights and widths in the files, 0 for failures; `notes` what the
    loader did beyond decoding; `sha256s` the digests of the files; `decoded` how many this filling had to decode.
    """

    file: Path
    size: tuple[int, int]
    place: NDArray[np.int64]  # (N,)
    names: tuple[str, ...]
    sha256s: tuple[str | None, ...]
    stored_sizes: NDArray[np.int32]  # (N, 2)
    notes: tuple[tuple[str, ...], ...]
    failures: tuple[BadPicture, ...] = ()
    decoded: int = 0
    memory: NDArray[np.uint8] | None = None
    """Pixels (rows, H, W, 3) that stand in for the file after `held`."""

    def __len__(self) -> int:
        return len(self.place)

    @cached_property
    def ok(self) -> NDArray[np.bool_]:
        """(N,): which samples have pixels."""
        return self.place >= 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self), *self.size, 3)

    def rows(self, indices: Any) -> NDArray[np.uint8]:
        """Sample indices, a slice or a mask -> their pixels, uint8 (n, H, W, 3), gathered from the map into memory.

        Raises BadInput when one of the pictures could not be read.
        """
        places = self.place.take(_index(indices, len(self)))
        if not self._complete and places.size and places.min() < 0:
            raise self._unread(indices)
        return self._map.take(places, axis=0)

    def held(self, most_bytes: int = MOST_HELD) -> PixelSet:
        """Bytes it may take -> the same set with its pixels in memory, or itself where they are more (or more than a
        quarter of the free memory).

        For many passes over small pictures: numpy keeps large arrays on huge pages, which files cannot have, and for
        3 KB rows the address look-ups of a map cost a fifth of the time.
        """
        places = self.place[self.ok]
        size = len(places) * self.size[0] * self.size[1] * 3
        if size > min(most_bytes, _free_memory() // 4):
            return self
        numbers = np.where(self.ok, np.cumsum(self.ok) - 1, -1).astype(np.int64)
        return dataclasses.replace(self, place=numbers, memory=self._map.take(places, axis=0))

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> PixelSet:
        """Sample indices -> the PixelSet of those, over the same file."""
        chosen = np.asarray(indices, dtype=np.int64)
        names = tuple(self.names[i] for i in chosen)
        kept = set(names)
        return dataclasses.replace(
            self,
            place=self.place[chosen],
            names=names,
            sha256s=tuple(self.sha256s[i] for i in chosen),
            stored_sizes=self.stored_sizes[chosen],
            notes=tuple(self.notes[i] for i in chosen),
            failures=tuple(f for f in self.failures if f.name in kept),
        )

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(N, H, W, 3) in sample order: a view of the map where the rows follow each other, else a copy in memory."""
        start = int(self.place[0]) if len(self) else 0
        if np.array_equal(self.place, np.arange(start, start + len(self))):
            return self._map[start : start + len(self)]
        return self.rows(slice(None))

    @cached_property
    def _complete(self) -> bool:
        return bool(self.ok.all())

    @cached_property
    def _map(self) -> NDArray[np.uint8]:
        if self.memory is not None:
            return self.memory
        height, width = self.size
        length = self.file.stat().st_size // (height * width * 3)
        if not length:
            return np.empty((0, height, width, 3), np.uint8)
        return np.asarray(np.memmap(self.file, np.uint8, "r", shape=(length, height, width, 3)))

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # the map is opened anew elsewhere

    def _unread(self, indices: Any) -> BadInput:
        asked = _index(indices, len(self))
        name = next(self.names[i] for i in np.atleast_1d(asked) if self.place[i] < 0)
        why = next((f"{f.code}: {f.detail}" for f in self.failures if f.name == name), "it failed")
        return BadInput(f"{name} has no pixels ({why}); leave out the samples whose `ok` is False.")


def _index(indices: Any, length: int) -> NDArray[np.int64]:
    """What numpy indexes by (numbers, a slice, a mask) -> numbers."""
    if isinstance(indices, slice):
        return np.arange(length)[indices]
    array = np.asarray(indices)
    return np.flatnonzero(array) if array.dtype == bool else array.astype(np.int64, copy=False)


def _free_memory() -> int:
    """Bytes of memory that are free now; without a limit where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 62
