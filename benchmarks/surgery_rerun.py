"""Running a network again after an edit, beside a full forward pass of the same network, at 224 px.

One weight of a convolution in the middle, at three quarters and at the end is changed; only what lies behind it is run,
and three layers' values are there afterwards (the edited one's, one in the middle of what was run, the last one with
places), as a page with three layers on it asks for them; "all kept": every step's. "alone" is the same part of the
network as a network of its own that keeps nothing and looks for nothing.
On one thread, as the studio runs networks of small layers (engine/threads.py), and on two; wall seconds; the sides run
in turn, three times each, and the least counts. The answers are those of a full run, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from benchmarks.bench import Outcome, Row, Settings, say, versions
from benchmarks.programs.networks import network
from cutaway.engine.cut import split_at
from cutaway.engine.node_cache import NodeCache
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.weights import ScaleWeights

NETWORKS = ("mobilenet_v2", "resnet18", "densenet121", "vgg11")
BARS = {"middle": 0.5, "75 %": 0.3, "last layer": 0.02}
ROUNDS = 20
THREADS = (1, 2)
IN_A_ROW = 3
"""Times that a side runs when it is its turn: an edit is one of many, as a slider is pulled."""


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each network; quick: one small one."""
    names = NETWORKS[:1] if settings.quick else NETWORKS
    side = 64 if settings.quick else 224
    rounds = 2 if settings.quick else max(ROUNDS, 5 * settings.repeats)
    before = torch.get_num_threads()
    rows = []
    try:
        for name in names:
            for threads in THREADS:
                torch.set_num_threads(threads)
                rows.append(compared(name, side, rounds, threads))
    finally:
        torch.set_num_threads(before)
    bars = ", ".join(f"{where} {bar:g}" for where, bar in BARS.items())
    told = "; ".join(f"threads {row['threads']}: {verdict(row)}" for row in rows if row["network"] == NETWORKS[0])
    return Outcome(
        rows, versions("torch", "torchvision"), f"Bars for {NETWORKS[0]}, of a full forward: {bars}. {told}."
    )


def verdict(row: Row) -> str:
    """Row -> met, or which bars are missed, and whether the part alone would miss them too."""
    missed = [
        f"{where} ({'the part alone misses it too' if row[f'{where}, alone'] > bar else 'the part alone meets it'})"
        for where, bar in BARS.items()
        if row[where] > bar
    ]
    return f"MISSED at {', '.join(missed)}" if missed else "met"


def compared(name: str, side: int, rounds: int, threads: int) -> Row:
    """Network -> its row: milliseconds of a full forward, the share that running again takes, by where the edit is."""
    model = Model(trace(network(name)), InputContract((side, side)), ())
    x = torch.randn(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    cache = NodeCache.of(model.graph, x)
    at = places(model.graph)
    edited = {where: apply(model, [ScaleWeights(layer, 0.5)]).graph for where, layer in at.items()}
    with torch.inference_mode():
        differences = [
            float((cache.after(graph, pure=True, keep=shown).trace.output - graph(x)).abs().max())
            for graph in edited.values()
            for shown in (None, ())
        ]
        sides: dict[str, Callable[[], Any]] = {"full": lambda: model.graph(x)}
        for where, graph in edited.items():
            split = split_at(graph, [at[where]])
            crossing = split.head(x)
            shown = watched(cache, graph)
            sides[where] = lambda graph=graph, shown=shown: cache.after(graph, pure=True, keep=shown)  # type: ignore[misc]
            sides[f"{where}, all kept"] = lambda graph=graph: cache.after(graph, pure=True)  # type: ignore[misc]
            sides[f"{where}, alone"] = lambda split=split, crossing=crossing: split.tail(*crossing)  # type: ignore[misc]
        full, *again = alternated(list(sides.values()), rounds)
    row: Row = {
        "network": name,
        "threads": threads,
        "full forward, ms": round(1000 * full, 1),
        **{where: round(seconds / full, 3) for where, seconds in zip(list(sides)[1:], again, strict=True)},
        "difference": max(differences),
    }
    say(", ".join(f"{key} {value}" for key, value in row.items()))
    return row


def watched(cache: NodeCache, edited: fx.GraphModule) -> list[str]:
    """The cache of a graph, the edited graph -> three of the layers that are run again."""
    ran = [name for name in cache.after(edited, pure=True).ran if cache.trace[name].ndim == 4]
    return [ran[0], ran[len(ran) // 2], ran[-1]] if ran else []


def places(graph: fx.GraphModule) -> dict[str, str]:
    """Graph -> where an edit is: the layer with weights there."""
    paths = [str(n.target) for n in graph.graph.nodes if n.op == "call_module"]
    convs = [p for p in paths if isinstance(graph.get_submodule(p), nn.Conv2d)]
    dense = [p for p in paths if isinstance(graph.get_submodule(p), nn.Linear)]
    return {"middle": convs[len(convs) // 2], "75 %": convs[3 * len(convs) // 4], "last layer": dense[-1]}


def alternated(sides: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Functions -> the least wall seconds of each over the rounds, the sides in turn, two rounds unmeasured."""
    best = [float("inf")] * len(sides)
    for number in range(rounds + 2):
        for at, side in enumerate(sides):
            for _ in range(IN_A_ROW):
                begun = time.perf_counter()
                side()
                spent = time.perf_counter() - begun
                if number >= 2:
                    best[at] = min(best[at], spent)
    return best
