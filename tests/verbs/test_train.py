"""train: every kind of input ends in a complete run; the same seed ends in the same weights, bit for bit."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from shapes import CLASSES, EACH, QUICK, drawn, plant

import cutaway as ca
from cutaway.dataset.words import natural_key
from cutaway.events import Note
from cutaway.training.log import read_metrics
from cutaway.verbs.run import Run

FILES = {"config.json", "data.json", "metrics.jsonl", "model.safetensors", "report.html", "report.json"}
FILES |= {"quarantine.csv", "tensorboard", "checkpoints"}


def as_folder(root: Path) -> str:
    return str(root)


def as_folds(root: Path) -> str:
    for kind in CLASSES:
        for number, file in enumerate(sorted((root / kind).iterdir())):
            fold = "test" if number % 5 == 0 else "val" if number % 5 == 1 else "train"
            target = root.parent / "folds" / fold / kind / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return "folds"


def as_zip(root: Path) -> str:
    with zipfile.ZipFile("shapes.zip", "w") as file:
        for picture in root.rglob("*.png"):
            file.write(picture)
    return "shapes.zip"


def as_tar(root: Path) -> str:
    with tarfile.open("shapes.tar.gz", "w:gz") as file:
        file.add(root)
    return "shapes.tar.gz"


def as_csv(root: Path) -> str:
    with Path("shapes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label"])
        table.writerows([str(p), p.parent.name] for p in sorted(root.rglob("*.png"), key=lambda p: natural_key(str(p))))
    return "shapes.csv"


def as_parquet(root: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(root.rglob("*.png"))
    table = {"image": [p.read_bytes() for p in files], "label": [p.parent.name for p in files]}
    pq.write_table(pa.table(table), "shapes.parquet")
    return "shapes.parquet"


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.model.graph.state_dict().items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


MORE = [pytest.param(given, marks=pytest.mark.slow) for given in (as_zip, as_csv)]  # also in the test after it


@pytest.mark.parametrize("given", [as_folder, as_folds, as_tar, as_parquet, *MORE])
def test_every_kind_of_input_ends_in_a_complete_run(given: Callable[[Path], str], shapes: Path) -> None:
    run = ca.train(given(shapes), **QUICK)
    assert {p.name for p in run.folder.iterdir()} == FILES
    assert run.ended == "finished"
    report = run.report
    assert report is not None
    assert report.classes == CLASSES
    assert sum(n for fold in report.counts.values() for n in fold.values()) == 3 * EACH
    assert set(report.counts) == {"train", "val", "test"}
    assert report.test is not None
    assert report.test.n == sum(report.counts["test"].values())
    assert (report.looks, len(report.epochs)) == (1, 2)
    assert run.model.classes == CLASSES
    answers = ca.predict(str(run.folder), ("shapes/square/square3.png",), top=9)
    assert {name for name, _ in answers[0].top} == set(CLASSES)
    assert sum(p for _, p in answers[0].top) == pytest.approx(1, abs=1e-5)


def test_formats_of_one_data_set_give_one_and_the_same_network(shapes: Path) -> None:
    """The split goes by content: packing the pictures into an archive or a table moves none of them."""
    folder, packed, table = (ca.train(given(shapes), **QUICK) for given in (as_folder, as_zip, as_csv))
    stored = [json.loads((run.folder / "data.json").read_text())["fingerprint"] for run in (folder, packed, table)]
    assert len(set(stored)) == 1
    assert same(weights(folder), weights(packed))
    assert same(weights(folder), weights(table))


def test_digits_come_with_the_house() -> None:
    run = ca.train("digits", epochs=1, batch_size=128, threads=1, network="small-cnn")
    assert run.report is not None
    assert run.report.classes == tuple("0123456789")
    assert run.report.recipe["augment"] != "none"
    assert run.report.baselines[1].accuracy > 0.9


def test_two_runs_with_one_seed_differ_in_times_and_names_only(shapes: Path) -> None:
    one, two, other = (ca.train(str(shapes), seed=seed, **QUICK) for seed in (7, 7, 8))
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(other))
    assert (one.folder.name, two.folder.name) == ("shapes-1", "shapes-2")
    assert (one.folder / "data.json").read_bytes() == (two.folder / "data.json").read_bytes()
    assert (one.folder / "config.json").read_bytes() == (two.folder / "config.json").read_bytes()
    assert (one.folder / "quarantine.csv").read_bytes() == (two.folder / "quarantine.csv").read_bytes()
    epochs = [[dataclasses.replace(row, seconds=0) for row in read_metrics(run.folder)] for run in (one, two)]
    assert epochs[0] == epochs[1]
    lines = [(run.folder / "report.json").read_text().splitlines() for run in (one, two)]
    differ = {a.split(":")[0].strip('" ') for a, b in zip(*lines, strict=True) if a != b}
    assert differ <= {"created", "epochs", "timings", "baselines", "looks", "peak_memory_mb", "diagnoses"}, differ


def test_the_configuration_names_every_option_and_the_command(shapes: Path) -> None:
    run = ca.train(str(shapes), hidden=None, lr=0.002, **QUICK)
    config = json.loads((run.folder / "config.json").read_text())
    assert config["options"] == dataclasses.asdict(ca.train.options("shapes", lr=0.002, **QUICK))
    assert config["command"] == (
        "cutaway train shapes --network small-cnn --epochs 2 --batch-size 8 --lr 0.002 --threads 1"
    )
    assert config["classes"] == list(CLASSES)
    assert config["recipe"]["lr"] == 0.002
    assert {"torch", "python", "processor", "threads"} <= set(config["environment"])


def test_the_page_holds_what_a_person_came_for(shapes: Path) -> None:
    run = ca.train(str(shapes), **QUICK)
    page = (run.folder / "report.html").read_text()
    report = run.report
    assert report is not None
    assert report.test is not None
    read = " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())
    assert f"{100 * report.test.accuracy:.1f}" in read
    wanted = ("majority class", "colour histogram + HOG", "cutaway train shapes", "conv1", "BatchNorm2d")
    for text in (*wanted, *CLASSES, *(d.text for d in report.diagnoses), *(f.text for f in report.findings)):
        assert text in read, text
    assert page.count("data:image/") > report.test.n
    for outside in ('src="http', 'href="http', "url(http", "@import"):
        assert outside not in page, outside


def test_metrics_are_one_line_per_epoch_and_tensorboard_has_the_same(shapes: Path) -> None:
    run = ca.train(str(shapes), **QUICK)
    assert run.report is not None
    assert read_metrics(run.folder) == run.report.epochs
    events = list((run.folder / "tensorboard").iterdir())
    assert len(events) == 1
    assert b"val_accuracy" in events[0].read_bytes()


def test_preview_draws_a_picture_and_makes_no_run(shapes: Path) -> None:
    run = ca.train(str(shapes), preview=True, out="seen", **QUICK)
    assert (run.ended, run.report) == ("preview", None)
    assert {p.name for p in Path("seen").iterdir()} == {"preview.png"}
    assert ca.read_image("seen/preview.png").pixels.shape[0] > 100
    again = ca.train(str(shapes), out="seen", **QUICK)
    assert again.ended == "finished"


def test_excluded_pictures_are_not_trained_on(shapes: Path) -> None:
    listed = ["circle/circle0.png", "cross/cross5.png"]
    Path("quarantine.csv").write_text("name,action\n" + "".join(f"{n},exclude\n" for n in listed) + "x/y.png,exclude\n")
    run = ca.train(str(shapes), exclude="quarantine.csv", **QUICK)
    assert run.report is not None
    assert sum(n for fold in run.report.counts.values() for n in fold.values()) == 3 * EACH - 2
    shas = {ca.read_image(shapes / name).sha256 for name in listed}
    stored = json.loads((run.folder / "data.json").read_text())["folds"]["pictures"]
    assert not shas & set(stored)


def test_what_check_finds_can_be_left_out_by_its_list(shapes: Path) -> None:
    shutil.copy(shapes / "circle/circle1.png", shapes / "circle/copy.png")
    (shapes / "cross/torn.png").write_bytes((shapes / "cross/cross1.png").read_bytes()[:200])
    found = ca.check(str(shapes))
    assert {"unreadable", "exact-duplicate"} <= {f.kind for f in found.findings}
    run = ca.train(str(shapes), exclude=found.quarantine, **QUICK)
    assert run.report is not None
    assert sum(n for fold in run.report.counts.values() for n in fold.values()) == 3 * EACH
    kinds = {f.kind for f in run.report.findings}
    assert not {"unreadable", "exact-duplicate"} & kinds


def test_unreadable_pictures_are_left_out_named_and_told(shapes: Path) -> None:
    (shapes / "cross/torn.png").write_bytes(b"no picture")
    told = [event.text for event in ca.train.stream(str(shapes), out="run", **QUICK) if isinstance(event, Note)]
    assert "1 of 43 files could not be read and were left out; quarantine.csv names them." in told
    assert "cross/torn.png,exclude,unreadable" in Path("run/quarantine.csv").read_text()


@pytest.mark.parametrize("backbone", ["first", "runs/first/model.safetensors"])
@pytest.mark.parametrize("mode", ["frozen", "finetune"])
def test_a_run_or_a_model_file_serves_as_backbone(mode: str, backbone: str, first: Path) -> None:
    del first
    plant(Path("more"), each=8, first=100)
    run = ca.train("more", backbone=backbone, mode=mode, epochs=2, batch_size=8, threads=1, out="built")
    assert run.report is not None
    assert run.report.recipe["mode"] == mode
    assert run.model.card["mode"] == mode
    phases = [row.phase for row in run.report.epochs]
    assert set(phases) == ({"head"} if mode == "frozen" else {"head", "finetune"})
    assert [row.epoch for row in run.report.epochs] == list(range(1, len(phases) + 1))
    assert read_metrics(run.folder) == run.report.epochs
    old, new = ca.open_model("runs/first").graph.state_dict(), weights(run)
    kept = [torch.equal(old[name], new[name]) for name in old if name in new and "dense" not in name]
    assert kept
    assert all(kept) if mode == "frozen" else not all(kept)
    assert run.report.trainable < run.report.parameters or mode == "finetune"


def test_a_new_head_answers_with_the_new_classes(first: Path) -> None:
    del first
    plant(Path("two"), each=8, first=50, classes=("square", "circle"))
    run = ca.train("two", backbone="first", epochs=3, threads=1)
    assert run.model.classes == ("circle", "square")
    assert len(ca.predict(str(run.folder), ("sample:cat",), top=9)[0].top) == 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"augment": "light", "backbone": "first"}, "Augmentation has no part in frozen training"),
        ({"backbone": "first"}, "Backbone: first, cut after"),
        ({"network": None}, "Network: small-cnn, since the pictures are 24 x 24 px; --network picks another."),
    ],
)
def test_decisions_made_for_the_person_are_told(asked: dict[str, Any], told: str, first: Path) -> None:
    del first
    knobs = {**QUICK, "epochs": 1, "network": None, **asked}
    notes = [event.text for event in ca.train.stream("shapes", **knobs) if isinstance(event, Note)]
    assert any(text.startswith(told) for text in notes), notes


def test_classes_named_like_signs_are_not_mirrored(here: Path) -> None:
    for kind, name in zip(CLASSES, ("left turn", "right_turn", "ahead"), strict=True):
        (here / "signs" / name).mkdir(parents=True)
        for number in range(8):
            drawn(kind, number).save(here / "signs" / name / f"{number}.png")
    notes = [event.text for event in ca.train.stream("signs", **QUICK) if isinstance(event, Note)]
    assert any(text.startswith("Augmentation leaves out mirroring") for text in notes)
    notes = [event.text for event in ca.train.stream("signs", flip=True, **QUICK) if isinstance(event, Note)]
    assert not any("mirroring" in text for text in notes)


def test_large_photos_are_told_that_a_backbone_helps(here: Path) -> None:
    for kind in CLASSES[:2]:
        (here / "large" / kind).mkdir(parents=True)
        for number in range(6):
            drawn(kind, number, side=120).save(here / "large" / kind / f"{number}.png")
    notes = [e.text for e in ca.train.stream("large", preview=True, threads=1) if isinstance(e, Note)]
    assert any(text.startswith("Network: tutorial-cats-dogs from scratch") for text in notes)
