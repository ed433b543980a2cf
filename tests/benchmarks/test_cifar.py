"""tutorial_cifar: our side on a tiny Parquet, and what is made of both sides' numbers."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import peer_python
from benchmarks import tutorial_cifar as module
from benchmarks.bench import Missing, Settings
from benchmarks.processes import Failed, Ran, flags, program, ran
from benchmarks.programs.cifar import shown
from benchmarks.tutorial_cifar import FAST, PARAMETERS, SCHEDULES, Side, ratios, shortest, words
from cutaway.training.recipe import recipe_for
from cutaway.verbs.train import TrainOptions

VERSIONS = {"keras": "3", "tensorflow": "2"}


def result(accuracy: float, fit_s: float, **more: Any) -> dict[str, Any]:
    known = {"import_s": 1.0, "decode_s": 2.0, "parameters": PARAMETERS, "precision": "bfloat16", "threads": 2}
    return {**known, "fit_s": fit_s, "accuracy": accuracy, "epochs": [accuracy] * 3, "versions": VERSIONS, **more}


def run(accuracy: float, fit_s: float, **more: Any) -> Ran:
    return Ran(fit_s + 3, fit_s, 500, json.dumps(result(accuracy, fit_s, **more)))


def test_half_an_epoch_more_shows_half_the_pictures_again() -> None:
    train = np.arange(100, 140)
    places, passes = shown(train, 1.5, seed=3)
    assert passes == 1
    assert len(places) == 60
    assert sorted(places[:40]) == sorted(train)
    assert len(set(places[40:])) == 20
    same, passes = shown(train, 3, seed=3)
    assert (list(same), passes) == (list(train), 3)


@pytest.mark.parametrize("epochs", [2, 1.5])
def test_our_side_trains_and_measures(small_cifar: Path, tmp_path: Path, epochs: float) -> None:
    command = program("cifar", data=small_cifar, epochs=epochs, recipe='{"batch_size": 8, "augment": "none"}', limit=40)
    found = ran(command, {"CUTAWAY_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}).result
    assert found["parameters"] == PARAMETERS
    assert found["decoded"] == 60
    assert 0 <= found["accuracy"] <= 1
    assert found["fit_s"] > 0
    assert found["threads"] == 1


def test_the_peer_has_the_same_network(small_cifar: Path) -> None:
    installed = peer_python.FOLDER / "bin" / "python"
    python = os.environ.get(peer_python.VARIABLE) or (installed if installed.exists() else None)
    if python is None:
        pytest.skip("TensorFlow is not installed: python -m benchmarks tutorial_cifar does that")
    script = Path(module.__file__).parent / "programs" / "keras_cifar.py"
    options = flags(train=small_cifar / "train.parquet", test=small_cifar / "test.parquet", epochs=1)
    found = ran([python, script, *options]).result
    assert found["parameters"] == PARAMETERS
    assert found["accuracy"] == found["epochs"][-1]


def test_the_peer_imports_nothing_of_ours() -> None:
    spec = importlib.util.find_spec("benchmarks.programs.keras_cifar")
    assert spec is not None
    assert "cutaway" not in spec.loader.get_source(spec.name).lower().split('"""', 2)[2]  # type: ignore[union-attr]


def test_the_shortest_schedule_that_reaches_the_accuracy_counts() -> None:
    sides = {1: Side("", [run(0.6, 8)]), 1.5: Side("", [run(0.66, 12), run(0.62, 13)]), 2: Side("", [run(0.7, 16)])}
    assert shortest(sides, 0.64) == 1.5
    assert shortest(sides, 0.65) == 2
    assert shortest(sides, 0.71) is None


def test_ratios_are_peer_over_ours() -> None:
    (row,) = ratios(Side("", [run(0.63, 60)]), Side("", [run(0.64, 12)]), 1.5)
    assert row["fit, s"] == 5.0
    assert row["whole process, s"] == 4.2
    assert row["what"].startswith("ratio peer / ours (1.5 epochs); bar 4")
    assert f"no schedule up to {max(SCHEDULES):g} epochs" in ratios(Side("", [run(0.63, 60)]), None, None)[0]["what"]


def test_the_whole_comparison(monkeypatch: pytest.MonkeyPatch, small_cifar: Path) -> None:
    commands: list[list[str]] = []

    def fake(command: list[Any], env: dict[str, str] | None = None) -> Ran:
        text = [str(word) for word in command]
        commands.append(text)
        if env is None:
            return run(0.635, 60)
        epochs = float(text[text.index("--epochs") + 1])
        return run(0.6 + 0.05 * epochs, 16 * epochs)

    monkeypatch.setattr(module, "ran", fake)
    monkeypatch.setattr(module, "peer_python", lambda: Path("python"))
    outcome = module.measure(Settings(small_cifar.parent, repeats=2))
    whats = [row["what"] for row in outcome.rows]
    assert whats[0] == "Keras 3 as the tutorial, 3 epochs, batch 32"
    assert whats[3].startswith("Cutaway, 0.75 epochs, --batch-size 128")
    assert outcome.rows[len(SCHEDULES) + 1] == {
        "what": "ratio peer / ours (0.75 epochs); bar 4, moonshot 8",
        "fit, s": 5.0,
        "whole process, s": 4.2,
        "peak memory, MiB": 1.0,
    }
    assert ": 3 epochs" in whats[-1]  # 60 s, 16 s each, a twentieth left free
    assert outcome.versions["keras"] == "3"
    assert "0.75 epochs" in outcome.note
    peers = [i for i, words_ in enumerate(commands) if "keras_cifar.py" in words_[1]]
    assert peers == [0, len(SCHEDULES) + 1]  # the sides take turns


def test_another_network_is_no_comparison() -> None:
    with pytest.raises(Failed, match="9 weights instead of 122,570"):
        module.told("Keras", run(0.6, 1, parameters=9))


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="There is no CIFAR-10 at"):
        module.measure(Settings(tmp_path))


def test_the_printed_flags_are_flags_of_train() -> None:
    assert words(FAST) == "--batch-size 128 --lr 0.005 --optimizer muon --augment none"
    for recipe in (FAST, *(recipe for _, recipe in module.LONG)):
        recipe_for("scratch", **recipe)
        TrainOptions("digits", **recipe)
