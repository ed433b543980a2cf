"""A layer over HTTP: the same numbers as `cutaway open`, what its maps amount to, why some are black."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from safetensors.numpy import save_file

import cutaway as ca
from cutaway.draw.diagram import COLOURS
from cutaway.model import save_model
from cutaway.verbs.find import zoo_model
from tests.studio.conftest import MODEL, PICTURE

FAMILIES = Path(__file__).resolve().parents[2] / "web" / "src" / "lib" / "machine" / "families.ts"


def asked(client: TestClient, address: str, **body: Any) -> Any:
    answer = client.post(f"/api{address}", json={"model": MODEL, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(client: TestClient, address: str, **body: Any) -> str:
    answer = client.post(f"/api{address}", json={"model": MODEL, **body})
    assert answer.status_code == 400, answer.text
    return str(answer.json()["message"])


def test_a_layer_has_the_numbers_of_cutaway_open(client: TestClient) -> None:
    for name in ("conv1", "relu1", "dense1"):
        found = asked(client, "/layer", layer=name)
        details = ca.open(MODEL, layer=name).layer
        assert details is not None
        row = details.row
        assert (found["kind"], tuple(found["shape"])) == (row.kind, row.shape)
        assert (found["parameters"], found["multiply_adds"]) == (row.parameters, row.multiply_adds)
        assert (tuple(found["fed_by"]), tuple(found["feeds"])) == (details.fed_by, details.feeds)
        assert [s["name"] for s in found["settings"]] == list(details.settings)
        for got, stats in zip(found["weights"], details.weights, strict=True):
            assert tuple(got["counts"]) == stats.counts
            assert (got["mean"], got["std"]) == (stats.mean, stats.std)
            assert sum(got["counts"]) == np.prod(stats.shape)


def test_sight_is_the_window_that_receptive_fields_give(client: TestClient) -> None:
    details = ca.open(MODEL, layer="pool1").layer
    assert details is not None
    assert details.row.receptive is not None
    field = details.row.receptive
    sight = asked(client, "/layer", layer="pool1")["sight"]
    assert (sight["size"], sight["stride"], sight["whole"]) == (list(field.size), list(field.stride), field.whole)
    for cell in range(5):
        turn, place = divmod(cell, len(sight["rows"]["lows"]))
        low = sight["rows"]["lows"][place] + turn * sight["rows"]["step"]
        high = sight["rows"]["highs"][place] + turn * sight["rows"]["step"]
        assert (low, high) == (field.window(cell, 0)[0], field.window(cell, 0)[2])


def test_the_input_sees_its_own_pixels(client: TestClient) -> None:
    diagram = asked(client, "/diagram")
    name = next(box["name"] for box in diagram["boxes"] if box["kind"] == "Input")
    sheet = asked(client, "/layer", layer=name)
    first = asked(client, "/machine")["layers"][0]["name"]
    assert (sheet["kind"], sheet["shape"], sheet["feeds"]) == ("Input", [3, 32, 32], [first])
    assert sheet["sight"]["rows"] == {"lows": [0], "highs": [0], "step": 1}


def test_maps_tell_range_and_silent_channels(client: TestClient) -> None:
    off = [{"edit": "scale_channels", "layer": "relu1", "channels": [0, 3], "factor": 0.0}]
    plain = asked(client, "/layer/maps", layer="relu1", picture=PICTURE)
    assert plain["low"] == 0 < plain["mean"] < plain["high"]
    edited = asked(client, "/machine", edits=off)
    made = next(layer["name"] for layer in edited["layers"] if layer["name"].startswith("relu1_"))
    silent = asked(client, "/layer/maps", layer=made, picture=PICTURE, edits=off)["silent"]
    assert {0, 3} <= set(silent)
    hardly = [{**off[0], "factor": 1e-5}]
    faint = asked(client, "/layer/maps", layer=made, picture=PICTURE, edits=hardly)
    assert (set(faint["faint"]) >= {0, 3}, {0, 3} & set(faint["silent"])) == (True, set())
    why = asked(client, "/layer/why", layer=made, picture=PICTURE, edits=off, channels=[0, 3])
    assert [one["channel"] for one in why] == [0, 3]
    assert all(one["sentence"].startswith(f"Channel {one['channel']} of {made}") for one in why)


def test_the_range_spans_all_layers(client: TestClient) -> None:
    whole = asked(client, "/range", picture=PICTURE)
    for name in ("conv1", "relu1", "dense1"):
        one = asked(client, "/layer/maps", layer=name, picture=PICTURE)
        assert whole["low"] <= one["low"] <= one["high"] <= whole["high"]


def test_what_is_not_there_is_told(client: TestClient) -> None:
    assert re.search("no layer 'conv9'. Nearest: conv", told(client, "/layer", layer="conv9"))
    assert re.search("No picture is chosen yet", told(client, "/layer/maps", layer="conv1"))
    message = told(client, "/layer/maps", layer="conv9", picture=PICTURE)
    assert re.search("conv9 gives no maps", message)
    assert re.search("channel must be", told(client, "/layer/why", layer="conv1", picture=PICTURE, channels=[9999]))


def test_weights_without_a_network_are_listed(client: TestClient, tmp_path: Path) -> None:
    save_file({f"part{i}.weight": np.zeros((3, 4), np.float32) for i in range(3)}, tmp_path / "w.safetensors")
    found = asked(client, "/machine", model=str(tmp_path / "w.safetensors"))
    assert (found["answer"], found["layers"], found["parameters"]) == ("weights", [], 36)
    assert [row["name"] for row in found["viewed"]] == ["part0", "part1", "part2"]
    assert "weights without a network" in found["reason"]


def test_steps_know_the_block_they_are_drawn_in(client: TestClient) -> None:
    boxes = asked(client, "/diagram", model="zoo:resnet18", most=16)["boxes"]
    groups = {layer["name"]: layer["group"] for layer in asked(client, "/machine", model="zoo:resnet18")["layers"]}
    assert groups["layer1.0.conv1"] == "layer1.0"
    assert groups["conv1"] == ""
    for box in boxes:
        if box["steps"] > 1:
            inside = [name for name, group in groups.items() if f"{group}.".startswith(f"{box['name']}.")]
            assert len(inside) == box["steps"]
            assert box["shows"] == inside[-1]


def test_a_network_made_on_the_spot_is_said_to_have_learned_nothing(client: TestClient, tmp_path: Path) -> None:
    about = {"model": MODEL}
    assert client.post("/api/machine", json=about).json()["random"] is True
    model = zoo_model(MODEL.removeprefix("zoo:"))
    trained = {**model.card, "weights": "trained"}
    path = save_model(dataclasses.replace(model, card=trained), tmp_path / "m.safetensors")
    assert client.post("/api/machine", json={"model": str(path)}).json()["random"] is False


def test_the_page_colours_families_as_the_drawings_do() -> None:
    text = FAMILIES.read_text(encoding="utf-8")
    assert json.loads(json.dumps(dict(re.findall(r"(\w+): \{ colour: '(#\w+)'", text)))) == COLOURS
