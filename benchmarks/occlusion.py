"""Occlusion of one picture beside captum's, the same network, picture, window and stride: seconds, memory, difference.

224 px, window 16, stride 8 (729 windows), two threads, each side in processes of its own and in turn; the median of
single calls counts, with all that they prepare. captum runs with its default, one covered picture at a time, and with
perturbations_per_eval 8, 16 and 32; the quickest of all is its best. Networks have learnt a little, as in `cam`;
bfloat16 is timed whether or not the method's own check allows it, and what that found is told.
`difference`: the largest of the two maps, in parts of the range of the picture's logits. Memory: by how much the call
raises the process's peak. Bars in float32: 9 times captum's default and 6 times its best on mobilenet_v2, 4 and 3 times
on resnet18, difference 1e-4; in bfloat16 15 and 7 times the default; memory not above the peer's at its best.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Outcome, Row, Settings, middle, say, versions
from benchmarks.cam import halves, prepared
from benchmarks.processes import program, ran
from benchmarks.programs.occlusion import NETWORKS

BARS = {
    ("mobilenet_v2", "float32"): (9.0, 6.0),
    ("resnet18", "float32"): (4.0, 3.0),
    ("mobilenet_v2", "bfloat16"): (15.0, None),
    ("resnet18", "bfloat16"): (7.0, None),
}
EXACT = 1e-4
BATCHES = (1, 8, 16, 32)
QUIET = {"OMP_WAIT_POLICY": "passive"}

Runs = list[dict[str, Any]]
Sides = dict[str, dict[str, Any]]


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each network and precision; quick ones: one small picture through one network."""
    names = NETWORKS[:1] if settings.quick else NETWORKS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared(folder, names, settings.quick)
        rows = [row for name in names for row in compared(name, folder, settings)]
    fast = all(row[ratio] >= row[bar] for row in rows for ratio, bar in _PAIRS if row[bar] is not None)
    lean = all((row["memory, MiB"] or 0) <= (row["captum's, MiB"] or 0) for row in rows)
    exact = all(row["difference"] <= EXACT for row in rows if row["precision"] == "float32")
    note = (
        f"Two threads. Bars of speed: {_word(fast)}; difference in float32 at most {EXACT:g}: {_word(exact)}; "
        f"memory not above captum's at its best: {_word(lean)}.{halves()}"
    )
    return Outcome(rows, versions("torch", "torchvision", "captum"), note)


_PAIRS = (("over default", "bar"), ("over best", "bar of best"))


def compared(network: str, folder: Path, settings: Settings) -> list[Row]:
    """Network -> its rows, in float32 and in bfloat16."""
    batches = BATCHES[:1] if settings.quick else BATCHES
    ours: Sides = {precision: {"library": "cutaway", "precision": precision} for precision in ("float32", "bfloat16")}
    theirs: Sides = {f"captum, {batch} at once": {"library": "captum", "batch": batch} for batch in batches}
    found: dict[str, Runs] = {side: [] for side in (*ours, *theirs)}
    for _ in range(settings.repeats):
        for side, options in {**ours, **theirs}.items():
            command = program("occlusion", network=network, folder=folder, **options)
            found[side].append(ran(command, QUIET).result)
            say(f"{network}, {side}: {found[side][-1]['wall']:.2f} s")
    wall = {side: middle((run["wall"] for run in runs), 6) for side, runs in found.items()}
    best = min(theirs, key=wall.__getitem__)
    exact = np.load(folder / found[best][0]["map"])
    return [_row(network, precision, found, wall, best, exact, folder) for precision in ours]


def _row(
    network: str,
    precision: str,
    found: dict[str, Runs],
    wall: dict[str, float],
    best: str,
    exact: Any,
    folder: Path,
) -> Row:
    runs, default = found[precision], next(side for side in wall if side.startswith("captum"))
    ours = np.load(folder / runs[0]["map"])
    bars = BARS[network, precision]
    cpu = {side: middle((run["cpu"] for run in found[side]), 6) for side in (precision, default)}
    return {
        "network": network,
        "precision": precision,
        "Cutaway, s": round(wall[precision], 2),
        "captum, s": round(wall[default], 2),
        "captum's best, s": round(wall[best], 2),
        "best with": best.removeprefix("captum, "),
        "over default": round(wall[default] / wall[precision], 2),
        "bar": bars[0],
        "over best": round(wall[best] / wall[precision], 2),
        "bar of best": bars[1],
        "ratio of CPU": round(cpu[default] / cpu[precision], 2),
        "difference": float(f"{np.abs(ours - exact).max() / runs[0]['range']:.2g}"),
        "correlation": round(float(np.corrcoef(ours.ravel(), exact.ravel())[0, 1]), 6),
        "memory, MiB": _memory(runs),
        "captum's, MiB": _memory(found[best]),
        "captum's default, MiB": _memory(found[default]),
        "check": " ".join(runs[0]["notes"]).partition("r = ")[2].rstrip("."),
    }


def _memory(runs: Runs) -> float | None:
    """Runs of one side -> MiB by which the call raised the peak, the most of them."""
    rises = [run["rise"] for run in runs if run["rise"] is not None]
    return round(max(rises), 1) if rises else None


def _word(met: bool) -> str:
    return "met" if met else "MISSED"
