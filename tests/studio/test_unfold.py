"""Unfold's routes against the core and against torch by hand, on tiny networks and a real photo."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fastapi.testclient import TestClient
from torch import nn

import cutaway as ca
from cutaway.engine.kernels import in_rgb, kernels_of, layers_with_kernels
from cutaway.engine.prepare import prepare
from cutaway.engine.trace import trace_steps
from cutaway.engine.unfold import picture_box, unfold_on
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.image.fit import fit_picture
from cutaway.model import Model, save_model

PICTURE = "sample:cat"
SIDE = 12


class Tiny(nn.Module):
    """Every kind of step that the page draws differently."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.relu = nn.ReLU()
        self.deep = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
        self.point = nn.Conv2d(6, 8, 1)
        self.mean = nn.AvgPool2d(2)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(8, 4, 1, stride=3)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(88, 3)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.relu(self.bn(self.conv(x)))
        x = self.point(self.deep(x) + x)  # (8, 6, 6)
        a, b = self.mean(x), self.pool(x)  # (8, 3, 3)
        rows = torch.cat([self.flat(a), self.flat(b)[:, :16]], 1)
        return self.softmax(self.fc(rows))


class Signal(nn.Module):
    """The picture's rows as one signal: 1-D steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(SIDE, 4, 3, padding=1)
        self.pool = nn.MaxPool1d(2)
        self.fc = nn.Linear(4 * SIDE // 2, 2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc(torch.flatten(self.pool(self.conv(x.mean(1))), 1))


def kept(folder: Path, module: nn.Module, name: str) -> str:
    torch.manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(), part.running_var.uniform_(0.5, 2)  # type: ignore[union-attr, operator]
    contract = InputContract((SIDE, SIDE), "squash", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
    classes = tuple("abc"[: 3 if isinstance(module, Tiny) else 2])
    model = Model(trace(module.eval()), contract, classes, {})
    save_model(model, folder / f"{name}.safetensors")
    return str(folder / f"{name}.safetensors")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return kept(tmp_path_factory.mktemp("models"), Tiny(), "tiny")


@pytest.fixture(scope="module")
def signal(tmp_path_factory: pytest.TempPathFactory) -> str:
    return kept(tmp_path_factory.mktemp("models"), Signal(), "signal")


def asked(client: TestClient, model: str, layer: str, cell: list[int] | None, **more: Any) -> Any:
    found = client.post(
        "/api/unfold", json={"model": model, "picture": PICTURE, "layer": layer, "cell": cell, "most": 999, **more}
    )
    assert found.status_code == 200, found.text
    return found.json()


def run(path: str) -> tuple[Model, Any]:
    model = ca.open_model(path)
    fitted = fit_picture(ca.sample_picture("cat"), model.contract)
    return model, trace_steps(model.graph, prepare(fitted[None], model.contract))


def frame(body: bytes) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    (length,) = struct.unpack("<I", body[:4])
    return json.loads(body[4 : 4 + length]), np.frombuffer(body[4 + length :], "<f4")


def test_every_step_is_told_as_the_core_unfolds_it(client: TestClient, tiny: str) -> None:
    """To the last bit: the page gets the core's own float64 numbers."""
    model, held = run(tiny)
    for layer in held:
        shape = tuple(int(n) for n in held[layer].shape[1:])
        for index in (tuple(n - 1 for n in shape), tuple(n // 2 for n in shape)):
            core = unfold_on(model.graph, held, layer, index)
            said = asked(client, tiny, layer, list(index))
            assert [s["step"] for s in said["steps"]] == [s.step for s in core]
            for there, here in zip(said["steps"], core, strict=True):
                plain = here.to_dict()
                for name in (
                    "index",
                    "shape",
                    "value",
                    "total",
                    "difference",
                    "formula",
                    "parameters",
                    "note",
                    "lines",
                ):
                    assert there[name] == plain[name], (layer, name)
                if there["terms"]:
                    assert there["terms"]["count"] == here.windows[0].values.size
                    assert there["terms"]["sum"] == plain["windows"][0]["sum"]
                    continue
                told = {w["label"].removeprefix("input channel "): w for w in plain["windows"]}
                colours = {"red": "0", "green": "1", "blue": "2"}
                assert len(there["patches"]) == there["patch_count"] == len(told)
                for patch in there["patches"]:
                    label = patch["label"].removeprefix("input channel ")
                    window = told[colours.get(label, label)]
                    for name in ("step", "axes", "values", "weights", "terms", "padding", "sum"):
                        assert patch[name] == window[name], (layer, name)


def test_a_convolution_by_hand(client: TestClient, tiny: str) -> None:
    """Patch, kernel, products and sum against torch.nn.functional.unfold, 1e-6 of float32 rounding."""
    model, held = run(tiny)
    x = next(iter(held.values.values()))
    layer = model.graph.get_submodule("conv")
    said = asked(client, tiny, "conv", [4, 2, 5])["steps"][0]
    patch = F.unfold(x, 3, padding=1, stride=2)[0, :, 2 * 6 + 5].reshape(3, 3, 3).numpy()
    assert [p["label"] for p in said["patches"]] == ["red", "green", "blue"]
    for c, got in enumerate(said["patches"]):
        np.testing.assert_allclose(got["values"], patch[c], atol=1e-7)
        np.testing.assert_array_equal(np.float32(got["weights"]), layer.weight[4, c].detach().numpy())
        np.testing.assert_allclose(got["terms"], patch[c] * got["weights"], rtol=1e-6)
        assert got["window"] == [3, 6, 9, 12]
        assert got["channel"] == c
    total = sum(p["sum"] for p in said["patches"]) + layer.bias[4].item()
    assert said["total"] == pytest.approx(total, rel=1e-9)
    assert said["value"] == held["conv"][0, 4, 2, 5].item()
    assert said["total"] == pytest.approx(said["value"], abs=1e-5)
    corner = asked(client, tiny, "conv", [0, 0, 0])["steps"][0]["patches"][0]
    assert corner["padding"] == [[True] * 3, [True, False, False], [True, False, False]]
    assert corner["window"] == [-1, 2, -1, 2]


def test_the_box_is_what_the_core_finds_by_going_back(client: TestClient, tiny: str) -> None:
    model, held = run(tiny)
    for layer in ("conv", "relu", "deep", "point", "pool", "mean"):
        for row in range(int(held[layer].shape[2])):
            said = asked(client, tiny, layer, [0, row, 0])["box"]
            (top, bottom), (left, right) = picture_box(model.graph, held, layer, (0, row, 0))  # type: ignore[misc]
            if layer == "pool":  # unfolding a max pool goes back through the largest cell alone
                assert said[0] <= top
                assert bottom <= said[1]
            else:
                assert said == [top, bottom, left, right]
    assert asked(client, tiny, "fc", [0])["box"] == [0, SIDE - 1, 0, SIDE - 1]


def test_the_way_back_ends_at_the_pixels_levels(client: TestClient, tiny: str) -> None:
    model, _ = run(tiny)
    fitted = fit_picture(ca.sample_picture("cat"), model.contract)
    said = asked(client, tiny, "conv", [0, 3, 3])
    assert said["input"] == "x"
    (source,) = said["steps"][0]["sources"]
    pixel = asked(client, tiny, source["step"], source["cell"])
    channel, row, column = source["cell"]
    assert source["count"] == 27
    assert pixel["pixel"]["levels"] == fitted[row, column].tolist()
    assert pixel["pixel"]["lines"][0]["value"] == fitted[row, column, channel]
    assert pixel["pixel"]["lines"][-1]["value"] == pytest.approx(pixel["steps"][0]["value"], abs=1e-6)
    assert pixel["box"] == [row, row, column, column]
    assert {"step": "conv", "kind": "Conv2d"}.items() <= pixel["readers"][0].items()


def test_the_way_on_leads_to_cells_that_read_it(client: TestClient, tiny: str) -> None:
    for layer, cell in (("conv", [2, 3, 3]), ("point", [5, 2, 2]), ("mean", [1, 1, 1])):
        said = asked(client, tiny, layer, cell)
        end = said["steps"][-1]
        assert said["readers"]
        for link in said["readers"]:
            back = asked(client, tiny, link["step"], link["cell"])["steps"][0]
            assert end["step"] in {s["step"] for s in back["sources"]}


def test_without_a_cell_the_largest_is_told_and_long_sums_by_their_largest(client: TestClient, tiny: str) -> None:
    _, held = run(tiny)
    said = asked(client, tiny, "point", None, most=2)
    assert said["chosen"]
    assert held["point"][0][tuple(said["cell"])] == held["point"].max()
    step = said["steps"][0]
    sums = [abs(p["sum"]) for p in step["patches"]]
    assert (len(sums), step["patch_count"]) == (2, 6)
    assert sums == sorted(sums, reverse=True)
    assert step["rest"] + sum(p["sum"] for p in step["patches"]) == pytest.approx(step["lines"][0]["value"], rel=1e-12)
    dense = asked(client, tiny, "fc", [1], most=4)["steps"][0]["terms"]
    assert (len(dense["largest"]), dense["count"]) == (12, 88)
    assert dense["rest"] + sum(t["term"] for t in dense["largest"]) == pytest.approx(dense["sum"], rel=1e-12)
    for term in dense["largest"]:
        assert term["value"] * term["weight"] == term["term"]


def test_signals(client: TestClient, signal: str) -> None:
    said = asked(client, signal, "conv", [1, 0])
    (patch, *_) = said["steps"][0]["patches"]
    assert said["grid"] == [4, SIDE]
    assert len(patch["values"]) == 1
    assert len(patch["values"][0]) == 3
    assert patch["padding"] == [[True, False, False]]
    assert said["slides"]
    assert asked(client, signal, "pool", [3, 5])["steps"][0]["patches"][0]["picked"] in ([0, 0], [0, 1])


def test_edits_and_a_changed_picture_are_respected(client: TestClient, tiny: str) -> None:
    plain = asked(client, tiny, "conv", [0, 3, 3])["steps"][0]
    edits = [{"edit": "scale_weights", "layer": "conv", "factor": 2.0}]
    doubled = asked(client, tiny, "conv", [0, 3, 3], edits=edits)["steps"][0]
    for before, after in zip(plain["patches"], doubled["patches"], strict=True):
        np.testing.assert_allclose(after["weights"], 2 * np.array(before["weights"]))
        assert after["values"] == before["values"]
    moved = asked(client, tiny, "conv", [0, 3, 3], shift=[{"kind": "brightness", "amount": 0.5}])["steps"][0]
    assert moved["patches"][0]["weights"] == plain["patches"][0]["weights"]
    assert moved["patches"][0]["values"] != plain["patches"][0]["values"]


def test_maps_of_one_place_and_rows_drawn_as_maps_are_cells_too(client: TestClient) -> None:
    model = "zoo:squeezenet1_1"
    layers = client.post("/api/machine", json={"model": model}).json()["layers"]
    pool = next(one["name"] for one in layers if list(one["shape"][1:]) == [1, 1])
    assert asked(client, model, pool, [5])["cell"] == [5]
    assert asked(client, model, layers[-1]["name"], [0, 0, 7])["cell"] == [7]


def test_channels_that_are_the_last_axis_are_named_as_maps_show_them(client: TestClient) -> None:
    model = "zoo:convnext_tiny"
    layers = client.post("/api/machine", json={"model": model}).json()["layers"]
    norm = next(one["name"] for one in layers if one["name"].endswith("block.2") and one["kind"] == "LayerNorm")
    said = asked(client, model, norm, [90, 3, 4])
    step = said["steps"][0]
    assert said["grid"] == [96, 56, 56]
    assert (step["cell"], step["index"], step["last"]) == ([90, 3, 4], [3, 4, 90], True)
    body = {"model": model, "picture": PICTURE, "layer": norm, "channel": 90}
    head, values = frame(client.post("/api/unfold/plane", json=body).content)
    assert values.reshape(head["height"], head["width"])[3, 4] == np.float32(step["value"])
    (source,) = step["sources"]
    assert source["cell"][1:] == [3, 4]


def test_a_plane_is_the_channel_bit_for_bit(client: TestClient, tiny: str) -> None:
    _, held = run(tiny)
    body = {"model": tiny, "picture": PICTURE, "layer": "relu", "channel": 3}
    head, values = frame(client.post("/api/unfold/plane", json=body).content)
    np.testing.assert_array_equal(values.reshape(6, 6), held["relu"][0, 3].numpy())
    assert (head["channels"], head["low"], head["high"]) == (6, 0.0, held["relu"].max().item())
    head, values = frame(client.post("/api/unfold/plane", json={**body, "layer": "fc", "channel": 0}).content)
    np.testing.assert_array_equal(values, held["fc"][0].numpy())


@pytest.mark.parametrize(
    ("layer", "cell", "sentence"),
    [
        ("conv", [0, 9, 0], "conv has cells [0, 0, 0] to [5, 5, 5]. Got [0, 9, 0]."),
        ("conv", [0, 1], "conv has cells [0, 0, 0] to [5, 5, 5]. Got [0, 1]."),
        ("conv9", [0, 1, 1], "The network has no layer 'conv9'."),
    ],
)
def test_what_is_not_there_is_told(client: TestClient, tiny: str, layer: str, cell: list[int], sentence: str) -> None:
    body = {"model": tiny, "picture": PICTURE, "layer": layer, "cell": cell}
    found = client.post("/api/unfold", json=body)
    assert found.status_code == 400
    assert found.json()["message"].startswith(sentence)


def test_a_plane_that_is_not_there_is_told(client: TestClient, tiny: str) -> None:
    body = {"model": tiny, "picture": PICTURE, "layer": "conv", "channel": 6}
    assert client.post("/api/unfold/plane", json=body).json()["message"] == "conv has channels 0 to 5. Got 6."


def test_the_figure_and_the_film(client: TestClient, tiny: str) -> None:
    body = {"model": tiny, "picture": PICTURE, "layer": "conv", "cell": [0, 3, 3]}
    assert client.post("/api/unfold/figure", json=body).text.startswith("<?xml")
    assert client.post("/api/unfold/figure", json={**body, "form": "png"}).content.startswith(b"\x89PNG")
    film = {"model": tiny, "picture": PICTURE, "layer": "pool", "channel": 2, "frames": 4}
    job = client.post("/api/unfold/film", json=film).json()
    for _ in range(200):
        if job["state"] in ("done", "failed"):
            break
        time.sleep(0.05)
        job = client.get(f"/api/jobs/{job['id']}").json()
    assert (job["state"], job["files"], job["result"]["places"]) == ("done", ["pool-2.gif"], 9)
    assert client.get(f"/api/jobs/{job['id']}/files/pool-2.gif").content.startswith(b"GIF89a")
    refused = client.post("/api/unfold/film", json={**film, "layer": "fc"})
    assert refused.status_code == 400
    assert "has no window that slides" in refused.json()["message"]


# -- kernels -------------------------------------------------------------------------------------------------------


def page(client: TestClient, model: str, layer: str, **more: Any) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    found = client.post("/api/kernels", json={"model": model, "layer": layer, **more})
    assert found.status_code == 200, found.text
    head, values = frame(found.content)
    return head, values.reshape(len(head["filters"]), *head["shape"][1:])


def test_kernels_are_the_layers_weights(client: TestClient, tiny: str) -> None:
    model, _ = run(tiny)
    looks = {}
    for name, module in layers_with_kernels(model.graph).items():
        head, values = page(client, tiny, name)
        weights = kernels_of(module, name)
        np.testing.assert_array_equal(values, weights)
        looks[name] = head["look"]
        for told, own in zip(head["filters"], weights, strict=True):
            assert (told["low"], told["high"]) == (own.min(), own.max())
            assert told["norm"] == pytest.approx(np.linalg.norm(own.astype(np.float64)), rel=1e-12)
            assert told["mean"] == pytest.approx(own.mean(dtype=np.float64), abs=1e-12)
        assert (head["low"], head["top"]) == (weights.min(), weights.max())
    assert looks == {"conv": "colour", "deep": "one", "point": "matrix", "fc": "matrix"}
    head, _ = page(client, tiny, "deep")
    assert (head["first_input"], head["groups"]) == ([0, 1, 2, 3, 4, 5], 6)
    head, _ = page(client, tiny, "conv")
    assert head["colours"] == [0, 1, 2]
    assert head["filters"][2]["bias"] == model.graph.get_submodule("conv").bias[2].item()


def test_the_strongest_come_first_and_pages_are_turned(client: TestClient, tiny: str) -> None:
    head, values = page(client, tiny, "point", order="norm", count=3)
    norms = [f["norm"] for f in head["filters"]]
    assert norms == sorted(norms, reverse=True)
    assert norms[0] == head["strongest"]
    rest, _ = page(client, tiny, "point", order="norm", count=3, start=3)
    assert rest["filters"][0]["norm"] <= norms[-1]
    found, _ = page(client, tiny, "point", count=3, channel=7)
    assert (found["start"], [f["channel"] for f in found["filters"]]) == (6, [6, 7])
    assert values.shape == (3, 6, 1, 1)


def test_edited_kernels_are_shown_edited(client: TestClient, tiny: str) -> None:
    edits = [{"edit": "scale_weights", "layer": "conv", "factor": 0.0}]
    head, values = page(client, tiny, "conv", edits=edits)
    assert not values.any()
    assert head["zeros"] == 1
    assert head["filters"][0]["zeros"] == 1


def test_a_large_layer_comes_in_pages_of_at_most_4_mib(client: TestClient) -> None:
    head, values = page(client, "zoo:vgg16", "classifier.0", count=512)
    assert head["shape"] == [4096, 25088, 1, 1]
    assert len(values) == (1 << 20) // 25088


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"layer": "relu"}, "The layer 'relu' has no kernels; layers that have are conv, deep, point, fc."),
        ({"layer": "conv9"}, "The network has no layer 'conv9'."),
        ({"layer": "conv", "channel": 6}, "conv has filters 0 to 5. Got 6."),
    ],
)
def test_kernels_that_are_not_there_are_told(
    client: TestClient, tiny: str, body: dict[str, Any], sentence: str
) -> None:
    found = client.post("/api/kernels", json={"model": tiny, **body})
    assert found.status_code == 400
    assert found.json()["message"].startswith(sentence)


def test_blue_first_networks_show_red_first() -> None:
    graph = trace(nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 2, 3)).eval())
    weights = kernels_of(layers_with_kernels(graph)["1"], "1")
    turned = in_rgb(weights, graph, "1", InputContract((4, 4), channels="BGR"))
    assert turned is not None
    np.testing.assert_array_equal(turned, weights[:, ::-1])
    assert in_rgb(weights, graph, "1", InputContract((4, 4), channels="gray")) is None
