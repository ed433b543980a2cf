"""The page Explain's addresses: maps exactly as explanation.explained gives them, checks, jobs that stop, refusals."""

from __future__ import annotations

import base64
import io
import json
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image

import cutaway as ca
from cutaway.dataset.sample_pictures import sample_picture
from cutaway.explanation.checks import check
from cutaway.explanation.explanation import explained
from cutaway.explanation.method import METHODS, method_named, settings_of
from cutaway.explanation.question import ask
from cutaway.image.fit import fit_picture
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import edit_of
from cutaway.surgery.shift import Change, changed
from cutaway.verbs.find import find_model

MODEL = "zoo:tutorial-cifar"
ABOUT: dict[str, Any] = {"model": MODEL, "picture": "sample:cat"}
INSTANT = ("saliency", "input-x-gradient", "guided-backprop", "deconvnet", "gradcam", "gradcam++", "layercam",
           "eigencam")  # fmt: skip


def drained(work: Generator[Any, None, Any]) -> Any:
    try:
        while True:
            next(work)
    except StopIteration as ended:
        return ended.value


@pytest.fixture(scope="module")
def model() -> Model:
    return find_model(MODEL)


@pytest.fixture(scope="module")
def pixels(model: Model) -> NDArray[np.uint8]:
    return fit_picture(sample_picture("cat"), model.contract)


def asked(client: TestClient, path: str, body: dict[str, Any]) -> Any:
    answer = client.post(f"/api/explain{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, path: str, body: dict[str, Any]) -> str:
    answer = client.post(f"/api/explain{path}", json=body)
    assert answer.status_code == 400, answer.text
    message: str = answer.json()["message"]
    return message


def values_of(told: dict[str, Any]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.frombuffer(base64.b64decode(told["values"]), "<f4").reshape(told["size"])
    return found


def events(client: TestClient, job: str) -> list[dict[str, Any]]:
    """A job's messages to its end."""
    text = client.get(f"/api/jobs/{job}/events").text
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def found(said: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [(e["about"], *e["names"]) for e in said if e["kind"] == "found"]


def test_what_can_be_asked(client: TestClient) -> None:
    card = asked(client, "", ABOUT)
    top = dict(ca.predict(MODEL, ("sample:cat",), top=10)[0].top)
    assert dict(zip(card["classes"], card["probabilities"], strict=True)) == pytest.approx(top, abs=1e-6)
    assert card["question"] == card["classes"][card["target"]] == max(top, key=lambda name: top[name])
    assert (card["against"], card["size"], card["layer"]) == (None, [32, 32], "pool2")
    assert [m["name"] for m in card["methods"]] == list(METHODS)
    assert [m["name"] for m in card["methods"] if m["cost"] == "instant"] == list(INSTANT)
    assert not any(m["why"] for m in card["methods"])
    assert {"name": "conv2", "channels": 64, "cells": [13, 13]} in card["layers"]
    rise = next(m for m in card["methods"] if m["name"] == "rise")
    masks = next(k for k in rise["knobs"] if k["name"] == "masks")
    assert (masks["kind"], masks["default"]) == ("whole", "2000")
    assert masks["help"].startswith("Random masks")
    assert next(k for k in rise["knobs"] if k["name"] == "baseline")["choices"][0] == "black"


@pytest.mark.parametrize("name", INSTANT)
def test_a_map_is_the_methods_own_to_the_last_bit(
    client: TestClient, model: Model, pixels: NDArray[np.uint8], name: str
) -> None:
    told = asked(client, "/map", {**ABOUT, "target": "class 3", "method": name})
    method = method_named(name)
    answer, _ = drained(explained(method, ask(model, pixels[None], [3]), method.settings()))
    own = answer.maps[0]
    assert np.array_equal(values_of(told), own)
    assert (told["layer"], told["question"], told["signed"]) == (answer.layer, "class 3", bool((own < 0).any()))
    assert [told["low"], told["high"]] == [own.min(), own.max()]
    assert told["sum"] == pytest.approx(float(own.sum(dtype=np.float64)))
    shades = {s["percentile"]: s for s in told["shades"]}
    assert shades[99.5]["high"] == pytest.approx(float(np.percentile(np.abs(own.astype(np.float64)), 99.5)))
    assert shades[99.5]["beyond"] == pytest.approx(float((np.abs(own) > shades[99.5]["high"]).mean()), abs=1e-3)
    assert (shades[100]["high"], shades[100]["beyond"]) == (pytest.approx(np.abs(own).max()), 0)
    assert told["checks"] is None


def test_why_one_class_and_not_another_on_an_edited_network_and_a_moved_picture(
    client: TestClient, model: Model, pixels: NDArray[np.uint8]
) -> None:
    edit = {"edit": "scale_channels", "layer": "conv1", "channels": [0, 5], "factor": 0.0}
    shift = [{"kind": "translate", "amount": 5, "along": "x"}]
    body = {**ABOUT, "edits": [edit], "shift": shift, "target": "class 1", "against": "class 2"}
    told = asked(client, "/map", {**body, "method": "gradcam", "settings": {"layer": "conv2", "relu": "yes"}})
    moved = changed(pixels, Change("translate", 5, "x"), 5)
    question = ask(apply(model, [edit_of(edit)]), moved[None], [1], [2])
    method = method_named("gradcam")
    answer, _ = drained(explained(method, question, settings_of(method, {"layer": "conv2", "relu": "yes"})))
    assert np.array_equal(values_of(told), answer.maps[0])
    assert told["question"] == "class 1 rather than class 2"
    assert told["settings"] == {"layer": "conv2", "relu": "yes"}
    assert told["value"] == pytest.approx(float(question.value[0]), rel=1e-5)
    assert not np.array_equal(values_of(told), values_of(asked(client, "/map", {**ABOUT, "method": "gradcam"})))


def test_a_job_makes_and_measures_one_after_the_other(
    client: TestClient, model: Model, pixels: NDArray[np.uint8]
) -> None:
    body = {**ABOUT, "target": "class 5"}
    wanted: list[dict[str, Any]] = [{"name": "gradcam"}, {"name": "occlusion", "settings": {"window": "8"}}]
    said = events(client, asked(client, "/maps", {**body, "methods": wanted})["id"])
    assert found(said) == [("map", "gradcam"), ("checks", "gradcam"), ("map", "occlusion"), ("checks", "occlusion")]
    assert said[-1]["result"] == {"made": ["gradcam", "occlusion"]}
    question = ask(model, pixels[None], [5])
    for one in wanted:
        method, typed = method_named(one["name"]), one.get("settings", {})
        told = asked(client, "/map", {**body, "method": one["name"], "settings": typed})
        settings = settings_of(method, typed)
        answer, _ = drained(explained(method, question, settings))
        (own,) = drained(check(method, question, settings, answer))
        assert np.array_equal(values_of(told), answer.maps[0])
        checks = told["checks"]
        assert (checks["level"], checks["sentence"]) == (own.verdict.level, own.verdict.sentence)
        for name in ("deletion", "insertion", "deletion_edges", "insertion_random", "randomised", "shifted", "edges"):
            assert checks[name] == getattr(own, name), name
        assert tuple(checks["deletion_curve"]) == own.deletion_curve
        assert tuple(checks["notes"]) == own.notes


def test_slower_maps_are_made_by_jobs_only_and_without_checks_where_none_are_wanted(client: TestClient) -> None:
    body = {**ABOUT, "target": "class 7", "method": "integrated-gradients", "settings": {"steps": "5"}}
    assert refused(client, "/map", body) == (
        "The map of Integrated Gradients is not made yet, or no longer kept; make it."
    )
    wanted = {"name": "integrated-gradients", "settings": {"steps": "5"}}
    job = asked(client, "/maps", {**ABOUT, "target": "class 7", "methods": [wanted], "check": False})
    assert found(events(client, job["id"])) == [("map", "integrated-gradients")]
    assert asked(client, "/map", body)["checks"] is None


def test_a_method_that_is_refused_or_not_installed_leaves_the_others(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [m for m in sys.modules if m.split(".")[0] == "lime"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lime", None)
    wanted = [{"name": "lime"}, {"name": "rise", "settings": {"masks": "many"}}, {"name": "saliency"}]
    said = events(client, asked(client, "/maps", {**ABOUT, "methods": wanted, "check": False})["id"])
    assert found(said) == [("refused", "lime"), ("refused", "rise"), ("map", "saliency")]
    why = [e["text"] for e in said if e["kind"] == "found"]
    assert "pip install" in why[0]
    assert "lime" in why[0]
    assert why[1] == "masks of RISE must be a whole number. Got 'many'."
    assert said[-1]["kind"] == "done"


def test_stopping_keeps_what_is_done(client: TestClient) -> None:
    body = {**ABOUT, "target": "class 8"}
    slow = {"name": "rise", "settings": {"masks": "9000"}}
    id_ = asked(client, "/maps", {**body, "methods": [{"name": "gradcam"}, slow], "check": False})["id"]
    end = time.monotonic() + 20
    while not client.get(f"/api/jobs/{id_}").json()["last"] > 0:  # the map of Grad-CAM, then the first masks
        assert time.monotonic() < end
        time.sleep(0.01)
    client.delete(f"/api/jobs/{id_}")
    said = events(client, id_)
    assert found(said) == [("map", "gradcam")]
    assert said[-1]["kind"] == "stopped"
    assert asked(client, "/map", {**body, "method": "gradcam"})["size"] == [32, 32]
    assert "is not made yet" in refused(client, "/map", {**body, "method": "rise", "settings": {"masks": "9000"}})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"target": "class 77"}, "The model has no class 'class 77'."),
        ({"target": "class 1", "against": "class 1"}, "class 1 cannot be compared with itself; choose another class."),
        ({"picture": ""}, "No picture is chosen yet; drop one on the page or take a sample."),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(client: TestClient, more: dict[str, str], said: str) -> None:
    assert refused(client, "", {**ABOUT, **more}).startswith(said)
    assert refused(client, "/maps", {**ABOUT, **more, "methods": [{"name": "gradcam"}]}).startswith(said)


def test_against_alone_takes_the_likeliest_other(client: TestClient) -> None:
    likeliest, second = np.argsort(-np.array(asked(client, "", ABOUT)["probabilities"]))[:2]
    card = asked(client, "", {**ABOUT, "against": f"class {likeliest}"})
    assert (card["target"], card["against"]) == (second, likeliest)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for i in range(6):
        levels = random.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(levels).resize((40, 40), Image.Resampling.NEAREST).save(folder / f"photo{i}.png")
    return folder


def test_what_a_unit_looks_for(client: TestClient, photos: Path) -> None:
    body = {**ABOUT, "unit": "conv2[3]", "data": str(photos), "steps": 16, "patches": 3}
    said = events(client, asked(client, "/unit", body)["id"])
    grown = [e["names"][0] for e in said if e["kind"] == "found" and e["about"] == "picture"]
    assert len(grown) == 2
    result = said[-1]["result"]
    (unit,) = result["units"]
    own = ca.neuron(find_model(MODEL), "conv2[3]", data=str(photos), steps=16, patches=3).units[0]
    assert [p["value"] for p in unit["strongest"]] == [float(f"{p.value:.6g}") for p in own.strongest]
    assert [p["window"] for p in unit["strongest"]] == [list(p.window) for p in own.strongest if p.window]
    assert (unit["kind"], unit["channel"], unit["window"], result["size"]) == ("Conv2d", 3, [8, 8], [32, 32])
    assert own.picture is not None
    for name, picture in [(unit["made"], own.picture.picture), (unit["strongest"][0]["photo"], own.strongest[0].photo)]:
        png = client.get(f"/api/explain/pictures/{name}")
        assert png.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(png.content)) as read:
            assert np.array_equal(np.asarray(read), picture)
    assert client.get(f"/api/explain/pictures/{grown[-1]}").status_code == 200
    assert unit["here"].startswith("Channel 3 of conv2 is not black")
    assert unit["why"] is None


def test_why_a_unit_never_fires(client: TestClient, photos: Path) -> None:
    edit = {"edit": "scale_channels", "layer": "conv1", "channels": [4], "factor": 0.0}
    body = {**ABOUT, "edits": [edit], "unit": "relu1[4]", "data": str(photos), "steps": 0}
    (unit,) = events(client, asked(client, "/unit", body)["id"])[-1]["result"]["units"]
    assert (unit["strongest"], unit["made"]) == ([], None)
    for sentence in (unit["why"], unit["here"]):
        assert sentence.startswith("Channel 4 of relu1")
    assert "It never fires on these 6 photos." in " ".join(unit["says"])


def test_units_and_pictures_that_are_not_there(client: TestClient) -> None:
    assert refused(client, "/unit", {**ABOUT, "unit": " "}).startswith("Name at least one unit")
    failed = events(client, asked(client, "/unit", {**ABOUT, "unit": "conv2[99]"})["id"])[-1]
    assert failed["told"]["message"] == "conv2 has 64 channels, 0 to 63; there is no conv2[99]."
    gone = client.get("/api/explain/pictures/nothing")
    assert (gone.status_code, gone.json()["message"]) == (400, "This picture is no longer kept; search again.")


def test_which_methods_can_be_believed(client: TestClient, photos: Path) -> None:
    body = {"model": MODEL, "data": str(photos), "methods": ["gradcam", "saliency"], "most": 2}
    job = asked(client, "/trust", body)
    said = events(client, job["id"])
    result = said[-1]["result"]
    assert [(row["method"], row["passes"] + row["doubtful"] + row["fails"]) for row in result["methods"]] == [
        ("saliency", 2), ("gradcam", 2),
    ]  # fmt: skip
    assert result["titles"] == {"saliency": "Saliency", "gradcam": "Grad-CAM"}
    assert [(c["name"], c["limit"], c["bad"]) for c in result["columns"]][2] == ("randomised", 0.6, "above")
    assert client.get(f"/api/jobs/{job['id']}").json()["files"] == ["trust.json", "trust.png"]
    assert client.get(f"/api/jobs/{job['id']}/files/trust.png").content[:4] == b"\x89PNG"
    assert refused(client, "/trust", {**body, "data": ""}).startswith("Name the photos to measure on")
    assert refused(client, "/trust", {**body, "most": 0}) == "most must be at least 1. Got 0."
