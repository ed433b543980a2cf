"""What several tests of training need: a toy problem and a disk that is soon full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from cutaway.events import Event
from cutaway.training.device import World
from cutaway.training.loop import Fitted, Job, fit
from cutaway.training.recipe import Recipe
from cutaway.training.source import VectorSource

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture
def alone() -> World:
    return ALONE


@pytest.fixture
def toy() -> Callable[..., Job]:
    """Two clouds of points in the plane, told apart by a line: makes a Job of them."""

    def make(n: int = 200, *, val_upside_down: bool = False, checkpoint: Path | None = None, **knobs: object) -> Job:
        generator = torch.Generator().manual_seed(5)
        labels = torch.arange(n) % 2
        points = torch.randn(n, 2, generator=generator) + 1.5 * (labels[:, None] * 2 - 1)
        given = {"epochs": 4, "batch_size": 20, "lr": 0.05, "precision": "float32", **knobs}
        recipe = Recipe(**given)  # type: ignore[arg-type]
        val = VectorSource(points[: n // 2], 1 - labels[: n // 2] if val_upside_down else labels[: n // 2])
        train = VectorSource(points, labels)
        return Job(train, val, recipe, recipe.epochs, ALONE, checkpoint=checkpoint, checkpoint_seconds=0.0)

    return make


@pytest.fixture
def run_fit() -> Callable[..., tuple[list[Event], Fitted]]:
    """fit's events and its result."""

    def run(network: nn.Module, job: Job, **options: object) -> tuple[list[Event], Fitted]:
        events, running = [], fit(network, job, **options)  # type: ignore[arg-type]
        while True:
            try:
                events.append(next(running))
            except StopIteration as end:
                return events, end.value

    return run


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs is not permitted here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
