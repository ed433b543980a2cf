"""Our side of tutorial_cifar and gpu_airbench: Parquet -> pixel cache -> one schedule of training -> test accuracy.

    python -m benchmarks.programs.cifar --data FOLDER --epochs 1.5 [--network NAME] [--recipe JSON] [--limit N]

Timed as the peer's `fit` is: from the network's making to the answers on the test pictures, which are looked at once,
after the last step. 2 % of the training pictures are held out for the loop's choice among epochs, as every run of
Cutaway holds some out; half an epoch more is one stretch in which half the pictures come once more. Decoding starts
from an empty pixel cache where the caller gives one ($CUTAWAY_CACHE).
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch._dynamo  # noqa: E402 - torch's optimizers import it when first made; TensorFlow imports its own at once
from numpy.typing import NDArray  # noqa: E402

from cutaway.dataset import Dataset  # noqa: E402
from cutaway.dataset.cache import filled  # noqa: E402
from cutaway.dataset.pixels import PixelSet  # noqa: E402
from cutaway.dataset.scan import open_dataset  # noqa: E402
from cutaway.training.augment import preset  # noqa: E402
from cutaway.training.device import World, dtype_for, join_world  # noqa: E402
from cutaway.training.loop import Job, fit, infer  # noqa: E402
from cutaway.training.recipe import Recipe, recipe_for  # noqa: E402
from cutaway.training.source import PictureSource  # noqa: E402
from cutaway.verbs.environment import peak_memory_mb  # noqa: E402
from cutaway.zoo import build  # noqa: E402
from cutaway.zoo.named import Named  # noqa: E402

IMPORTED = time.perf_counter()
HELD_OUT = 0.02


def positions(dataset: Dataset, fold: str, limit: int | None) -> NDArray[np.int64]:
    """A fold's places in the data set, the first `limit` of them."""
    return np.array([i for i, s in enumerate(dataset.samples) if s.fold == fold][:limit], np.int64)


def shown(train: NDArray[np.int64], epochs: float, seed: int) -> tuple[NDArray[np.int64], int]:
    """Training places, epochs -> the places of one pass and how many passes; a broken number becomes one long pass."""
    if epochs == int(epochs):
        return train, int(epochs)
    rest = np.random.default_rng(seed).permutation(train)[: round((epochs - int(epochs)) * len(train))]
    return np.concatenate([train] * int(epochs) + [rest]), 1


def trained(named: Named, recipe: Recipe, sources: Sequence[PictureSource], world: World) -> float:
    """Network, recipe, (train, val, test) sources -> accuracy on the test pictures, asked once at the end."""
    train, val, test = sources
    for _ in fit(named.graph, Job(train, val, recipe, recipe.epochs, world)):
        pass
    logits = infer(named.graph, test, world.device, dtype_for(recipe.precision, world.device))
    return float((logits.argmax(1) == test.labels).double().mean())


def main() -> None:
    asked = arguments()
    dataset = open_dataset(str(asked.data))
    train_at, test_at = positions(dataset, "train", asked.limit), positions(dataset, "test", asked.limit)
    if asked.limit:
        dataset = dataset.take([*train_at, *test_at])
        train_at, test_at = np.arange(len(train_at)), np.arange(len(train_at), len(dataset))
    contract = build(asked.network, classes=dataset.classes, size=asked.size).contract
    pixels = filled(dataset, contract).held()
    decoded = time.perf_counter()

    world = join_world()
    torch.manual_seed(asked.seed)
    named = build(asked.network, classes=dataset.classes, size=asked.size, **json.loads(asked.knobs))
    held = np.random.default_rng(asked.seed).permutation(train_at)[: round(HELD_OUT * len(train_at))]
    rest = np.setdiff1d(train_at, held)
    pass_at, passes = shown(rest, asked.epochs, asked.seed)
    recipe = recipe_for(
        "scratch", **{**json.loads(asked.recipe), "seed": asked.seed, "epochs": passes, "patience": passes}
    )
    labels = torch.tensor(dataset.labels)
    sources = [
        source(pixels, at, labels, named, how, len(rest), world)
        for at, how in ((pass_at, recipe.augment), (held, "none"), (test_at, "none"))
    ]
    accuracy = trained(named, recipe, sources, world)
    fitted = time.perf_counter()
    result = {
        "import_s": IMPORTED - BEGUN,
        "decode_s": decoded - IMPORTED,
        "decoded": pixels.decoded,
        "fit_s": fitted - decoded,
        "accuracy": accuracy,
        "parameters": sum(p.numel() for p in named.graph.parameters()),
        "precision": str(dtype_for(recipe.precision, world.device)).removeprefix("torch."),
        "peak_mb": peak_memory_mb(),
        "gpu_peak_mb": torch.cuda.max_memory_allocated() / 2**20 if world.device.type == "cuda" else None,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result))


def source(
    pixels: PixelSet, at: NDArray[np.int64], labels: torch.Tensor, named: Named, how: str, pictures: int, world: World
) -> PictureSource:
    _, augment = preset(how, pictures)
    return PictureSource(pixels.rows, at, labels[torch.from_numpy(at)], named.contract, augment, world.device)


def arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--epochs", type=float, required=True)
    options.add_argument("--network", default="tutorial-cifar")
    options.add_argument("--knobs", default="{}", help="JSON: the network's own settings")
    options.add_argument("--size", type=int)
    options.add_argument("--recipe", default="{}", help="JSON: knobs of training.recipe.Recipe")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--limit", type=int, help="pictures of each fold")
    return options.parse_args()


if __name__ == "__main__":
    main()
