"""Warm pixel cache beside pixels in memory: shuffled batches of 128 from each, and what filling the cache costs.

    python benchmarks/cache.py [--data DIR] [--json FILE]

The peer is a uint8 array in memory, indexed the same way: the best a loader can do. Both draw the same shuffled batches
in turn, so that a busy machine slows both; of each batch the fastest round counts.
`mapped` draws from the file on disk; `held` is what training uses for sets that fit: the same file copied into memory
once. The bar: `held` at least 0.90 of the peer's rate (a map of 3 KB rows pays for 4 KB pages, the peer has huge ones).
Filling is timed cold (an empty cache folder, all processors) and warm (nothing to decode).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pyarrow

import cutaway
from cutaway.dataset.cache import filled
from cutaway.dataset.decode import processors
from cutaway.dataset.scan import open_dataset
from cutaway.image import InputContract

BATCH = 128
BAR = 0.90
DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


def measure(what: str, side: int, rounds: int, cache: Path) -> dict[str, Any]:
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


def versions() -> dict[str, str]:
    return {
        "cutaway": cutaway.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "pyarrow": pyarrow.__version__,
    }


def processor() -> str:
    """Name of the processor as the system gives it, and how many of them."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())
    return f"{processors()} x {name}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--data", type=Path, default=DATA, help="folder with cats-vs-dogs and cifar10")
    options.add_argument("--json", type=Path, help="file to write the rows to")
    options.add_argument("--rounds", type=int, default=5, help="passes over the data; of each batch the fastest counts")
    asked = options.parse_args()
    sets = [("cats-vs-dogs", 224), ("cifar10", 32)]
    there = [(str(asked.data / name), side) for name, side in sets if (asked.data / name).is_dir()]
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(what, side, asked.rounds, Path(folder)) for what, side in [*there, ("digits", 32)]]
    show(rows)
    if asked.json:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"name": "cache", "when": when, "machine": processor(), "versions": versions()}
        asked.json.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")


def show(rows: list[dict[str, Any]]) -> None:
    print(f"Shuffled batches of {BATCH} from the warm cache and from memory, on {processor()}")
    print(", ".join(f"{name} {version}" for name, version in versions().items()), end="\n\n")
    print(
        f"{'':<28}{'pictures':>9}{'cold s':>8}{'cpu s':>8}{'warm s':>8}{'mapped/s':>11}{'memory/s':>11}"
        f"{'mapped':>8}{'held':>7}"
    )
    for row in rows:
        what, pictures, cold, cpu, warm, mapped, memory, _, ratio, ratio_held, _ = row.values()
        print(
            f"{what:<28}{pictures:>9,}{cold:>8.2f}{cpu:>8.2f}{warm:>8.3f}{mapped:>11,}{memory:>11,}"
            f"{ratio:>8.3f}{ratio_held:>7.3f}"
        )
    met = all(row["ratio held"] >= BAR for row in rows)
    print(f"\nBar {BAR:.2f} of the rate of pixels in memory: {'met' if met else 'MISSED'}.")


if __name__ == "__main__":
    main()
