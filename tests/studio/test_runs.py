"""Past trainings over HTTP: a real run, the same unfinished, stopped, damaged; comparison; forms of verbs; training."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from cutaway.errors import BadInput
from cutaway.options import fields_of
from cutaway.reports.codec import from_json, to_json
from cutaway.studio.app import create, locked
from cutaway.studio.desk import Start
from cutaway.studio.forms import form_of
from cutaway.studio.run_comparison import compared
from cutaway.studio.run_files import QUIET_SECONDS, run_named
from cutaway.studio.security import WRITTEN_PAGE
from cutaway.verbs.train import TrainOptions

PORT = 8765


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the real run, to be spoiled."""
    shutil.copytree(trained / "runs", tmp_path / "runs")
    return tmp_path


@pytest.fixture
def asking(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.chdir(folder)
    cookies = {f"cutaway-{PORT}": "key"}
    app = locked(create(Start(), folder), "key")
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}", cookies=cookies) as client:
        yield client


def second(folder: Path, name: str = "digits-2", **recipe: Any) -> Path:
    """Another run beside the first: a copy with other settings."""
    made = folder / "runs" / name
    shutil.copytree(folder / "runs" / "digits-1", made)
    config = json.loads((made / "config.json").read_text())
    config["recipe"] |= recipe
    (made / "config.json").write_text(json.dumps(config))
    return made


def unfinished(run: Path, *, quiet: bool = True) -> None:
    (run / "report.json").unlink()
    (run / "report.html").unlink()
    if quiet:
        old = time.time() - 2 * QUIET_SECONDS
        for path in (run, *run.rglob("*")):
            os.utime(path, (old, old))


def test_the_table_has_the_runs_own_numbers(asking: TestClient, folder: Path) -> None:
    second(folder)
    (folder / "runs" / "broken").mkdir()
    (folder / "runs" / "broken" / "config.json").write_text("{")
    found = asking.get("/api/runs").json()
    assert {run["name"] for run in found["runs"]} == {"digits-1", "digits-2"}
    line = next(run for run in found["runs"] if run["name"] == "digits-1")
    report = from_json((folder / "runs" / "digits-1" / "report.json").read_text())
    assert report.test is not None
    assert (line["accuracy"], line["low"], line["high"]) == (report.test.accuracy, report.test.low, report.test.high)
    assert (line["state"], line["epochs"], line["of"], line["fold"]) == ("finished", 1, 1, "test")
    assert line["curve"] == [row.val_accuracy for row in report.epochs]
    assert line["parameters"] == report.parameters


def test_one_run_is_its_report_and_the_words_of_its_page(asking: TestClient, folder: Path) -> None:
    detail = asking.get("/api/runs/digits-1").json()
    stored = json.loads((folder / "runs" / "digits-1" / "report.json").read_text())
    assert detail["report"] == stored
    page = (folder / "runs" / "digits-1" / "report.html").read_text()
    assert detail["words"]["lead"].split("(")[0].split(" of ")[1].strip() in page.replace("\u00a0", " ")
    assert 'data-cell="' in detail["drawings"]["confusion"]
    assert detail["drawings"]["rivals"].startswith("<svg")
    assert {"name": "data", "value": "digits", "small": ""} in detail["settings"]
    assert detail["resumable"] is False
    assert detail["page"] is True


def test_names_of_classes_are_no_markup(asking: TestClient, folder: Path) -> None:
    file = folder / "runs" / "digits-1" / "report.json"
    report = from_json(file.read_text())
    evil = ("<img src=x onerror=alert(1)>", *report.classes[1:])
    file.write_text(to_json(dataclasses.replace(report, classes=evil)))
    drawn = asking.get("/api/runs/digits-1").json()["drawings"]["confusion"]
    assert "<img" not in drawn
    assert "&lt;img" in drawn


def test_a_loss_that_is_no_number_is_null(asking: TestClient, folder: Path) -> None:
    file = folder / "runs" / "digits-1" / "report.json"
    report = from_json(file.read_text())
    bad = dataclasses.replace(report.epochs[0], val_loss=float("nan"))
    file.write_text(to_json(dataclasses.replace(report, epochs=(bad,))))
    answer = asking.get("/api/runs/digits-1")
    assert answer.json()["epochs"][0]["val_loss"] is None
    assert asking.get("/api/runs/digits-1/epochs").json()["epochs"][0]["val_loss"] is None


def test_a_run_that_goes_on_is_followed_through_its_file(asking: TestClient, folder: Path) -> None:
    run = second(folder, epochs=4)
    unfinished(run, quiet=False)
    first = asking.get("/api/runs/digits-2/epochs").json()
    assert (first["state"], len(first["epochs"]), first["of"]) == ("training", 1, 4)
    row = json.loads((run / "metrics.jsonl").read_text()) | {"epoch": 2, "val_accuracy": 0.5}
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row) + '\n{"epoch": 3, "cut')
    now = asking.get("/api/runs/digits-2/epochs").json()
    assert [e["val_accuracy"] for e in now["epochs"]][1:] == [0.5]
    detail = asking.get("/api/runs/digits-2").json()
    assert detail["report"] is None
    assert detail["words"] is None
    assert detail["resumable"] is False


def test_a_run_that_was_left_can_go_on(asking: TestClient, folder: Path) -> None:
    run = second(folder)
    unfinished(run)
    assert asking.get("/api/runs/digits-2").json()["resumable"] is True
    line = next(r for r in asking.get("/api/runs").json()["runs"] if r["name"] == "digits-2")
    assert (line["state"], line["accuracy"]) == ("unfinished", None)
    report = from_json((folder / "runs" / "digits-1" / "report.json").read_text())
    stopped = dataclasses.replace(report, recipe={**report.recipe, "ended": "stopped"})
    (run / "report.json").write_text(to_json(stopped))
    assert asking.get("/api/runs/digits-2").json()["line"]["state"] == "stopped"


def test_a_report_is_served_locked_in(asking: TestClient, folder: Path) -> None:
    answer = asking.get("/api/runs/digits-1/report")
    assert answer.text == (folder / "runs" / "digits-1" / "report.html").read_text()
    assert answer.headers.get_list("content-security-policy") == [WRITTEN_PAGE]
    assert "connect-src" not in WRITTEN_PAGE
    assert "default-src 'none'" in WRITTEN_PAGE
    unfinished(folder / "runs" / "digits-1")
    assert asking.get("/api/runs/digits-1/report").json()["message"] == (
        "The run digits-1 has no report.html yet; finish it first."
    )


@pytest.mark.parametrize("name", ["nope", "..", ".", "", "a/b", "digits-1/"])
def test_names_that_are_no_run(folder: Path, name: str) -> None:
    (folder / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"There is no run .* here; runs here: digits-1\."):
        run_named(folder, name)


def test_a_run_is_named_by_its_path_too(asking: TestClient, folder: Path) -> None:
    for name in ("runs/digits-1", str(folder / "runs" / "digits-1")):
        assert run_named(folder, name).folder.path == folder / "runs" / "digits-1"
        asked = quote(name, safe="")
        assert asking.get(f"/api/runs/{asked}").json()["line"]["name"] == "digits-1"
        assert asking.get(f"/api/runs/{asked}/epochs").json()["epochs"]
        assert asking.get(f"/api/runs/{asked}/report").text.startswith("<!doctype html>")


def test_a_run_outside_runs_is_not_shown(folder: Path) -> None:
    shutil.copytree(folder / "runs" / "digits-1", folder / "elsewhere")
    with pytest.raises(BadInput, match=r"There is no run '\.\./elsewhere' here; runs here: digits-1\."):
        run_named(folder, "../elsewhere")


def test_runs_side_by_side(asking: TestClient, folder: Path) -> None:
    run = second(folder, lr=0.5, optimizer="sgd")
    report = from_json((run / "report.json").read_text())
    assert report.test is not None
    better = dataclasses.replace(report.test, accuracy=0.999, low=0.995, high=1.0)
    (run / "report.json").write_text(to_json(dataclasses.replace(report, test=better)))
    found = asking.get("/api/run-comparison", params={"name": ["digits-1", "digits-2"]}).json()
    assert {row["name"] for row in found["settings"]} == {"lr", "optimizer"}
    assert found["same"] > 15
    accuracy = next(row for row in found["results"] if row["name"] == "accuracy")
    assert accuracy["best"] == 1
    assert "99.9 % (99.5–100.0)" in accuracy["values"][1]
    assert found["notes"] == ["digits-2 has the highest accuracy, and its 95 % interval lies above all the others'."]


def test_a_comparison_says_what_may_not_be_concluded(folder: Path) -> None:
    run = second(folder)
    two = [run_named(folder, name) for name in ("digits-1", "digits-2")]
    assert "may not tell them apart" in compared(two).notes[0]
    assert next(row for row in compared(two).results if row.name == "accuracy").best is None
    data = json.loads((run / "data.json").read_text()) | {"fingerprint": "other"}
    (run / "data.json").write_text(json.dumps(data))
    assert "did not learn and test on the same photos" in compared(two).notes[0]
    unfinished(run)
    notes = compared([run_named(folder, name) for name in ("digits-1", "digits-2")]).notes
    assert notes[0] == "digits-2 has no report yet: there are curves only."
    with pytest.raises(BadInput, match="two to 8 at a time; 1 were chosen"):
        compared(two[:1])


def test_a_verbs_form_is_its_options(asking: TestClient) -> None:
    form = asking.get("/api/verbs/train").json()
    assert form["sentence"] == str(TrainOptions.__doc__).splitlines()[0]
    assert [(f["name"], f["help"]) for f in form["fields"]] == [(f.name, f.help) for f in fields_of(TrainOptions)]
    fields = {f["name"]: f for f in form["fields"]}
    assert fields["data"]["required"]
    assert "digits" in fields["data"]["suggested"]
    assert (fields["epochs"]["kind"], fields["epochs"]["empty"]) == ("whole", True)
    assert (fields["lr"]["kind"], fields["flip"]["kind"], fields["val"]["default"]) == ("number", "yes-no", 0.15)
    assert "strong" in fields["augment"]["suggested"]
    method = next(f for f in asking.get("/api/verbs/map").json()["fields"] if f["name"] == "method")
    assert (method["kind"], method["choices"]) == ("choice", ["tsne", "umap", "pca"])
    assert "There is no verb 'sing'" in asking.get("/api/verbs/sing").json()["message"]


def test_every_verb_has_a_form() -> None:
    from cutaway.verbs import VERBS

    for name in VERBS:
        form = form_of(name)
        assert form.sentence.endswith("."), name
        assert all(field.help for field in form.fields), name


def test_training_from_the_page_is_a_run_and_can_be_stopped(asking: TestClient) -> None:
    options = {"data": "digits", "epochs": 200, "threads": 1, "augment": "none"}
    id_ = asking.post("/api/jobs", json={"verb": "train", "options": options}).json()["id"]
    for _ in range(1200):
        epochs = [r for r in asking.get("/api/runs").json()["runs"] if r["name"] == "digits-2" and r["epochs"] >= 1]
        if epochs:
            break
        time.sleep(0.05)
    assert epochs[0]["state"] == "training"
    asking.delete(f"/api/jobs/{id_}")
    for _ in range(1200):
        card = asking.get(f"/api/jobs/{id_}").json()
        if card["state"] not in ("waiting", "running"):
            break
        time.sleep(0.05)
    # Stopped once, as Ctrl-C: the best weights and their report are kept, and it can be carried on.
    assert card["state"] == "done", card
    assert card["result"]["ended"] == "stopped"
    line = next(r for r in asking.get("/api/runs").json()["runs"] if r["name"] == "digits-2")
    assert line["state"] == "stopped"
    assert line["accuracy"] is not None
    assert line["of"] == 200
    assert asking.get("/api/runs/digits-2").json()["resumable"] is True
