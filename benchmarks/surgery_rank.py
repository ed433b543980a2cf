"""`rank --by channel` of a Teachable Machine network's last third over 400 photos, beside running it once per channel.

The peer silences a channel and runs the whole network over all photos, through the same folded twin and batches that
Cutaway runs everything with; it does so for a sample of the channels, and the mean counts for all. Photos are decoded
beforehand for both. One thread, processor seconds. Compared too: the loss that each side finds for the sample.
The bar: 5 times faster.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.bench import Missing, Outcome, Row, Settings, say, versions
from cutaway.dataset.cache import filled
from cutaway.dataset.loose import open_pictures
from cutaway.engine.fast import BATCH, fast_twin
from cutaway.engine.prepare import prepare
from cutaway.graph.names import steps_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model
from cutaway.surgery.apply import apply
from cutaway.surgery.channels import Silence
from cutaway.surgery.rank import Parts, logits_of, parts_of, ranking
from cutaway.surgery.tally import marked
from cutaway.surgery.worth import worths

BAR = 5.0
PHOTOS = 400
SAMPLE = 12
TM = "teachable-machine/animals-h5/keras_model.h5"


def measure(settings: Settings) -> Outcome:
    """Settings -> one row; quick: a small network with random weights on noise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        row = compared(*(_quick() if settings.quick else _real(settings.data)), 3 if settings.quick else SAMPLE)
    finally:
        torch.set_num_threads(before)
    met = "met" if row["ratio"] >= BAR else "MISSED"
    return Outcome([row], versions("torch"), f"One thread. Bar: {BAR:g} times faster: {met}.")


def _real(data: Path) -> tuple[Model, list[str], NDArray[np.uint8]]:
    file, photos = data / TM, data / "cats-vs-dogs" / "test"
    if not file.exists() or not photos.exists():
        raise Missing(f"There is no {TM} or no cats-vs-dogs/test below {data}; --data names another folder.")
    model = open_model(file)
    pixels = filled(open_pictures([photos]), model.contract)
    return model, last_third(model), pixels.rows(np.flatnonzero(pixels.ok)[:PHOTOS])


def _quick() -> tuple[Model, list[str], NDArray[np.uint8]]:
    from cutaway.zoo.plain import tutorial_cifar

    model = Model(trace(tutorial_cifar(3).eval()), InputContract((32, 32)), ("a", "b", "c"))
    return model, ["conv3", "dense1"], np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)


def last_third(model: Model) -> list[str]:
    """Model -> its layers with channels to rank in the last third of its steps."""
    steps = list(steps_of(model.graph))
    return [p.layer for p in parts_of(model, "channel").points if steps.index(p.layer) >= 2 * len(steps) / 3]


def compared(model: Model, layers: list[str], photos: NDArray[np.uint8], sample: int) -> Row:
    """Model, layers, fitted photos (N, H, W, 3), how many channels the peer runs -> the row."""
    parts = parts_of(model, "channel", layers)
    seconds, losses = ours(model, parts, photos)
    at = np.linspace(0, len(parts.parts) - 1, sample).round().astype(int)
    spent, difference = [], 0.0
    for i in at:
        part = parts.parts[i]
        assert part.channel is not None
        took, loss = peer(model, part.at, part.channel, photos)
        spent.append(took)
        difference = max(difference, abs(loss - losses[i]))
        say(f"{part.name}[{part.channel}]: the whole network over {len(photos)} photos in {took:.2f} s")
    whole = float(np.mean(spent)) * len(parts.parts)
    return {
        "layers": len(layers), "channels": len(parts.parts), "photos": len(photos), "rank, CPU s": round(seconds, 1),
        "once per channel, CPU s": round(whole, 1), "of them run": sample, "ratio": round(whole / seconds, 1),
        "bar": BAR, "difference of loss": difference,
    }  # fmt: skip


def ours(model: Model, parts: Parts, photos: NDArray[np.uint8]) -> tuple[float, list[float]]:
    """-> processor seconds of the whole ranking, the loss without each channel against the network's own answers."""
    begun = time.process_time()
    running = ranking(model, parts, lambda at: photos[at], None, len(photos))
    standing: Any = None
    while standing is None:
        try:
            next(running)
        except StopIteration as end:
            standing = end.value
    _, rows = worths(parts, standing)
    return time.process_time() - begun, [row.loss for row in rows]


def peer(model: Model, at: str, channel: int, photos: NDArray[np.uint8]) -> tuple[float, float]:
    """-> processor seconds of silencing one channel and running the network over all photos, and the loss it finds."""
    labels = answers(fast_twin(model.graph), model, photos).argmax(1)
    begun = time.process_time()
    without = fast_twin(apply(model, [Silence(at, (channel,))]).graph)
    found = marked(answers(without, model, photos), labels, model.temperature)
    return time.process_time() - begun, float(found.loss.mean())


def answers(graph: Any, model: Model, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        parts = [
            logits_of(graph(prepare(photos[i : i + BATCH], model.contract)), model).numpy()
            for i in range(0, len(photos), BATCH)
        ]
    return np.concatenate(parts)
