"""RANK and WORLD_SIZE set: two processes train one network, decide alike, and one of them writes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cutaway.model import open_model

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("two_processes.py")


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have trained."""
    folder = tmp_path_factory.mktemp("two")
    rng = np.random.default_rng(0)
    for channel, name in ((0, "warm"), (2, "cold")):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 200, (12, 12, 3))
            pixels[..., channel] += 50
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / name / f"{i}.png")
    knobs = "--network small-cnn --size 12 --batch-size 10 --epochs 4 --augment medium --threads 1 --val 0.2 --test 0.2"
    words = [sys.executable, str(SCRIPT), str(folder), "train", "photos", "--out", "run", *knobs.split()]
    ports = {"MASTER_PORT": str(free_port()), "SECOND_PORT": str(free_port())}
    running = []
    for rank in ("0", "1"):
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("COV")},
            "WORLD_SIZE": "2",
            "RANK": rank,
            "LOCAL_RANK": rank,
            "MASTER_ADDR": "127.0.0.1",
            **ports,
            "CUTAWAY_CACHE": str(folder / "cache"),
            "PYTHONPATH": str(ROOT / "src"),
            "OMP_NUM_THREADS": "1",
        }
        log = (folder / f"log{rank}").open("w")
        running.append(subprocess.Popen(words, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT))
        log.close()
    try:
        codes = [process.wait(timeout=240) for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0, 0], "\n".join((folder / f"log{rank}").read_text() for rank in (0, 1))
    return folder


@pytest.fixture(scope="module")
def ranks(place: Path) -> list[dict[str, Any]]:
    return [torch.load(place / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", ["plain", "norm", "early", "resumed"])
def test_both_end_with_the_same_weights_running_means_included(ranks: list[dict[str, Any]], name: str) -> None:
    assert equal(ranks[0][name]["weights"], ranks[1][name]["weights"])
    assert ranks[0][name]["rows"] == ranks[1][name]["rows"]


def test_half_a_batch_each_is_the_whole_batch(ranks: list[dict[str, Any]]) -> None:
    """Without normalisation and dropout the averaged gradients are the single process's, up to rounding."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        import two_processes
    finally:
        sys.path.pop(0)
    net = two_processes.network(norm=False)
    result = two_processes.fitted(net, two_processes.job(two_processes.World(0, 1, torch.device("cpu"))))
    rows = ranks[0]["plain"]["rows"]
    assert [row["epoch"] for row in rows] == [row.epoch for row in result.rows]
    for theirs, ours in zip(rows, result.rows):
        assert theirs["train_loss"] == pytest.approx(ours.train_loss, rel=1e-4)
        assert theirs["train_accuracy"] == ours.train_accuracy
        assert theirs["val_loss"] == pytest.approx(ours.val_loss, rel=1e-4)
    for name, weight in net.state_dict().items():
        assert torch.allclose(weight, ranks[0]["plain"]["weights"][name], atol=1e-4)


def test_both_stop_early_in_the_same_epoch(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["early"]["ended"] == ranks[1]["early"]["ended"] == "no lower validation loss for 2 epochs"
    assert len(ranks[0]["early"]["rows"]) < 6


def test_a_run_taken_up_ends_as_the_one_that_was_not_stopped(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert equal(rank["resumed"]["weights"], rank["norm"]["weights"])
        assert rank["resumed"]["rows"] == rank["norm"]["rows"]


def test_the_command_leaves_one_run_written_once(place: Path) -> None:
    run = place / "run"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 4
    assert len(list((run / "tensorboard").iterdir())) == 1
    assert (run / "report.html").exists()
    assert not list(run.rglob("*.partial"))
    assert json.loads((run / "report.json").read_text())["looks"] == 1
    assert open_model(run).classes == ("cold", "warm")
    assert "pictures right" in (place / "log0").read_text()
    assert "pictures right" not in (place / "log1").read_text()


def test_two_processes_filled_one_pixel_cache(place: Path) -> None:
    (file,) = (p for p in (place / "cache" / "pixels").glob("*.rgb") if "12x12" in p.name)
    assert file.stat().st_size == 40 * 12 * 12 * 3, "each picture once"
