"""kill -9 at random moments, then resume: the weights, the curves and the report of the run that was never killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
CHAIN = Path(__file__).with_name("kill_chain.py")
SCRATCH = {"network": "small-cnn", "size": 12, "dropout": 0.2, "augment": "medium"}
FAST = {"batch_size": 10, "threads": 1, "val": 0.2, "test": 0.2}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reddish and bluish noise, 30 pictures each: learnable, not at once."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for channel, name in ((0, "warm"), (2, "cold")):
        (folder / name).mkdir()
        for i in range(30):
            pixels = rng.integers(0, 216, (12, 12, 3))
            pixels[..., channel] += 30
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder


def chain(photos: Path, out: Path, kills: int, seed: int, **options: Any) -> dict[str, Any]:
    asked = {"out": str(out), "seed": seed, "kills": kills, "options": {"data": str(photos), **FAST, **options}}
    environment = {
        **os.environ,
        "CUTAWAY_CACHE": str(photos.parent / "cache"),
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
    }
    for name in ("RANK", "WORLD_SIZE"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, str(CHAIN), json.dumps(asked)],
        env=environment,
        cwd=photos.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def rows(run: Path) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read]


def must_be_the_same_run(whole: Path, killed: Path) -> None:
    first, second = (load_file(run / "model.safetensors") for run in (whole, killed))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
    assert rows(whole) == rows(killed)
    reports = [json.loads((run / "report.json").read_text()) for run in (whole, killed)]
    for part in ("val", "test", "counts", "network"):
        assert reports[0][part] == reports[1][part]
    assert not list(killed.rglob("*.partial"))


def must_survive(photos: Path, out: Path, kills: int, seed: int, **options: Any) -> dict[str, Any]:
    told = chain(photos, out, kills, seed, **options)
    assert told["kills"] == kills
    for number in range(1, told["chains"] + 1):
        must_be_the_same_run(out / "whole", out / f"killed-{number}")
    return told


def test_from_scratch_killed_20_times(photos: Path, tmp_path: Path) -> None:
    told = must_survive(photos, tmp_path / "scratch", 20, seed=1, epochs=16, patience=15, **SCRATCH)
    assert told["steps"] >= 20
    assert told["mid_write"] >= 1, "with a checkpoint after every step, some kills fall into the writing of one"


@pytest.mark.parametrize("mode", ["frozen", "finetune"])
def test_on_a_backbone_killed_5_times(photos: Path, tmp_path: Path, mode: str) -> None:
    from cutaway.image import InputContract
    from cutaway.model import Model, save_model
    from cutaway.zoo import build

    torch.manual_seed(3)
    named = build("small-cnn", classes=("a", "b"), size=(12, 12))
    model = Model(named.graph, InputContract((12, 12)), ("a", "b"))
    backbone = save_model(model, tmp_path / "backbone.safetensors")
    options: dict[str, Any] = {"backbone": str(backbone), "mode": mode, "epochs": 6, "patience": 5}
    must_survive(photos, tmp_path / mode, 5, seed=2, **options)
