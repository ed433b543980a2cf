"""Warm pixel cache beside pixels in memory: shuffled batches of 128 from each, and what filling the cache costs.

The peer is a uint8 array in memory, indexed the same way: the best a loader can do. Both draw the same shuffled batches
in turn, so that a busy machine slows both; of each batch the fastest round counts.
`mapped` draws from the file on disk; `held` is what training uses for sets that fit: the same file copied into memory
once. The bar: `held` at least 0.90 of the peer's rate (a map of 3 KB rows pays for 4 KB pages, the peer has huge ones).
Filling is timed cold (an empty cache folder, all processors) and warm (nothing to decode).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Outcome, Row, Settings, versions
from cutaway.dataset.cache import filled
from cutaway.dataset.scan import open_dataset
from cutaway.image import InputContract

BATCH = 128
BAR = 0.90
ROUNDS = 5


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each data set that is there, and one for scikit-learn's digits."""
    rounds = 1 if settings.quick else max(ROUNDS, settings.repeats)
    sets = [] if settings.quick else [("cats-vs-dogs", 224), ("cifar10", 32)]
    there = [(str(settings.data / name), side) for name, side in sets if (settings.data / name).is_dir()]
    with tempfile.TemporaryDirectory() as folder:
        rows = [compared(what, side, rounds, Path(folder)) for what, side in [*there, ("digits", 32)]]
    met = all(row["ratio held"] >= BAR for row in rows)
    bar = f"Bar {BAR:.2f} of the rate of pixels in memory, held: {'met' if met else 'MISSED'}."
    return Outcome(rows, versions("numpy", "pillow", "pyarrow"), f"Shuffled batches of {BATCH}. {bar}")


def compared(what: str, side: int, rounds: int, cache: Path) -> Row:
    """Data set and input side -> one row: seconds to fill, pictures per second of both sources, their ratio."""
    contract = InputContract((side, side))
    cold_wall, cold_cpu = clocked(lambda: filled(open_dataset(what), contract, folder=cache))
    warm_wall, _ = clocked(lambda: filled(open_dataset(what), contract, folder=cache))
    stored = filled(open_dataset(what), contract, folder=cache)
    readable = np.flatnonzero(stored.ok)
    in_memory = np.array(stored.rows(readable))  # (n, H, W, 3)
    place = {int(i): n for n, i in enumerate(readable)}
    held = stored.held()
    ways = {
        "mapped": stored.rows,
        "held": held.rows,
        "memory": lambda indices: in_memory[[place[int(i)] for i in indices]],
    }
    if len(readable) == len(stored):
        ways["memory"] = in_memory.__getitem__
    order = np.random.default_rng(0).permutation(readable)
    batches = [order[start : start + BATCH] for start in range(0, len(order) - BATCH + 1, BATCH)]
    names = list(ways)
    fastest = {way: np.full(len(batches), np.inf) for way in ways}
    for turn in range(rounds + 1):  # the first round warms both
        for number, batch in enumerate(batches):
            for first in range(len(ways)):
                way = names[(first + number + turn) % len(names)]
                fastest[way][number] = min(fastest[way][number], drawn(ways[way], batch))
    best = {way: float(times.sum()) for way, times in fastest.items()}
    pictures = len(readable) // BATCH * BATCH
    return {
        "data": f"{Path(what).name} at {side} × {side}",
        "pictures": len(stored),
        "cold: open and fill, s": round(cold_wall, 2),
        "cold: processor seconds": round(cold_cpu, 2),
        "warm: open and fill, s": round(warm_wall, 3),
        "mapped, pictures/s": round(pictures / best["mapped"]),
        "in memory, pictures/s": round(pictures / best["memory"]),
        "held, pictures/s": round(pictures / best["held"]),
        "ratio mapped": round(best["memory"] / best["mapped"], 3),
        "ratio held": round(best["memory"] / best["held"], 3),
        "bar": BAR,
    }


def drawn(way: Callable[[Any], Any], indices: Any) -> float:
    begun = time.perf_counter()
    batch = way(indices)
    spent = time.perf_counter() - begun
    assert batch.shape[0] == BATCH
    return spent


def clocked(work: Callable[[], Any]) -> tuple[float, float]:
    """Work -> wall seconds, processor seconds of this process and its workers."""
    before, begun = os.times(), time.perf_counter()
    work()
    wall, after = time.perf_counter() - begun, os.times()
    return wall, sum(after[:4]) - sum(before[:4])
