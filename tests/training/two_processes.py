"""One of two processes that train together; run twice by test_two_processes.py, with torchrun's environment.

First the loop alone on pictures made here, then the whole `python -m cutaway train`, both in one process: importing
torch takes longer than either.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import runpy
import sys
from pathlib import Path

import torch
from torch import nn

from cutaway.events import Epoch
from cutaway.training.device import World, join_world, leave_world
from cutaway.training.loop import Fitted, Job, fit
from cutaway.training.recipe import Recipe
from cutaway.training.source import VectorSource

torch.set_num_threads(1)


def network(*, norm: bool) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)]
    if norm:
        layers[1:1] = [nn.BatchNorm1d(8), nn.Dropout(0.3)]
    return nn.Sequential(*layers)


def job(world: World, checkpoint: Path | None = None, *, upside_down: bool = False) -> Job:
    generator = torch.Generator().manual_seed(5)
    labels = torch.arange(64) % 2
    points = torch.randn(64, 2, generator=generator) + 1.5 * (labels[:, None] * 2 - 1)
    recipe = Recipe(epochs=6, batch_size=16, lr=0.02, precision="float32", patience=2)
    val = VectorSource(points[:20], 1 - labels[:20] if upside_down else labels[:20])
    train = VectorSource(points, labels)
    return Job(train, val, recipe, 6, world, checkpoint=checkpoint, checkpoint_seconds=0.0)


def fitted(net: nn.Module, work: Job) -> Fitted:
    running = fit(net, work)
    while True:
        try:
            next(running)
        except StopIteration as end:
            result: Fitted = end.value
            return dataclasses.replace(result, rows=[dataclasses.replace(r, seconds=0.0) for r in result.rows])


def stop_after(epochs: int, net: nn.Module, work: Job) -> None:
    running = fit(net, work)
    ended = (event for event in running if isinstance(event, Epoch))
    assert len(list(itertools.islice(ended, epochs))) == epochs
    running.close()


def loops(out: Path) -> None:
    world = join_world()
    found: dict[str, object] = {}
    for name, norm, upside_down in (("plain", False, False), ("norm", True, False), ("early", True, True)):
        net = network(norm=norm)
        result = fitted(net, job(world, upside_down=upside_down))
        found[name] = {
            "weights": net.state_dict(),
            "rows": [dataclasses.asdict(r) for r in result.rows],
            "ended": result.ended,
        }
    kept = job(world, out / "checkpoint.pt")
    stop_after(3, network(norm=True), kept)
    torch.distributed.barrier()
    net = network(norm=True)
    result = fitted(net, kept)
    found["resumed"] = {"weights": net.state_dict(), "rows": [dataclasses.asdict(r) for r in result.rows]}
    torch.save(found, out / f"rank{world.rank}.pt")
    leave_world(world)


if __name__ == "__main__":
    loops(Path(sys.argv[1]))
    os.environ["MASTER_PORT"] = os.environ["SECOND_PORT"]
    sys.argv = ["cutaway", *sys.argv[2:]]
    runpy.run_module("cutaway", run_name="__main__", alter_sys=True)
