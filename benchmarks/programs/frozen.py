"""Twenty epochs of a new head on a frozen backbone: vectors computed once (Cutaway), or the backbone run every epoch.

    python -m benchmarks.programs.frozen --way once|every --data FOLDER --backbone FILE [--epochs 20] [--limit N]

`every` is the plain PyTorch loop of the transfer-learning tutorials: backbone under no_grad, head, loss, step, and the
validation pictures each epoch. Both sides use the same backbone module, head, batch size, split and pixels in memory;
`once` keeps no vectors from an earlier run. Timed is all that follows the decoding.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from cutaway.dataset.cache import filled
from cutaway.dataset.scan import open_dataset
from cutaway.dataset.splits import split
from cutaway.engine.prepare import prepare
from cutaway.model.backbone import Backbone
from cutaway.training.device import join_world
from cutaway.training.embed import embed
from cutaway.training.head import Standardised, make_head
from cutaway.training.loop import Job, fit
from cutaway.training.recipe import Recipe, head_recipe, recipe_for
from cutaway.training.source import VectorSource
from cutaway.verbs.environment import peak_memory_mb
from cutaway.verbs.plan import open_backbone


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """One fold in memory: uint8 (N, H, W, 3), labels (N,), digests of the files."""

    pixels: NDArray[np.uint8]
    labels: torch.Tensor
    sha256s: list[str]


def once(backbone: Backbone, train: Photos, val: Photos, recipe: Recipe, classes: int) -> float:
    """Cutaway's way -> accuracy on the validation pictures after the last epoch."""
    pixels = np.concatenate([train.pixels, val.pixels])
    vectors = torch.from_numpy(returned(embed(backbone, pixels.__getitem__, train.sha256s + val.sha256s, cache=None)))
    parts = vectors[: len(train.labels)], vectors[len(train.labels) :]
    learnt, asked = VectorSource(parts[0], train.labels), VectorSource(parts[1], val.labels)
    head = Standardised(parts[0], classes, recipe)
    fitted = returned(fit(head, Job(learnt, asked, recipe, recipe.epochs, join_world())))
    assert len(fitted.rows) == recipe.epochs
    return float(fitted.rows[-1].val_accuracy)


def every(backbone: Backbone, train: Photos, val: Photos, recipe: Recipe, classes: int) -> float:
    """The plain way -> the same."""
    torch.manual_seed(recipe.seed)
    network = backbone.graph.to(memory_format=torch.channels_last).eval()
    head = make_head(backbone.features, classes, recipe)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    accuracy = 0.0
    for _ in range(recipe.epochs):
        head.train()
        for at in torch.split(torch.randperm(len(train.labels)), recipe.batch_size):
            with torch.no_grad():
                features = network(prepare(train.pixels[at.numpy()], backbone.contract))
            loss = F.cross_entropy(head(features), train.labels[at])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        accuracy = right(network, head.eval(), backbone, val, recipe.batch_size)
    return accuracy


def right(network: nn.Module, head: nn.Module, backbone: Backbone, photos: Photos, batch: int) -> float:
    """Network, head, pictures -> the share that is right."""
    count = 0
    with torch.no_grad():
        for at in torch.split(torch.arange(len(photos.labels)), batch):
            answers = head(network(prepare(photos.pixels[at.numpy()], backbone.contract)))
            count += int((answers.argmax(1) == photos.labels[at]).sum())
    return count / len(photos.labels)


def returned(events: Iterator[Any]) -> Any:
    """A generator of events -> what it returns."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--way", choices=["once", "every"], required=True)
    options.add_argument("--data", required=True)
    options.add_argument("--backbone", required=True)
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--limit", type=int, help="training and validation pictures together")
    asked = options.parse_args()
    backbone, _ = open_backbone(asked.backbone)
    dataset = split(open_dataset(asked.data), seed=0).where(lambda s: s.fold != "test")
    if asked.limit:
        dataset = dataset.take(np.random.default_rng(0).permutation(len(dataset))[: asked.limit].tolist())
    pixels = filled(dataset, backbone.contract)
    folds = []
    for fold in ("train", "val"):
        at = [i for i, s in enumerate(dataset.samples) if s.fold == fold and pixels.ok[i]]
        labels = torch.tensor([dataset.labels[i] for i in at])
        folds.append(Photos(pixels.rows(at), labels, [str(pixels.sha256s[i]) for i in at]))
    recipe = head_recipe(recipe_for("frozen", epochs=asked.epochs, patience=asked.epochs))
    begun = time.perf_counter()
    accuracy = {"once": once, "every": every}[asked.way](backbone, folds[0], folds[1], recipe, len(dataset.classes))
    seconds = time.perf_counter() - begun
    sizes = {"train": len(folds[0].labels), "val": len(folds[1].labels)}
    print(json.dumps({"seconds": seconds, "accuracy": accuracy, **sizes, "peak_mb": peak_memory_mb()}))


if __name__ == "__main__":
    main()
