"""The second run on the same photos beside the first: nothing is decoded again, and no vector is computed again.

Both are the whole of `cutaway train` in processes of their own (programs/train.py) that share one cache folder, empty
before the first. The bar: the second decodes and embeds 0 pictures and ends with the same accuracy.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Missing, Outcome, Row, Settings, middle, say, versions
from benchmarks.processes import Failed, Ran, program, ran
from benchmarks.transfer import inputs


@dataclass(frozen=True, slots=True)
class Case:
    """What is trained on, and on which backbone (None: from scratch)."""

    data: str
    backbone: Path | None = None

    @property
    def name(self) -> str:
        return Path(self.data).name + (
            ", Teachable Machine backbone" if self.backbone else ", small-cnn from scratch, 2 epochs"
        )


def measure(settings: Settings) -> Outcome:
    """Settings -> two rows for each data set (first, second run) and their ratio."""
    rows: list[Row] = []
    for case in cases(settings):
        pairs = [pair(case) for _ in range(settings.repeats)]
        first, second = ([p[i] for p in pairs] for i in (0, 1))
        rows += [row(f"{case.name}: first run", first), row(f"{case.name}: second run", second)]
        rows.append({"what": "ratio", "seconds": round(rows[-2]["seconds"] / rows[-1]["seconds"], 2)})
    return Outcome(
        rows, versions("torch", "pillow"), f"Medians of {settings.repeats}; each pair begins with an empty cache."
    )


def cases(settings: Settings) -> list[Case]:
    found = [Case("digits")]
    try:
        photos, backbone = inputs(settings)
    except Missing as lack:
        say(f"only digits: {lack}")
        return found
    return found if settings.quick else [*found, Case(str(photos), backbone)]


def pair(case: Case) -> tuple[Ran, Ran]:
    """One case -> its first and its second run. Raises Failed where the second one makes anything anew."""
    with tempfile.TemporaryDirectory() as folder:
        both = [once(case, Path(folder), number) for number in (1, 2)]
    if any(both[1].result["made"].values()):
        raise Failed(f"the second run on {case.name} did work that was done before: {both[1].result['made']}")
    if both[0].result["accuracy"] != both[1].result["accuracy"]:
        raise Failed(
            f"the second run on {case.name} ended with another accuracy: {[r.result['accuracy'] for r in both]}"
        )
    return both[0], both[1]


def once(case: Case, folder: Path, number: int) -> Ran:
    epochs = None if case.backbone else 2
    command = program("train", data=case.data, backbone=case.backbone, epochs=epochs, out=folder / f"run-{number}")
    run = ran(command, {"CUTAWAY_CACHE": str(folder / "cache")})
    say(f"{case.name}, run {number}: {run.wall_s:.1f} s, made {run.result['made']}")
    return run


def row(what: str, runs: list[Ran]) -> Row:
    last = runs[-1].result
    return {
        "what": what,
        "pictures": last["pictures"],
        "decoded": last["made"]["read pictures"],
        "embedded": last["made"].get("embed"),
        "seconds": middle(r.wall_s for r in runs),
        "read and check, s": middle(r.result["timings"]["read and check pictures"] for r in runs),
        "embed, s": middle(r.result["timings"]["embed"] for r in runs) if "embed" in last["timings"] else None,
        "test accuracy": round(last["accuracy"], 4),
        "peak memory, MiB": round(max(r.peak_mb for r in runs)),
    }
