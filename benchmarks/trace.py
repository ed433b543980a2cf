"""A Trace of every layer at 224 px, beside the plain forward pass of the same network and beside torchlens.

One thread, processor seconds, weights as the library draws them. Both of our sides run in one process in turn, so that
a busy machine slows each; the least of the rounds counts. torchlens 2.36 traces torchvision's own module in a process
of its own, twice, and its better run counts. The bar: 1.3 of the plain forward pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.bench import Missing, Outcome, Row, Settings, say, versions
from benchmarks.peer_python import torchlens_folder
from benchmarks.processes import program, ran
from benchmarks.programs.networks import NETWORKS, network
from cutaway.engine.trace import trace_steps
from cutaway.graph.trace import trace

BAR = 1.3
ROUNDS = 15
QUICK_SIDE = 64


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each network; quick ones are one small network without torchlens."""
    names = NETWORKS[1:2] if settings.quick else NETWORKS
    side = QUICK_SIDE if settings.quick else 224
    rounds = 2 if settings.quick else max(ROUNDS, 5 * settings.repeats)
    lens = None if settings.quick else _torchlens()
    rows = [compared(name, side, rounds, lens) for name in names]
    met = all(row["ratio"] <= BAR for row in rows)
    return Outcome(
        rows, versions("torch", "torchvision"), f"One thread. Bar {BAR:g} of the plain forward: {_word(met)}."
    )


def compared(name: str, side: int, rounds: int, lens: str | None) -> Row:
    """Network -> its row: milliseconds of each side, ratio, what the trace holds, the largest difference of outputs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        graph = trace(network(name))
        x = torch.randn(1, 3, side, side).contiguous(memory_format=torch.channels_last)
        traced = trace_steps(graph, x)
        with torch.inference_mode():
            plain_output = graph(x)
            plain, ours = alternated([lambda: graph(x), lambda: trace_steps(graph, x)], rounds)
    finally:
        torch.set_num_threads(before)
    held = sum(value.numel() * value.element_size() for value in traced.values.values())
    row: Row = {
        "network": name,
        "steps": len(traced),
        "trace, MiB": round(held / 2**20),
        "plain forward, ms": round(1000 * plain, 1),
        "Trace of all, ms": round(1000 * ours, 1),
        "ratio": round(ours / plain, 2),
        "bar": BAR,
        "difference": float((traced.output - plain_output).abs().max()),
    }
    if lens:
        row["torchlens, ms"] = round(
            1000 * ran(program("torchlens_trace", network=name), {"PYTHONPATH": lens}).result["seconds"]
        )
    say(f"{name}: plain {row['plain forward, ms']} ms, Trace {row['Trace of all, ms']} ms")
    return row


def alternated(sides: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Functions -> the least processor seconds of each over the rounds, the sides in turn, one unmeasured first."""
    best = [float("inf")] * len(sides)
    for number in range(rounds + 2):
        for at, side in enumerate(sides):
            begun = time.process_time()
            side()
            spent = time.process_time() - begun
            if number >= 2:
                best[at] = min(best[at], spent)
    return best


def _torchlens() -> str | None:
    try:
        return str(torchlens_folder())
    except Missing as lack:
        say(f"without torchlens: {lack}")
        return None


def _word(met: bool) -> str:
    return "met" if met else "MISSED"
