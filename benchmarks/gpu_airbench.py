"""CIFAR-10 on a GPU: seconds to the accuracy of airbench94_muon on the same Parquet file, side by side.

The peer is Keller Jordan's airbench94_muon.py, unchanged, as a person has it: CUTAWAY_AIRBENCH names the file. It finds
the Parquet's pixels in the tensors it loads (cifar10/train.pt, test.pt); its published 94.01 % is for the original
pixels, so only what it reaches here counts. Its recipe: a 2 x 2 whitening convolution, three groups of two convolutions
with batch normalisation, Muon for the filters, batches of 2,000, eight epochs, flips every other epoch, six views of
each test picture. Ours: small-cnn in the training room by schedules of fixed length, one view. The peer's seconds are
its own timer's, after its warm-up and compilation; ours are all from the network's making to the test accuracy.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.bench import Missing, Outcome, Row, Settings, middle, say, versions
from benchmarks.processes import Ran, program, ran

VARIABLE = "CUTAWAY_AIRBENCH"
PEER_RUNS = 3
SCHEDULES = (8, 16, 32)
KNOBS = {"depth": 5, "filters": 128, "dropout": 0.0}
RECIPE = {"batch_size": 500, "lr": 1e-2, "weight_decay": 0.05, "label_smoothing": 0.1, "augment": "light"}
LINE = re.compile(r"\|\s+eval\s+\|.*\|\s+(?P<accuracy>0\.\d+)\s+\|\s+(?P<seconds>\d+\.\d+)\s+\|")


def measure(settings: Settings) -> Outcome:
    """Settings -> the peer's row, one for each schedule of ours, the ratio. Raises Missing without GPU or peer."""
    script, data = wanted(settings)
    peer = airbench(script, data)
    ours = {epochs: [once(data, epochs, seed) for seed in range(settings.repeats)] for epochs in SCHEDULES}
    rows = [peer, *(row(epochs, runs) for epochs, runs in ours.items())]
    reached = [r for r in rows[1:] if r["test accuracy"] >= peer["test accuracy"]]
    best = max(rows[1:], key=lambda r: float(r["test accuracy"]))
    if reached:
        ratio = {"what": "ratio peer / ours", "train, s": round(peer["train, s"] / reached[0]["train, s"], 3)}
        note = f"What is missing to 1: {reached[0]['train, s'] - peer['train, s']:.1f} s."
    else:
        ratio = {"what": "ratio peer / ours: its accuracy was not reached"}
        note = f"What is missing to 1: {peer['test accuracy'] - best['test accuracy']:.2%} of accuracy."
    return Outcome([*rows, ratio], {**versions("torch"), "gpu": device()}, note)


def wanted(settings: Settings) -> tuple[Path, Path]:
    """-> the peer's script, the folder with the Parquet. Raises Missing in one sentence."""
    if not device():
        raise Missing(
            "There is no CUDA GPU here (torch.cuda.is_available() is False), and this comparison is about one."
        )
    data, script = settings.data / "cifar10", Path(os.environ.get(VARIABLE, "airbench94_muon.py"))
    if not (data / "train.parquet").is_file():
        raise Missing(
            f"There is no CIFAR-10 at {data} (train.parquet, test.parquet); name its parent folder with --data."
        )
    if not script.is_file():
        raise Missing(f"The peer's file is not here; name a copy of airbench94_muon.py with {VARIABLE}=FILE.")
    return script, data


def device() -> str:
    """-> name of the CUDA device, empty where there is none; asked in a process of its own, so that none is held."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    return ran([sys.executable, "-c", code]).out.strip()


def airbench(script: Path, data: Path) -> Row:
    """The peer's file -> its row: mean accuracy and median seconds of its runs after the warm-up, as it prints them."""
    with tempfile.TemporaryDirectory() as folder:
        run = ran(program("airbench", script=script.resolve(), data=data, folder=folder, runs=PEER_RUNS))
    found = evaluations(run.out)[1:]  # the first is its warm-up, on random labels
    peak = re.search(r"gpu_peak_mb (\d+)", run.out)
    return peer_row(found, int(peak[1]) if peak else None)


def evaluations(text: str) -> list[tuple[float, float]]:
    """What airbench prints -> (accuracy with its six views, seconds) of each of its runs."""
    return [(float(m["accuracy"]), float(m["seconds"])) for m in LINE.finditer(text)]


def peer_row(found: list[tuple[float, float]], peak_mb: int | None) -> Row:
    return {
        "what": "airbench94_muon, 8 epochs",
        "train, s": middle(seconds for _, seconds in found),
        "test accuracy": round(mean(accuracy for accuracy, _ in found), 4),
        "of each seed": " ".join(f"{accuracy:.4f}" for accuracy, _ in found),
        "GPU memory, MiB": peak_mb,
    }


def once(data: Path, epochs: int, seed: int) -> Ran:
    options: dict[str, Any] = {
        "network": "small-cnn",
        "knobs": json.dumps(KNOBS),
        "recipe": json.dumps(RECIPE),
        "size": 32,
    }
    with tempfile.TemporaryDirectory() as cache:
        run = ran(program("cifar", data=data, epochs=epochs, seed=seed, **options), {"CUTAWAY_CACHE": cache})
    say(f"Cutaway, {epochs} epochs, seed {seed}: {run.result['fit_s']:.1f} s, {run.result['accuracy']:.4f}")
    return run


def row(epochs: int, runs: list[Ran]) -> Row:
    accuracies = [r.result["accuracy"] for r in runs]
    return {
        "what": f"Cutaway, small-cnn, {epochs} epochs",
        "train, s": middle(r.result["fit_s"] for r in runs),
        "test accuracy": round(mean(accuracies), 4),
        "of each seed": " ".join(f"{a:.4f}" for a in accuracies),
        "GPU memory, MiB": round(max(r.result["gpu_peak_mb"] or 0 for r in runs)),
    }
