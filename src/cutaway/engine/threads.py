"""How many processor threads a piece of work uses, said for that piece only."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from cutaway.errors import must_be
from cutaway.graph.shapes import LayerRow

FEW = 8_000_000
"""Multiply-adds of a layer below which threads wait for each other longer than they compute."""

Given = TypeVar("Given")
Made = TypeVar("Made")


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


def side_by_side(work: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
    """What to do, with what -> what comes of each, in order; as many at a time as torch has threads, each on one.

    Two threads in one layer of small maps mostly wait for each other: occlusion of resnet18 at 224 px took 6.9 s that
    way and 5.9 s with a group of windows for each. `items` are taken here, one after another.
    """
    workers = torch.get_num_threads()
    if workers == 1:
        yield from map(work, items)
        return
    with threads(1), ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Made]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # whoever asked has heard enough
                future.cancel()


def for_one_picture(rows: Sequence[LayerRow]) -> int | None:
    """Layer table -> threads that take one picture through it soonest: 1 where its layers are small, None
    (as torch has them) where they are large.

    Two threads share a layer and wait for each other after it. Measured on 2 cores: mobilenet_v2 (mean of the layers
    that multiply: 6 million) 15.7 ms on one thread and 28.7 on two; resnet18 (86 million) 52 and 40.
    """
    work = [row.multiply_adds for row in rows if row.multiply_adds]
    return 1 if work and sum(work) / len(work) < FEW else None
