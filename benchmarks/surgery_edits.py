"""Edits a second, end to end: an edit as data -> changed maps of three layers and the probabilities, as bytes.

MobileNetV2 0.35 at 224 px (a Teachable Machine file where there is one), two threads, wall milliseconds of each edit.
The edits are spread evenly over the network's depth and kinds (a kernel scaled, a channel silenced, a number set, an
activation exchanged), each made on the original; the three layers are the edited one, the
middle of what follows and the last. The bar: 95 of 100 edits within 80 ms.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn

from benchmarks.bench import Outcome, Row, Settings, say, versions
from cutaway.engine.node_cache import NodeCache
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model
from cutaway.surgery.activations import SetActivation
from cutaway.surgery.apply import apply
from cutaway.surgery.channels import Silence
from cutaway.surgery.edit import Edit
from cutaway.surgery.weights import ScaleWeights, SetWeight

BAR_MS = 80.0
EDITS = 200
THREADS = 2
TM = "teachable-machine/animals-h5/keras_model.h5"


def measure(settings: Settings) -> Outcome:
    """Settings -> one row."""
    file = settings.data / TM
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        row = timed(*_network(file if file.exists() and not settings.quick else None), 8 if settings.quick else EDITS)
    finally:
        torch.set_num_threads(before)
    met = "met" if row["p95, ms"] <= BAR_MS else "MISSED"
    return Outcome([row], versions("torch", "torchvision"), f"Two threads. Bar: p95 {BAR_MS:g} ms: {met}.")


def _network(file: object) -> tuple[str, Model]:
    if file is not None:
        return "Teachable Machine (MobileNetV2 0.35)", open_model(str(file))
    from torchvision import models

    made = models.mobilenet_v2(width_mult=0.35, num_classes=3).eval()
    return "mobilenet_v2 0.35, random weights", Model(trace(made), InputContract((224, 224)), ("a", "b", "c"))


def timed(name: str, model: Model, count: int) -> Row:
    """Model, number of edits -> milliseconds at the median and at 95 %, edits a second, bytes handed over."""
    height, width = model.contract.size
    x = torch.randn(1, 3, height, width).contiguous(memory_format=torch.channels_last)
    cache = NodeCache.of(model.graph, x)
    edits = edits_of(model, count)
    for edit in edits[:3]:
        answered(model, cache, edit)
    spent, size = [], 0
    for edit in edits:
        begun = time.perf_counter()
        size += len(answered(model, cache, edit))
        spent.append(1000 * (time.perf_counter() - begun))
    p50, p95 = (float(v) for v in np.percentile(spent, [50, 95]))
    row: Row = {
        "network": name, "edits": count, "p50, ms": round(p50, 1), "p95, ms": round(p95, 1), "bar, ms": BAR_MS,
        "edits a second": round(1000 * count / sum(spent), 1), "kB an edit": round(size / count / 1000, 1),
    }  # fmt: skip
    say(f"{name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    return row


def edits_of(model: Model, count: int) -> list[Edit]:
    """Model -> so many edits, evenly over its convolutions, each kind in turn."""
    modules = dict(model.graph.named_modules())
    paths = [str(n.target) for n in model.graph.graph.nodes if n.op == "call_module"]
    convs = [p for p in paths if isinstance(modules[p], nn.Conv2d)]
    active = [p for p in paths if isinstance(modules[p], nn.ReLU | nn.ReLU6)]
    found: list[Edit] = []
    for i in range(count):
        layer = convs[round(i * (len(convs) - 1) / max(1, count - 1))]
        relu = active[round(i * (len(active) - 1) / max(1, count - 1))]
        made: tuple[Edit, ...] = (
            ScaleWeights(layer, 0.5, (0,)), Silence(layer, (1,)), SetWeight(layer, (0, 0, 0, 0), 1.0),
            SetActivation(relu, "sigmoid"),
        )  # fmt: skip
        found.append(made[i % len(made)])
    return found


def answered(model: Model, cache: NodeCache, edit: Edit) -> bytes:
    """Edit -> what a page shows next: the maps of three changed layers, 8 bits a cell, and the probabilities."""
    graph = apply(model, [edit]).graph
    after = cache.after(graph, pure=True)
    maps = [name for name in after.ran if name in after.trace and after.trace[name].ndim > 1]
    shown = [maps[0], maps[len(maps) // 2], maps[-1]]
    parts = [as_bytes(after.trace[name][0]) for name in shown]
    output = after.trace.output[0]
    probabilities = output if model.probabilities else torch.softmax(output, 0)
    return b"".join([*parts, probabilities.float().numpy().tobytes()])


def as_bytes(maps: torch.Tensor) -> bytes:
    """Maps (C, H, W) or a row (F,) -> the least and the largest value, then one byte a cell between them."""
    with torch.inference_mode():
        low, high = torch.aminmax(maps)
        cells = ((maps - low) * (255 / (high - low).clamp_min(1e-12))).to(torch.uint8)
        return torch.stack([low, high]).numpy().tobytes() + cells.contiguous().numpy().tobytes()
