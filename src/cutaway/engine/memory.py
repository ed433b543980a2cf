"""Memory that a run has freed stays with the process for the next run, instead of coming back page by page."""

from __future__ import annotations

import ctypes
import functools
import sys

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _MOST_ARENAS = -3, -1, -8  # malloc.h
_LARGEST = 32 * 2**20  # the most glibc takes; larger blocks go back to the system at once
_KEPT = 512 * 2**20


@functools.cache
def keep_freed_memory() -> bool:
    """() -> True where the C library is glibc and now keeps up to 512 MiB of freed memory; set once for the process.

    All threads share it: with a pool for each, what one has freed is of no use to the next (occlusion of resnet18 on
    two threads: 355 MiB so and 250 with one pool, in the same time).

    A trace holds every map at once (MobileNetV2 at 224 px: 76 MiB). Each trace anew, those pages come from the system
    zeroed: measured on one thread 29 ms a trace so and 19 ms with the pages kept, beside 16 ms for a plain forward.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl has none
        return False
    wanted = {_MMAP_THRESHOLD: _LARGEST, _TRIM_THRESHOLD: _KEPT, _MOST_ARENAS: 1}
    return all(bool(mallopt(which, value)) for which, value in wanted.items())
