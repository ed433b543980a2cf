"""tutorial-cifar on CIFAR-10: seconds to the accuracy of Keras' three epochs, beside Keras 3 with TensorFlow.

The peer (programs/keras_cifar.py) is the tutorial's own code: three epochs, Adam, batch 32. Ours (programs/cifar.py)
is the same network of 122,570 weights in the training room, trained by fixed schedules of 0.5 to 1.25 epochs; each is a
whole one-cycle of its own, none is stopped by what it scores. The shortest whose mean accuracy over the seeds is at
least the peer's mean counts, and every seed's accuracy is printed. Sides alternate, each run is a process that starts
with an empty pixel cache. `fit` begins with the pixels decoded and ends with the accuracy on the 10,000 test pictures.
Then: the best accuracy that recipes reach within the peer's seconds of `fit`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.bench import Missing, Outcome, Row, Settings, middle, say, versions
from benchmarks.peer_python import peer_python
from benchmarks.processes import Failed, Ran, flags, program, ran

PEER_EPOCHS = 3
SCHEDULES = (0.5, 0.6, 0.75, 1, 1.25)
BAR, MOONSHOT = 4.0, 8.0
PARAMETERS = 122_570
# Chosen on 5,000 training pictures held out, not on the test pictures; augmentation only delays so short a run.
FAST: dict[str, Any] = {"batch_size": 128, "lr": 5e-3, "optimizer": "muon", "augment": "none"}
# What is tried with all of the peer's seconds: (network, recipe).
LONG: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tutorial-cifar", {"batch_size": 64, "lr": 2e-3, "optimizer": "muon", "augment": "none"}),
)
LIMIT = 2_000  # pictures of each fold when only trying


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one side: what each printed, and what its whole process took."""

    what: str
    runs: Sequence[Ran]

    @property
    def fit_s(self) -> float:
        return middle(r.result["fit_s"] for r in self.runs)

    @property
    def accuracies(self) -> list[float]:
        return [r.result["accuracy"] for r in self.runs]

    def row(self) -> Row:
        return {
            "what": self.what,
            "fit, s": self.fit_s,
            "whole process, s": middle(r.wall_s for r in self.runs),
            "import, s": middle(r.result["import_s"] for r in self.runs),
            "decode, s": middle(r.result["decode_s"] for r in self.runs),
            "test accuracy": round(mean(self.accuracies), 4),
            "of each seed": " ".join(f"{a:.4f}" for a in self.accuracies),
            "peak memory, MiB": round(max(r.peak_mb for r in self.runs)),
        }


def measure(settings: Settings) -> Outcome:
    """Settings -> rows of the peer and of each schedule of ours, the ratios, the best within the peer's time."""
    data = settings.data / "cifar10"
    if not (data / "train.parquet").is_file():
        raise Missing(
            f"There is no CIFAR-10 at {data} (train.parquet, test.parquet); name its parent folder with --data."
        )
    python, limit = peer_python(), LIMIT if settings.quick else None
    peer_runs: list[Ran] = []
    our_runs: dict[float, list[Ran]] = {epochs: [] for epochs in SCHEDULES}
    for seed in range(settings.repeats):
        peer_runs.append(peer(python, data, 1 if settings.quick else PEER_EPOCHS, seed, limit))
        for epochs in SCHEDULES:
            our_runs[epochs].append(ours(data, "tutorial-cifar", FAST, epochs, seed, limit))
    theirs = Side(f"Keras 3 as the tutorial, {len(peer_runs[0].result['epochs'])} epochs, batch 32", peer_runs)
    schedules = {e: Side(f"Cutaway, {e:g} epochs, {words(FAST)}", runs) for e, runs in our_runs.items()}
    rows = [theirs.row(), *(side.row() for side in schedules.values())]
    chosen = shortest(schedules, mean(theirs.accuracies))
    rows += ratios(theirs, schedules[chosen] if chosen else None, chosen)
    rows += best_in_time(data, theirs.fit_s, schedules, settings, limit)
    used = peer_runs[0].result["versions"]
    return Outcome(rows, {**versions("torch", "numpy"), **used}, note(theirs, chosen, our_runs[SCHEDULES[0]][0]))


def peer(python: Path, data: Path, epochs: int, seed: int, limit: int | None) -> Ran:
    script = Path(__file__).parent / "programs" / "keras_cifar.py"
    options = flags(train=data / "train.parquet", test=data / "test.parquet", epochs=epochs, seed=seed, limit=limit)
    return told(f"Keras, seed {seed}", ran([python, script, *options]))


def ours(data: Path, network: str, recipe: dict[str, Any], epochs: float, seed: int, limit: int | None) -> Ran:
    """One schedule in a process of its own that begins with an empty pixel cache."""
    options = {"data": data, "epochs": epochs, "seed": seed, "limit": limit}
    command = program("cifar", network=network, recipe=json.dumps(recipe), **options)
    with tempfile.TemporaryDirectory() as cache:
        return told(f"Cutaway, {network}, {epochs:g} epochs, seed {seed}", ran(command, {"CUTAWAY_CACHE": cache}))


def told(what: str, run: Ran) -> Ran:
    found = run.result
    if found["parameters"] != PARAMETERS:
        raise Failed(f"{what}: {found['parameters']:,} weights instead of {PARAMETERS:,}, so nothing is comparable.")
    say(f"{what}: fit {found['fit_s']:.1f} s, accuracy {found['accuracy']:.4f}, {run.peak_mb:,.0f} MiB")
    return run


def shortest(schedules: dict[float, Side], accuracy: float) -> float | None:
    """Sides by epochs, the accuracy to reach -> the fewest epochs whose mean accuracy reaches it."""
    return next((e for e in sorted(schedules) if mean(schedules[e].accuracies) >= accuracy), None)


def ratios(theirs: Side, ours: Side | None, epochs: float | None) -> list[Row]:
    if ours is None or epochs is None:
        return [{"what": f"no schedule up to {max(SCHEDULES):g} epochs reached the peer's accuracy"}]
    mine, other = ours.row(), theirs.row()
    row = {"what": f"ratio peer / ours ({epochs:g} epochs); bar {BAR:g}, moonshot {MOONSHOT:g}"}
    return [row | {key: round(other[key] / mine[key], 2) for key in ("fit, s", "whole process, s", "peak memory, MiB")}]


def best_in_time(
    data: Path, seconds: float, schedules: dict[float, Side], settings: Settings, limit: int | None
) -> list[Row]:
    """The peer's seconds of fit -> rows of the longest schedules that fit in, by our measured seconds per epoch."""
    low, high = min(schedules), max(schedules)
    per_epoch = max(1e-3, (schedules[high].fit_s - schedules[low].fit_s) / (high - low))
    epochs = max(1, int((seconds - (schedules[low].fit_s - low * per_epoch)) * 0.95 / per_epoch))
    epochs = 1 if settings.quick else epochs
    rows = []
    for network, recipe in LONG:
        runs = [ours(data, network, recipe, epochs, seed, limit) for seed in range(settings.repeats)]
        rows.append(Side(f"Cutaway within the peer's {seconds:.0f} s: {epochs} epochs, {words(recipe)}", runs).row())
    return rows


def words(recipe: dict[str, Any]) -> str:
    """Recipe -> the flags of `cutaway train` that ask for it."""
    return " ".join(
        f"--{key.replace('_', '-')} {value:g}" if isinstance(value, float | int) else f"--{key} {value}"
        for key, value in recipe.items()
    )


def note(theirs: Side, chosen: float | None, run: Ran) -> str:
    found = run.result
    begins = f"Medians of {len(theirs.runs)} runs, sides in turn; accuracies are means over the seeds."
    ours = f"Ours computes in {found['precision']} with {found['threads']} threads."
    ends = (
        f"The shortest schedule that reaches the peer's accuracy has {chosen:g} epochs."
        if chosen
        else "No schedule reached it."
    )
    return f"{begins} {ours} {ends}"
