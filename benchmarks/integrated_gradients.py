"""Integrated Gradients in 50 steps, and saliency, of one picture beside captum, the same network and picture.

224 px, two threads, each side in processes of its own and in turn; the median counts (saliency: the median of 15 calls
a process after one that is not measured; Integrated Gradients: one call, with all that it prepares). captum runs with
its default, all steps at once, and with internal_batch_size 5, 10 and 25; the quickest is its best. Networks have
learnt a little, as in `cam`. Memory: by how much the first call raises the process's peak. Bars: Integrated
Gradients 1.5 times faster than captum's best, saliency not slower, memory not above the peer's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Outcome, Row, Settings, middle, say, versions
from benchmarks.cam import prepared
from benchmarks.processes import program, ran
from benchmarks.programs.gradients import NETWORKS

BARS = {"saliency": 1.0, "integrated-gradients": 1.5}
BATCHES = (0, 5, 10, 25)
CALLS = 15
QUIET = {"OMP_WAIT_POLICY": "passive"}

Runs = dict[str, list[dict[str, Any]]]


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each network and method; quick ones: one small picture through one network."""
    names = NETWORKS[:1] if settings.quick else NETWORKS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared(folder, names, settings.quick)
        rows = [compared(name, method, folder, settings) for name in names for method in BARS]
    met = all(row["ratio"] >= row["bar"] for row in rows)
    lean = all((row["memory, MiB"] or 0) <= (row["captum's, MiB"] or 0) for row in rows)
    note = f"Two threads. Bars of speed: {_word(met)}; memory not above captum's at its best: {_word(lean)}."
    return Outcome(rows, versions("torch", "torchvision", "captum"), note)


def compared(network: str, method: str, folder: Path, settings: Settings) -> Row:
    """Network, method -> the row: milliseconds, ratio to captum's best, the difference of the maps, memory of both."""
    batches = BATCHES if method == "integrated-gradients" else BATCHES[:1]
    rounds = CALLS if method == "saliency" and not settings.quick else 1
    sides = {"cutaway": ("cutaway", 0), **{_side(batch): ("captum", batch) for batch in batches}}
    found: Runs = {side: [] for side in sides}
    for _ in range(settings.repeats):
        for side, (library, batch) in sides.items():
            command = program("gradients", library=library, method=method, network=network, folder=folder,
                              batch=batch, rounds=rounds)  # fmt: skip
            found[side].append(ran(command, QUIET).result)
    wall = {side: 1000 * middle((run["wall"] for run in runs), 6) for side, runs in found.items()}
    cpu = {side: 1000 * middle((run["cpu"] for run in runs), 6) for side, runs in found.items()}
    best = min((side for side in sides if side != "cutaway"), key=wall.__getitem__)
    say(f"{network}, {method}: " + ", ".join(f"{side} {ms:.0f} ms" for side, ms in wall.items()))
    ours, theirs = (np.load(folder / found[side][0]["map"]) for side in ("cutaway", best))
    return {
        "network": network,
        "method": method,
        "Cutaway, ms": round(wall["cutaway"], 1),
        "captum, ms": round(wall[_side(0)], 1),
        "captum's best, ms": round(wall[best], 1),
        "best with": best,
        "ratio": round(wall[best] / wall["cutaway"], 2),
        "bar": BARS[method],
        "ratio of CPU": round(cpu[best] / cpu["cutaway"], 2),
        "correlation": round(float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]), 6),
        "memory, MiB": _memory(found["cutaway"]),
        "captum's, MiB": _memory(found[best]),
    }


def _side(batch: int) -> str:
    return f"captum, batch {batch}" if batch else "captum"


def _memory(runs: list[dict[str, Any]]) -> float | None:
    """Runs of one side -> MiB by which the first call raised the peak, the most of them."""
    rises = [run["rise"] for run in runs if run["rise"] is not None]
    return round(max(rises), 1) if rises else None


def _word(met: bool) -> str:
    return "met" if met else "MISSED"
