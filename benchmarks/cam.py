"""Grad-CAM and Score-CAM of one picture beside captum and pytorch-grad-cam, the same network, picture and layer.

224 px, two threads, each side in processes of its own and in turn; the median of their medians counts (Grad-CAM: 15
calls a process after one that is not measured; Score-CAM: one). Networks have learnt scikit-learn's digits for 60 steps
(random weights make much of rounding: in 16 bits their scores are noise), the batch norms' statistics are of sample
photos, the last layer is scaled. Memory: by how much the first call raises
the process's peak. `agreement`: correlation with pytorch-grad-cam's map; every side keeps what is above zero.
Bars: Grad-CAM not slower than any peer, Score-CAM of mobilenet_v2 2.5 times faster than pytorch-grad-cam's and 5 times
in 16 bits, memory not above the peer's.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from benchmarks.bench import ROOT, Outcome, Row, Settings, middle, say, versions
from benchmarks.peer_python import peer_python
from benchmarks.processes import flags, ran
from benchmarks.programs.networks import network
from cutaway.engine.bfloat16 import native_bfloat16

NETWORKS = ("mobilenet_v2", "resnet18")
SCORE_BARS = {("mobilenet_v2", False): 2.5, ("mobilenet_v2", True): 5.0}
CALLS = 15
STEPS = 60
SPREAD = 3.0  # of the logits, as trained networks have it
PROGRAM = ROOT / "benchmarks" / "programs" / "cam.py"
QUIET = {"OMP_WAIT_POLICY": "passive"}


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each network and method; quick ones: one small picture, captum alone beside it."""
    names = NETWORKS[:1] if settings.quick else NETWORKS
    peers = {"captum": Path(sys.executable)}
    if not settings.quick:
        peers["pytorch-grad-cam"] = peer_python()
    rows, libraries = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared(folder, names, settings.quick)
        for name in names:
            row, used = grad_cam(name, folder, peers, settings)
            rows.append(row)
            libraries.update(used)
            if not settings.quick:
                rows += score_cam(name, folder, peers["pytorch-grad-cam"], settings.repeats)
    met = all(row["ratio"] >= row["bar"] for row in rows if row["bar"] is not None)
    lean = all((row["memory of the call, MiB"] or 0) <= (row["peers', MiB"] or 0) for row in rows)
    return Outcome(
        rows,
        {**versions("torch", "torchvision"), **libraries},
        f"Two threads. Bars of speed: {_word(met)}; memory not above the peers': {_word(lean)}.{halves()}",
    )


def grad_cam(name: str, folder: Path, peers: dict[str, Path], settings: Settings) -> tuple[Row, dict[str, str]]:
    """Network -> its row, beside the peers that are there; their versions."""
    calls = 1 if settings.quick else CALLS
    sides = {"cutaway": Path(sys.executable), **peers}
    found: dict[str, list[dict[str, Any]]] = {library: [] for library in sides}
    for _ in range(settings.repeats):
        for library, python in sides.items():
            found[library].append(one(python, library=library, method="gradcam", network=name, folder=folder,
                                      rounds=calls))  # fmt: skip
    wall = {library: 1000 * middle((run["wall"] for run in runs), 6) for library, runs in found.items()}
    peaks = {library: _memory(runs) for library, runs in found.items()}
    ratio = min(wall[peer] for peer in peers) / wall["cutaway"]
    maps = {library: np.load(folder / runs[0]["map"]) for library, runs in found.items()}
    difference = float(np.abs(maps["cutaway"] - maps["captum"]).max() / np.abs(maps["captum"]).max())
    say(f"{name}, Grad-CAM: " + ", ".join(f"{library} {ms:.1f} ms" for library, ms in wall.items()))
    row: Row = {
        "network": name,
        "method": "Grad-CAM",
        "Cutaway, ms": round(wall["cutaway"], 1),
        **{f"{peer}, ms": round(wall[peer], 1) for peer in peers},
        "ratio": round(ratio, 2),
        "bar": 1.0,
        "agreement": _agreement(maps["cutaway"], maps.get("pytorch-grad-cam")),
        "difference to captum": difference,
        "memory of the call, MiB": peaks["cutaway"],
        "peers', MiB": min(peaks[peer] for peer in peers),
    }
    return row, {peer: found[peer][0]["version"] for peer in peers}


def score_cam(name: str, folder: Path, python: Path, repeats: int) -> list[Row]:
    """Network -> its rows in 32 and in 16 bits."""
    sides = {"cutaway": (Path(sys.executable), 0), "bf16": (Path(sys.executable), 1), "peer": (python, 0)}
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, (interpreter, bf16) in sides.items():
            library = "pytorch-grad-cam" if side == "peer" else "cutaway"
            found[side].append(one(interpreter, library=library, method="scorecam", network=name, folder=folder,
                                   bf16=bf16))  # fmt: skip
    wall = {side: 1000 * middle((run["wall"] for run in runs), 6) for side, runs in found.items()}
    peaks = {side: _memory(runs) for side, runs in found.items()}
    maps = {side: np.load(folder / runs[0]["map"]) for side, runs in found.items()}
    rows: list[Row] = []
    for side in ("cutaway", "bf16"):
        say(f"{name}, Score-CAM: {side} {wall[side] / 1000:.2f} s, pytorch-grad-cam {wall['peer'] / 1000:.2f} s")
        rows.append({
            "network": name,
            "method": "Score-CAM" if side == "cutaway" else "Score-CAM, bf16",
            "Cutaway, ms": round(wall[side]),
            "pytorch-grad-cam, ms": round(wall["peer"]),
            "ratio": round(wall["peer"] / wall[side], 2),
            "bar": SCORE_BARS.get((name, side == "bf16")),
            "agreement": _agreement(maps[side], maps["peer"]),
            "memory of the call, MiB": peaks[side],
            "peers', MiB": peaks["peer"],
        })  # fmt: skip
    return rows


def one(python: Path, **options: object) -> dict[str, Any]:
    """A side in a process of its own -> what it printed."""
    return ran([python, PROGRAM, *flags(**options)], QUIET).result


def prepared(folder: Path, names: Sequence[str], quick: bool) -> None:
    """Folder, networks, whether small and not taught -> the picture and the networks' weights, written into it."""
    photos = sample_photos(64 if quick else 224)
    np.save(folder / "pixels.npy", photos[:1])
    x = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 255
    for name in names:
        torch.manual_seed(0)
        made = network(name) if quick else taught(network(name), STEPS)
        torch.save(calibrated(made, x).state_dict(), folder / f"{name}.pt")


def taught(module: nn.Module, steps: int) -> nn.Module:
    """Network, steps -> the same after so many steps of 32 digits at 64 px, in eval mode."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = torch.from_numpy(digits.images / 16).float()[:, None].expand(-1, 3, -1, -1)  # (N, 3, 8, 8)
    targets = torch.from_numpy(digits.target)
    optimizer = torch.optim.AdamW(module.train().parameters(), 1e-3)
    for _ in range(steps):
        some = torch.randint(len(targets), (32,))
        loss = F.cross_entropy(module(F.interpolate(pictures[some], (64, 64))), targets[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.eval().requires_grad_(False)


def sample_photos(side: int) -> NDArray[np.uint8]:
    """Side in pixels -> uint8 (4, side, side, 3), scikit-image's photos."""
    from skimage import data
    from skimage.transform import resize

    photos = (data.astronaut(), data.chelsea(), data.coffee(), data.rocket())
    return np.stack([(255 * resize(photo, (side, side), anti_aliasing=True)).astype(np.uint8) for photo in photos])


def calibrated(module: nn.Module, x: torch.Tensor) -> nn.Module:
    """Network, pictures (N, C, H, W) -> the same with statistics of these and telling logits."""
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean of all batches: of the one there is
    with torch.no_grad():
        module.train()(x)
        last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
        last.weight *= SPREAD / module.eval()(x).std()
    return module


def halves() -> str:
    """() -> what a reader of rows in 16 bits must know of this processor; "" where it multiplies in them."""
    if native_bfloat16(torch.device("cpu")):
        return ""
    return " This processor has no products in bfloat16: in 16 bits Cutaway computes in float32, and says so."


def _memory(runs: Sequence[dict[str, Any]]) -> float | None:
    """Runs of one side -> MiB by which the first call of a process raised its peak, the most of them."""
    rises = [run["rise"] for run in runs if run["rise"] is not None]
    return round(max(rises), 1) if rises else None


def _agreement(ours: NDArray[np.float32], theirs: NDArray[np.float32] | None) -> float | None:
    """Our map, pytorch-grad-cam's, which it scales to 0..1 -> their correlation."""
    return None if theirs is None else round(float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]), 6)


def _word(met: bool) -> str:
    return "met" if met else "MISSED"
