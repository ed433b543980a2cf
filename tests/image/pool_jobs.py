"""Functions that the worker processes of test_pool.py import."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from cutaway.errors import BadPicture
from cutaway.image import read_image


def double(job: int) -> int:
    return 2 * job


def accident(job: int) -> object:
    """Doubles, except for the jobs that go wrong, each in its own way."""
    match job:
        case 3:
            os.kill(os.getpid(), 9)
        case 8:
            time.sleep(60)
        case 13:
            raise MemoryError
        case 18:
            return len(bytearray(20 * 2**30))
        case 21:
            raise KeyError("no such thing")
        case 26:
            raise BadPicture("photo 26", "truncated", "half of it")
        case 27:
            os._exit(7)
        case 29:
            return lambda: None
        case 31:
            return Unreadable()
        case 32:
            os.write(1, b"noise on stdout\n")
    return 2 * job


class Unreadable:
    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("not a number",)


def modules(job: int) -> list[str]:
    del job
    return sorted({name.partition(".")[0] for name in sys.modules})


def slow_pid(job: int) -> int:
    del job
    time.sleep(0.05)
    return os.getpid()


def size_of(path: Any) -> tuple[int, int]:
    height, width, _ = read_image(path).pixels.shape
    return height, width
