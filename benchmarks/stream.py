"""Pictures streamed through a network, every activation looked at, beside plain batched inference of the same graph.

One thread, processor seconds per picture at 224 px, from prepared batches of 8; the sides run in turn in one process
and the least of the rounds counts. `all activations`: largest and smallest value of every channel, as `cutaway silent`
takes them; `vectors`: the last layer alone, for embeddings. Memory: the process's peak for 4 times as many pictures
against once. The bar: 0.90 of the plain rate.
"""

from __future__ import annotations

from benchmarks.bench import Outcome, Row, Settings, say, versions
from benchmarks.processes import program, ran
from benchmarks.programs.networks import NETWORKS

BAR = 0.90
GROWTH_BAR = 1.1
TM = "teachable-machine/animals-h5/keras_model.h5"


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each network; the Teachable Machine file where it is there."""
    file = settings.data / TM
    names = [*([str(file)] if file.exists() else []), *NETWORKS]
    rows = [compared(name, settings) for name in (names[-2:-1] if settings.quick else names)]
    met = all(min(row["ratio, all activations"], row["ratio, vectors"]) >= BAR for row in rows)
    flat = all(row["memory x4"] <= GROWTH_BAR for row in rows)
    return Outcome(
        rows,
        versions("torch", "torchvision"),
        f"One thread. Bar {BAR:.2f} of the plain rate: {_word(met)}; memory for 4 times the pictures at most "
        f"{GROWTH_BAR:g} times as much: {_word(flat)}.",
    )


def compared(name: str, settings: Settings) -> Row:
    """Network (torchvision's name or a model file) -> its row."""
    size = {"side": 64, "batches": 1, "rounds": 1} if settings.quick else {"batches": 12, "rounds": settings.repeats}
    found = ran(program("stream", network=name, **size)).result
    once, fourfold = (
        ran(program("stream", network=name, **{**size, "batches": times * size["batches"], "rounds": 0})).peak_mb
        for times in (1, 4)
    )
    label = "Teachable Machine" if name.endswith(".h5") else name
    say(f"{label}: {found['plain']:.1f} pictures per CPU-s plain, {found['activations']:.1f} with all activations")
    return {
        "network": label,
        "plain, pictures per CPU-s": round(found["plain"], 1),
        "all activations": round(found["activations"], 1),
        "vectors": round(found["vectors"], 1),
        "ratio, all activations": round(found["activations"] / found["plain"], 3),
        "ratio, vectors": round(found["vectors"] / found["plain"], 3),
        "bar": BAR,
        "difference": found["difference"],
        "peak memory, MiB": round(once),
        "memory x4": round(fourfold / once, 2),
    }


def _word(met: bool) -> str:
    return "met" if met else "MISSED"
