"""Cats against dogs on a Teachable Machine backbone: the whole command from cold, and 20 epochs with vectors kept.

First row: `cutaway train DATA --backbone keras_model.h5` as a person types it, with an empty cache folder: start of
Python, checks, decoding, embedding, training, test, report. The bars: 95 % of the 400 test photos right, under 60 s.
Then 20 epochs of the same head on the same frozen backbone (programs/frozen.py): vectors computed once, beside the
plain PyTorch loop that runs the backbone again in every epoch; sides alternate, pixels are in memory on both. The bar:
10x.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.bench import Missing, Outcome, Row, Settings, middle, say, versions
from benchmarks.processes import Ran, program, ran

ACCURACY_BAR, SECONDS_BAR, RATIO_BAR = 0.95, 60.0, 10.0
EPOCHS = 20
QUICK_PHOTOS = 24  # of each class and fold


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for the whole command, one for each way of training the head, their ratio."""
    photos, backbone = inputs(settings)
    epochs = 2 if settings.quick else EPOCHS
    with tempfile.TemporaryDirectory() as folder:
        if settings.quick:
            photos = few(photos, Path(folder) / "few", QUICK_PHOTOS)
        commands, ways = [], {"once": list[Ran](), "every": list[Ran]()}
        for _ in range(settings.repeats):
            commands.append(whole_command(photos, backbone))
        for _ in range(settings.repeats):
            for way, runs in ways.items():
                runs.append(twenty_epochs(way, photos, backbone, epochs))
    rows = [command_row(commands), *(way_row(way, runs, epochs) for way, runs in ways.items())]
    ratio = middle(r.result["seconds"] for r in ways["every"]) / middle(r.result["seconds"] for r in ways["once"])
    rows.append({"what": f"ratio every epoch / once; bar {RATIO_BAR:g}", "seconds": round(ratio, 2)})
    report = commands[0].result["report"]
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report["timings"].items())
    return Outcome(
        rows, versions("torch", "h5py", "pillow"), f"Medians of {settings.repeats}. Stages of the command: {stages}."
    )


def inputs(settings: Settings) -> tuple[Path, Path]:
    """-> folder of photos, backbone file. Raises Missing."""
    photos = settings.data / "cats-vs-dogs"
    backbone = settings.data / "teachable-machine" / "animals-h5" / "keras_model.h5"
    for path in (photos, backbone):
        if not path.exists():
            raise Missing(f"There is no {path}; name the folder of the real inputs with --data.")
    return photos, backbone


def whole_command(photos: Path, backbone: Path) -> Ran:
    """`cutaway train` in a process of its own, cache and run folder empty."""
    with tempfile.TemporaryDirectory() as fresh:
        options: list[str | Path] = ["--backbone", backbone, "--out", Path(fresh) / "run", "--json"]
        run = ran(
            [sys.executable, "-m", "cutaway", "train", photos, *options], {"CUTAWAY_CACHE": str(Path(fresh) / "cache")}
        )
    test = run.result["report"]["test"]
    say(f"cutaway train, cold: {run.wall_s:.1f} s, {test['accuracy']:.2%} of {test['n']}, {run.peak_mb:,.0f} MiB")
    return run


def twenty_epochs(way: str, photos: Path, backbone: Path, epochs: int) -> Ran:
    with tempfile.TemporaryDirectory() as cache:
        run = ran(program("frozen", way=way, data=photos, backbone=backbone, epochs=epochs), {"CUTAWAY_CACHE": cache})
    found = run.result
    say(f"{epochs} epochs, backbone run {way}: {found['seconds']:.1f} s, validation {found['accuracy']:.1%}")
    return run


def command_row(runs: list[Ran]) -> Row:
    test: dict[str, Any] = runs[0].result["report"]["test"]
    return {
        "what": f"cutaway train --backbone, whole command, cold; bars {ACCURACY_BAR:.0%}, {SECONDS_BAR:.0f} s",
        "seconds": middle(r.wall_s for r in runs),
        "accuracy": test["accuracy"],
        "of": f"{test['n']} test photos",
        "95 % interval": f"{test['low']:.1%} to {test['high']:.1%}",
        "peak memory, MiB": round(max(r.peak_mb for r in runs)),
        "met": test["accuracy"] >= ACCURACY_BAR and middle(r.wall_s for r in runs) < SECONDS_BAR,
    }


def way_row(way: str, runs: list[Ran], epochs: int) -> Row:
    what = {
        "once": f"{epochs} epochs of the head, vectors computed once (Cutaway)",
        "every": f"{epochs} epochs of the head, backbone run every epoch (plain PyTorch)",
    }
    return {
        "what": what[way],
        "seconds": middle(r.result["seconds"] for r in runs),
        "accuracy": round(runs[0].result["accuracy"], 4),
        "of": f"{runs[0].result['val']} validation photos",
        "peak memory, MiB": round(max(r.peak_mb for r in runs)),
    }


def few(photos: Path, to: Path, count: int) -> Path:
    """Folder of photos -> a folder with the first `count` of each class of each fold."""
    for folder in sorted(p for p in photos.glob("*/*") if p.is_dir()):
        target = to / folder.parent.name / folder.name
        target.mkdir(parents=True)
        for file in sorted(folder.iterdir())[:count]:
            shutil.copy(file, target)
    return to
