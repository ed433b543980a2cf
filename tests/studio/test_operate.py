"""Edits as controls over HTTP: each kind has one, each control's JSON works, refusals bring what mends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from cutaway.dataset.loose import open_pictures
from cutaway.errors import CutawayError
from cutaway.graph.names import names_of
from cutaway.image.fit import fit_picture
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.controls import UNCONTROLLED, Control, controls_of
from cutaway.surgery.edit import KINDS, edit_of
from cutaway.surgery.refusal import Refusal
from cutaway.verbs.find import find_model

SMALL = "zoo:tutorial-cifar"
RESIDUAL = "zoo:resnet18"
SCALE = {"edit": "scale_weights", "layer": "conv1", "factor": 2.0, "channels": [], "inputs": []}


@pytest.fixture(scope="module")
def residual() -> Model:
    return find_model(RESIDUAL)


@pytest.fixture(scope="module")
def small() -> Model:
    return find_model(SMALL)


def ask(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(path, json={"model": SMALL, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def first_conv(model: Model) -> str:
    return next(n for n, node in names_of(model.graph).items() if "conv" in n and node.op == "call_module")


def moved(control: Control) -> dict[str, Any]:
    """The control's edit with each field at another value that the control offers."""
    document = json.loads(json.dumps(control.document))
    for field in control.fields:
        value: Any = field.value
        if field.kind == "slider" and field.low is not None and field.high is not None and field.step is not None:
            value = min(field.high, field.low + 3 * field.step) if not field.log else field.high
        elif field.kind == "number" and field.low is not None and field.high is not None:
            value = max(field.low, min(field.high, field.value))
        elif field.kind == "menu":
            value = next(c.value for c in reversed(field.choices) if c.value is not None)
        elif field.kind == "checkbox":
            value = not field.value
        elif field.kind == "grid":
            value = [[v + 1 for v in row] for row in field.value]
        for path in field.paths:
            inner = document
            for part in path[:-1]:
                inner = inner[part]
            inner[path[-1]] = value
    return document


def test_every_edit_has_a_control_or_a_reason(small: Model, residual: Model) -> None:
    found: set[str] = set()
    for model in (small, residual, find_model("zoo:lenet5"), find_model("zoo:mobilenet_v2")):
        for name in ["", *list(names_of(model.graph))[:24], *list(names_of(model.graph))[-4:]]:
            every = controls_of(model, name)
            found |= {c.edit for c in every.controls}
            if every.channels:
                found |= {c.edit for c in controls_of(model, name, (0,)).controls}
    assert set(KINDS) - found <= set(UNCONTROLLED)


def test_ids_are_unique_and_documents_are_edits(small: Model, residual: Model) -> None:
    for model in (small, residual):
        for name in ["", *names_of(model.graph)]:
            controls = controls_of(model, name).controls
            assert len({c.id for c in controls}) == len(controls)
            for control in controls:
                assert edit_of(control.document).to_dict() == control.document
                paths = [field.paths[0] for field in control.fields]
                assert len(set(paths)) == len(paths)


def test_a_block_called_as_its_step_is_offered_once(shared_data: Path) -> None:
    model = find_model(str(shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5"))
    ids = [c.id for c in controls_of(model, "block_6_expand").controls]
    assert ids.count("remove:block_6_expand") == 1
    assert "remove:block_6" in ids


@pytest.mark.parametrize("channels", [(), (1,)])
def test_every_control_makes_an_edit_that_works_or_is_refused_in_words(small: Model, channels: tuple[int, ...]) -> None:
    worked, refused, unfit = 0, [], []
    for name in ["", *names_of(small.graph)]:
        counts = controls_of(small, name)
        if channels and counts.channels < 2:
            continue
        for control in controls_of(small, name, channels).controls:
            try:
                apply(small, [edit_of(moved(control))])
                worked += 1
            except Refusal as why:
                refused.append(why)
            except CutawayError as why:
                unfit.append(str(why))
    assert worked > 5 * len(refused) > 0
    assert all(why.remedies for why in refused)
    assert [words[:14] for words in unfit] == ["remove flatten"]  # a row of numbers and maps cannot be bridged


def test_values_are_what_the_model_holds(client: TestClient, small: Model) -> None:
    layer = first_conv(small)
    found = ask(client, "/api/operations", layer=layer, channels=[2], inputs=[1])
    weight = small.graph.get_submodule(layer).weight
    kernel = next(c for c in found["controls"] if c["id"] == "kernel")["fields"][0]["value"]
    np.testing.assert_allclose(kernel, weight[2, 1].detach().numpy(), rtol=1e-6)
    assert found["channels"] == weight.shape[0]
    assert found["inputs"] == weight.shape[1]
    stride = next(c for c in found["controls"] if c["id"] == "set_stride")
    assert stride["fields"][0]["value"] == stride["document"]["stride"] == 1


def test_a_control_goes_on_with_its_own_edit(client: TestClient, small: Model) -> None:
    layer = first_conv(small)
    scale = {**SCALE, "layer": layer}

    def control(edits: list[Any], name: str = "scale_weights") -> Any:
        found = ask(client, "/api/operations", layer=layer, edits=edits)
        return next(c for c in found["controls"] if c["id"] == name)

    assert control([])["at"] is None
    assert control([scale])["at"] == 0
    assert control([scale])["fields"][0]["value"] == 2
    assert control([scale, {"edit": "set_bias", "layer": layer, "value": 1.0, "channels": []}])["at"] == 0
    assert control([scale, {"edit": "zero_weights", "layer": layer, "channels": [0], "inputs": []}])["at"] is None
    rows = control([scale], "kernel")["fields"][0]["value"]  # of the edited model, not of an edit before
    np.testing.assert_allclose(rows, 2 * small.graph.get_submodule(layer).weight[0, 0].detach().numpy(), rtol=1e-6)


def test_what_cannot_be_chosen_is_told(client: TestClient, small: Model) -> None:
    layer = first_conv(small)
    answer = client.post("/api/operations", json={"model": SMALL, "layer": layer, "channels": [9999]})
    assert answer.status_code == 400
    assert "output channels" in answer.json()["message"] or "channels, 0 to" in answer.json()["message"]
    answer = client.post("/api/operations", json={"model": SMALL, "layer": "nowhere"})
    assert (answer.status_code, "no layer 'nowhere'" in answer.json()["message"]) == (400, True)


def test_a_refusal_brings_remedies_that_work(client: TestClient, residual: Model) -> None:
    stride = {"edit": "set_stride", "layer": "layer1.0.conv1", "stride": 2}
    later = {"edit": "silence", "layer": "conv1", "channels": [0]}
    told = ask(client, "/api/edits", model=RESIDUAL, edits=[stride, later])
    refused = told["refused"]
    assert refused["kind"] == "refusal"
    assert refused["at"] == 0
    assert refused["layer"] == "add"
    assert [len(r["edits"]) for r in refused["remedies"]][-1] == 0
    assert len(refused["remedies"]) > 1
    for remedy in refused["remedies"][:-1]:
        assert len(remedy["edits"]) == 1  # one step of the list
        mended = [*remedy["edits"], later]
        assert ask(client, "/api/edits", model=RESIDUAL, edits=mended)["refused"] is None
        apply(residual, [edit_of(e) for e in mended])
    answer = client.post("/api/operations", json={"model": RESIDUAL, "edits": [stride]})
    assert (answer.status_code, answer.json()["kind"]) == (400, "refusal")
    assert answer.json()["remedies"][0] == refused["remedies"][0]


def test_an_edit_that_does_not_fit_can_be_left_out(client: TestClient) -> None:
    bad = {"edit": "set_dropout", "layer": "input", "rate": 0.5}
    told = ask(client, "/api/edits", edits=[{"edit": "set_classes", "names": list("abcdefghij")}, bad])["refused"]
    assert (told["kind"], told["at"], told["remedies"]) == (
        "input",
        1,
        [{"sentence": "leave the edit out", "edits": []}],
    )


def test_edits_in_words_and_what_they_leave_untrained(client: TestClient, small: Model) -> None:
    layer = first_conv(small)
    told = ask(
        client, "/api/edits", edits=[{"edit": "randomise_weights", "layer": layer, "channels": [], "inputs": []}]
    )
    assert told["edits"][0]["sentence"].startswith(f"randomise {layer}")
    assert told["edits"][0]["layers"] == [layer]
    assert told["untrained"] == [{"layer": layer, "why": "its weights were drawn at random"}]
    assert len(told["digest"]) > 20


def test_a_file_of_edits_comes_back(client: TestClient, small: Model, tmp_path: Path) -> None:
    from cutaway.surgery.history import read_history

    scale = {**SCALE, "layer": first_conv(small)}
    answer = client.post("/api/edits/file", json={"model": SMALL, "edits": [scale], "branches": {"soft": [scale]}})
    assert "attachment" in answer.headers["content-disposition"]
    (tmp_path / "edits.json").write_bytes(answer.content)
    history = read_history(tmp_path / "edits.json")  # as the command line reads it
    assert [e.to_dict() for e in history.edits] == [scale]
    back = ask(client, "/api/edits/read", text=answer.text, name="edits.json")
    assert (back["edits"], back["branches"], back["note"]) == ([scale], {"soft": [scale]}, "")
    other = ask(client, "/api/edits/read", model=RESIDUAL, text=answer.text)
    assert "another model" in other["note"]
    answer = client.post("/api/edits/read", json={"model": SMALL, "text": "{", "name": "bad.json"})
    assert (answer.status_code, answer.json()["message"][:20]) == (400, "bad.json is no JSON ")


def test_the_edited_model_as_a_file(client: TestClient, small: Model, tmp_path: Path) -> None:
    scale = {**SCALE, "layer": first_conv(small)}
    answer = client.post("/api/edited", json={"model": SMALL, "edits": [scale]})
    assert answer.status_code == 200
    path = tmp_path / "edited.safetensors"
    path.write_bytes(answer.content)
    kept = find_model(str(path))
    assert json.loads(kept.card["edits"]) == [scale]
    wanted = apply(small, [edit_of(scale)]).graph.get_submodule(scale["layer"]).weight
    assert bool((kept.graph.get_submodule(scale["layer"]).weight == wanted).all())


def test_painted_pixels_reach_the_network_as_they_are(client: TestClient) -> None:
    for model in (SMALL, RESIDUAL):  # resnet18's contract keeps only the middle of a photo
        canvas = client.post("/api/canvas", json={"model": model, "picture": "sample:cat"}).content
        sent = client.post("/api/uploads", content=canvas, headers={"X-File-Name": "painted.png"}).json()["address"]
        address = client.post("/api/painted", json={"model": model, "picture": sent}).json()["address"]
        assert client.post("/api/input", json={"model": model, "picture": address}).content == canvas
    answer = client.post("/api/painted", json={"model": SMALL, "picture": "sample:cat"})
    assert (answer.status_code, "paint it again" in answer.json()["message"]) == (400, True)


def test_the_whole_photo_to_paint_on(client: TestClient) -> None:
    whole = client.post("/api/canvas", json={"model": SMALL, "picture": "sample:cat", "whole": True}).content
    sent = client.post("/api/uploads", content=whole, headers={"X-File-Name": "whole.png"}).json()["address"]
    one, two = (client.post("/api/input", json={"model": SMALL, "picture": p}).content for p in ("sample:cat", sent))
    assert one == two


def test_picture_tools_fit_the_network(client: TestClient, small: Model) -> None:
    tools = ask(client, "/api/picture-tools")
    height, width = small.contract.size
    assert [(t["kind"], t["along"]) for t in tools[:2]] == [("translate", "x"), ("translate", "y")]
    assert (tools[0]["high"], tools[1]["high"]) == (width // 2, height // 2)
    fitted = fit_picture(open_pictures(("sample:cat",)).read(0), small.contract)
    for tool in tools:
        assert tool["low"] <= tool["rest"] <= tool["high"]
        for amount in (tool["low"], tool["high"]):
            change = {"kind": tool["kind"], "amount": amount, "along": tool["along"]}
            answer = client.post("/api/input", json={"model": SMALL, "picture": "sample:cat", "shift": [change]})
            assert answer.status_code == 200, answer.text
    assert fitted.shape == (height, width, 3)


def follow(client: TestClient, id_: str) -> Any:
    with client.stream("GET", f"/api/jobs/{id_}/events") as answer:
        events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data:")]
    assert events[-1]["kind"] == "done", events[-1]
    return events[-1]["result"]


def test_accuracy_on_own_photos(client: TestClient, small: Model, tmp_path: Path) -> None:
    from cutaway.image.write import to_png

    rng = np.random.default_rng(0)
    for name in small.classes[:2]:
        (tmp_path / name).mkdir()
        for i in range(4):
            (tmp_path / name / f"{i}.png").write_bytes(to_png(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)))
    last = next(n for n, node in reversed(names_of(small.graph).items()) if hasattr(
        small.graph.get_submodule(str(node.target)) if node.op == "call_module" else None, "out_features"))  # fmt: skip
    silenced = [{"edit": "scale_weights", "layer": last, "factor": -1.0, "channels": [], "inputs": []}]
    card = ask(client, "/api/accuracy", edits=silenced, data=str(tmp_path))
    found = follow(client, card["id"])
    assert found["pictures"] == 8
    assert {"before", "after", "won", "lost"} <= set(found)
    assert found["edits"] == silenced
    assert found["before"]["accuracy"] + found["lost"] * 0 <= 1
    assert len(found["thumbnails"]) == min(len(found["flips"]), 24) > 0
    thumb = client.get(f"/api/jobs/{card['id']}/files/flip-0.jpg")
    assert thumb.content[:3] == b"\xff\xd8\xff"


def test_photos_whose_folders_are_called_otherwise_are_told_with_a_remedy(client: TestClient, tmp_path: Path) -> None:
    from cutaway.image.write import to_png

    def folders(*names: str) -> str:
        for name in names:
            for i in range(3):
                path = tmp_path / names[0] / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(to_png(np.full((8, 8, 3), 60 * i, np.uint8)))
        return str(tmp_path / names[0])

    data = folders("CLASS 0", "Class-3s")
    told = ask(client, "/api/photos/labels", data=data)
    assert not told["fit"]
    assert "has pictures of 'CLASS 0', 'Class-3s', but the classes of the model are 'class 0'" in told["why"]
    (edit,) = told["remedy"]["edits"]
    assert edit["names"][:5] == ["CLASS 0", "class 1", "class 2", "Class-3s", "class 4"]
    assert told["remedy"]["sentence"].startswith("call the classes CLASS 0, class 1")
    assert ask(client, "/api/photos/labels", data=data, edits=[edit]) == {"fit": True, "why": "", "remedy": None}
    before = follow(client, ask(client, "/api/accuracy", data=data)["id"])
    after = follow(client, ask(client, "/api/accuracy", data=data, edits=[edit])["id"])
    assert before["after"] is None
    assert after["before"]["accuracy"] == after["after"]["accuracy"] <= 1
    assert ask(client, "/api/photos/labels", data=folders("cats", "dogs"))["remedy"] is None


def test_export_of_the_edited_model_is_a_job_with_a_file(client: TestClient, small: Model) -> None:
    scale = {**SCALE, "layer": first_conv(small)}
    body = {"verb": "export", "options": {"to": "safetensors"}, "about": {"model": SMALL, "edits": [scale]}}
    card = client.post("/api/jobs", json=body).json()
    result = follow(client, card["id"])
    name = Path(result["path"]).name
    assert name == "tutorial-cifar.safetensors"
    assert len(client.get(f"/api/jobs/{card['id']}/files/{name}").content) == result["size_bytes"]
