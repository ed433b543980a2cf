"""transfer and warm_start: both ways of training a head on a small backbone, both runs on a few pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import transfer, warm_start
from benchmarks.bench import Missing, Settings
from benchmarks.processes import Failed, Ran, program, ran
from benchmarks.programs.frozen import Photos, every, once
from cutaway.model.backbone import backbone_of
from cutaway.training.recipe import recipe_for
from cutaway.zoo import build

SENTENCE = {"accuracy": 0.96, "n": 400, "low": 0.94, "high": 0.98}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """cats-vs-dogs in small: dark noise and light noise, 12 and 4 of each class."""
    rng = np.random.default_rng(0)
    for fold, count in (("train", 12), ("test", 4)):
        for name, level in (("cats", 60), ("dogs", 190)):
            folder = tmp_path / "cats-vs-dogs" / fold / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(rng.normal(level, 25, (24, 24, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "cats-vs-dogs"


def canned(result: dict[str, Any], wall_s: float = 10.0) -> Ran:
    return Ran(wall_s, wall_s, 500, json.dumps(result))


def test_both_ways_train_the_same_kind_of_head() -> None:
    torch.manual_seed(0)
    named = build("small-cnn", classes=("dark", "light"), size=16)
    backbone = backbone_of(named.graph, named.contract)
    rng = np.random.default_rng(0)
    labels = torch.arange(24) % 2
    pixels = np.clip(rng.normal(60 + 130 * labels[:, None, None, None].numpy(), 20, (24, 16, 16, 3)), 0, 255)
    both = Photos(pixels.astype(np.uint8), labels, [f"{i:064}" for i in range(24)])
    recipe = recipe_for("frozen", epochs=8, patience=8, batch_size=8, precision="float32")
    assert once(backbone, both, both, recipe, 2) == 1.0
    assert 0.5 <= every(backbone, both, both, recipe, 2) <= 1.0


def test_a_few_photos_keep_their_folds_and_classes(photos: Path, tmp_path: Path) -> None:
    few = transfer.few(photos, tmp_path / "few", 3)
    kept = sorted(p.relative_to(few).as_posix() for p in few.rglob("*.png"))
    assert len(kept) == 12
    assert kept[0] == "test/cats/0.png"


def test_the_rows_of_transfer(monkeypatch: pytest.MonkeyPatch, photos: Path) -> None:
    def fake(command: list[Any], _: dict[str, str]) -> Ran:
        if "train" in command:
            return canned({"report": {"test": SENTENCE, "timings": {"embed": 3.0}}}, 20.0)
        slow = "every" in command
        return canned({"seconds": 60.0 if slow else 4.0, "accuracy": 0.95, "val": 150})

    monkeypatch.setattr(transfer, "ran", fake)
    (photos.parent / "teachable-machine" / "animals-h5").mkdir(parents=True)
    (photos.parent / "teachable-machine" / "animals-h5" / "keras_model.h5").touch()
    outcome = transfer.measure(Settings(photos.parent))
    command, one, each, ratio = outcome.rows
    assert (command["seconds"], command["95 % interval"], command["met"]) == (20.0, "94.0% to 98.0%", True)
    assert (one["seconds"], each["seconds"], ratio["seconds"]) == (4.0, 60.0, 15.0)
    assert one["what"].startswith("20 epochs")
    assert "embed 3.0 s" in outcome.note


def test_missing_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"There is no .*cats-vs-dogs; name the folder"):
        transfer.inputs(Settings(tmp_path))


def test_the_second_run_makes_nothing(photos: Path, tmp_path: Path) -> None:
    environment = {"CUTAWAY_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    made = []
    for number in (1, 2):
        command = program("train", data=photos, epochs=1, out=tmp_path / f"run-{number}")
        made.append(ran(command, environment).result["made"]["read pictures"])
    assert made == [32, 0]


def test_work_done_twice_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(_: list[Any], __: dict[str, str]) -> Ran:
        return canned({"made": {"read pictures": 5}, "accuracy": 0.5})

    monkeypatch.setattr(warm_start, "ran", fake)
    with pytest.raises(Failed, match=r"did work that was done before: \{'read pictures': 5\}"):
        warm_start.pair(warm_start.Case("digits"))


def test_another_accuracy_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.5, 0.6])

    def fake(_: list[Any], __: dict[str, str]) -> Ran:
        return canned({"made": {"read pictures": 0}, "accuracy": next(accuracies)})

    monkeypatch.setattr(warm_start, "ran", fake)
    with pytest.raises(Failed, match=r"ended with another accuracy: \[0.5, 0.6\]"):
        warm_start.pair(warm_start.Case("digits"))


def test_the_rows_of_warm_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    times = iter([30.0, 10.0])

    def fake(_: list[Any], __: dict[str, str]) -> Ran:
        wall = next(times)
        timings = {"read and check pictures": wall / 2}
        made = {"read pictures": 1797 if wall > 20 else 0}
        return canned({"made": made, "accuracy": 0.9, "pictures": 1797, "timings": timings}, wall)

    monkeypatch.setattr(warm_start, "ran", fake)
    first, second, ratio = warm_start.measure(Settings(tmp_path, repeats=1)).rows
    assert (first["decoded"], second["decoded"], ratio["seconds"]) == (1797, 0, 3.0)
