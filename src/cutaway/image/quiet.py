"""Pillow's warnings stay inside the loading path, whatever the caller's filters are and however many threads read.

`warnings.catch_warnings` restores the filter list it found, so two threads that overlap can leave the wrong one behind
for good. Here the first reader in adds one filter, the last one out takes that one filter away.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Any

_DECODERS = r"(?:PIL|pi_heif)(?:\.|$)"  # by module, so that a caller's own warnings are still heard meanwhile
_lock = threading.Lock()
_inside = 0
_placed: tuple[Any, list[Any]] | None = None


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Context in which Pillow and pi-heif warn nobody; safe in threads, leaves the caller's filters as they were."""
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            _place()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _remove()


def _place() -> None:
    global _placed
    warnings.filterwarnings("ignore", module=_DECODERS)
    filters: list[Any] = warnings.filters  # type: ignore[assignment]
    _placed = (filters[0], filters)


def _remove() -> None:
    global _placed
    if _placed is None:
        return
    ours, where = _placed
    for filters in (where, warnings.filters):  # the same list, unless a catch_warnings began or ended meanwhile
        with contextlib.suppress(ValueError):
            filters.remove(ours)  # type: ignore[union-attr]
    _placed = None
