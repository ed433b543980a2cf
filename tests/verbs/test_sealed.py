"""The test fold is sealed: nothing looks at it before the end, every look is counted, and folders decide if given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import CLASSES, QUICK, drawn, plant

import cutaway as ca
from cutaway.dataset.pixels import PixelSet
from cutaway.events import Epoch, Note
from cutaway.verbs import report_files, training_run


def folds(root: Path) -> Path:
    """train/ and test/ folders of shapes."""
    plant(root / "train", each=12)
    plant(root / "test", each=6, first=500)
    return root


@contextmanager
def pictures_read(patch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names of the pictures whose pixels were handed out while it lasts."""
    seen: set[str] = set()
    real = PixelSet.rows

    def rows(self: PixelSet, indices: Any) -> Any:
        at = np.arange(len(self))[indices] if isinstance(indices, slice) else np.asarray(indices)
        at = np.flatnonzero(at) if at.dtype == bool else at
        seen.update(self.names[int(i)] for i in np.atleast_1d(at))
        return real(self, indices)

    with patch.context() as inside:
        inside.setattr(PixelSet, "rows", rows)
        yield seen


def test_training_reads_no_pixel_of_a_given_test_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks look at all pictures for copies; from there to the last epoch only train and val are read."""
    folds(here / "photos")
    phases: dict[str, set[str]] = {}
    real = training_run._fit

    def fit(desk: Any) -> Any:
        with pictures_read(monkeypatch) as seen:
            got = yield from real(desk)
        phases["fit"] = set(seen)
        return got

    monkeypatch.setattr(training_run, "_fit", fit)
    ca.train("photos", **QUICK)
    assert phases["fit"]
    assert not {name for name in phases["fit"] if name.startswith("test/")}


def test_other_test_pictures_change_neither_weights_nor_choice(here: Path) -> None:
    """The proof from outside: only the test folder differs, and the network is the same to the last bit."""
    folds(here / "one")
    shutil.copytree(here / "one" / "train", here / "two" / "train")
    plant(here / "two" / "test", each=3, first=900)
    one, two = ca.train("one", **QUICK), ca.train("two", **QUICK)
    assert one.report is not None
    assert two.report is not None
    assert one.report.test is not None
    assert two.report.test is not None
    assert (one.report.test.n, two.report.test.n) == (18, 9)
    left, right = one.model.graph.state_dict(), two.model.graph.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert one.model.temperature == two.model.temperature
    assert [(e.epoch, e.val_loss, e.best) for e in one.report.epochs] == [
        (e.epoch, e.val_loss, e.best) for e in two.report.epochs
    ]


def test_given_folders_stay_and_validation_is_cut_from_train(here: Path) -> None:
    folds(here / "photos")
    run = ca.train("photos", **QUICK)
    assert run.report is not None
    assert run.report.counts["test"] == dict.fromkeys(CLASSES, 6)
    assert sum(run.report.counts["train"].values()) + sum(run.report.counts["val"].values()) == 36
    assert run.report.test is not None
    names = {name for cell in run.report.test.cells.values() for name in cell}
    assert all(name.startswith("test/") for name in names)


def test_a_training_copy_of_a_test_picture_is_left_out(here: Path) -> None:
    folds(here / "photos")
    shutil.copy(here / "photos/test/cross/cross500.png", here / "photos/train/cross/leak.png")
    told = [e.text for e in ca.train.stream("photos", out="run", **QUICK) if isinstance(e, Note)]
    assert "1 training pictures are also in your val or test fold; they were left out of training." in told
    stored = json.loads((here / "run/data.json").read_text())["folds"]["pictures"]
    assert stored[ca.read_image("photos/test/cross/cross500.png").sha256]["fold"] == "test"
    assert "train/cross/leak.png,exclude,leak" in (here / "run/quarantine.csv").read_text()


def test_copies_stay_on_one_side(here: Path) -> None:
    for kind in CLASSES:
        (here / "copies" / kind).mkdir(parents=True)
        for number in range(10):
            picture = drawn(kind, number, side=48)
            picture.save(here / "copies" / kind / f"{number}.png")
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(here / "copies" / kind / f"{number}-mirrored.png")
    run = ca.train("copies", **QUICK)
    stored = json.loads((run.folder / "data.json").read_text())["folds"]["pictures"]
    assert len(stored) == 60
    for kind in CLASSES:
        for number in range(10):
            two = (here / "copies" / kind / f"{number}.png", here / "copies" / kind / f"{number}-mirrored.png")
            assert len({stored[ca.read_image(file).sha256]["fold"] for file in two}) == 1


def test_every_look_counts_whoever_looks(here: Path) -> None:
    folds(here / "photos")
    looks = []
    for _ in range(2):
        report = ca.train("photos", **QUICK).report
        assert report is not None
        looks.append(report.looks)
    seen = ca.evaluate("photos-1", "photos")
    assert [*looks, seen.looks] == [1, 2, 3]
    assert ca.evaluate("photos-2", "photos", fold="train").looks == 0, "a look at what it learnt from is no look"
    assert ca.evaluate("runs/photos-1/model.safetensors", "photos").looks == 4
    lines = [json.loads(line) for line in (here / "runs/test-looks.jsonl").read_text().splitlines()]
    assert [line["who"] for line in lines] == [
        "photos-1",
        "photos-2",
        "evaluate photos-1",
        "evaluate runs/photos-1/model.safetensors",
    ]
    assert ca.report("photos-1").report.looks == 1, "showing a report looks at nothing"  # type: ignore[union-attr]


def test_another_test_fold_starts_its_own_count(shapes: Path) -> None:
    reports = [ca.train(str(shapes), seed=seed, **QUICK).report for seed in (0, 1, 0)]
    assert [report.looks for report in reports if report] == [1, 1, 2]


def test_a_sweep_selects_and_so_never_looks(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cutaway.verbs import sweep_run

    def never(*_: Any) -> int:
        raise AssertionError("looked at the test fold")

    monkeypatch.setattr(report_files, "look", never)
    real = sweep_run._train_one
    read: set[str] = set()
    test_names: set[str] = set()

    def one(settings: Any, seen: Any, **more: Any) -> Any:
        test_names.update(seen.names(seen.at("test")))
        with pictures_read(monkeypatch) as names:
            got = yield from real(settings, seen, **more)
        read.update(names)
        return got

    monkeypatch.setattr(sweep_run, "_train_one", one)
    ca.sweep(str(shapes), vary=("depth=2",), epochs=1, threads=1)
    assert test_names
    assert read
    assert not read & test_names
    assert not Path("runs").exists()


def test_the_best_epoch_is_the_one_with_the_lowest_validation_loss(shapes: Path) -> None:
    seen = [e for e in ca.train.stream(str(shapes), **{**QUICK, "epochs": 6}) if isinstance(e, Epoch)]
    lowest = float("inf")
    for epoch in seen:
        assert epoch.best == (epoch.val_loss < lowest)
        lowest = min(lowest, epoch.val_loss)
