"""How many processor threads a piece of work uses, said for that piece only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from cutaway.errors import must_be


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[int]:
    """Number of threads (None: as torch has them) -> inside, the number in use; afterwards what was before.

    Raises BadInput below 1.
    """
    before = torch.get_num_threads()
    if count is not None and count < 1:
        raise must_be("threads", "at least 1", count)
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        if count is not None:
            torch.set_num_threads(before)
