"""What Home chooses from: networks by name, weights that several networks fit, what the studio was started with."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cutaway.zoo import networks


def test_hello_tells_what_there_is_and_waits_for_nothing(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from cutaway.studio.desk import Desk

    monkeypatch.setattr(Desk, "compute", None)  # the lane that computes is not asked
    begun = time.perf_counter()
    hello = client.get("/api/hello").json()
    assert time.perf_counter() - begun < 1
    assert hello["start"] == {"model": "zoo:tutorial-cifar", "picture": "sample:cat", "data": ""}
    assert "cat" in hello["samples"]
    assert hello["runs"] == []


def test_every_network_that_can_be_taken_apart_is_listed(client: TestClient) -> None:
    listed = client.get("/api/networks").json()
    assert [row["name"] for row in listed] == [row.name for row in networks("") if row.held]
    lenet = next(row for row in listed if row["name"] == "lenet5")
    assert lenet["size"] == [32, 32]
    assert lenet["parameters"] > 50_000
    assert next(row for row in listed if row["name"] == "resnet18")["weights"] == "IMAGENET1K_V1"


def test_weights_that_several_networks_fit_are_opened_as_the_one_that_is_named(
    client: TestClient, tmp_path: Path
) -> None:
    import torch
    from torchvision import models

    path = tmp_path / "net.pth"
    torch.save(models.resnet18(num_classes=3).state_dict(), path)
    found = client.post("/api/machine", json={"model": str(path)}).json()
    assert "timm/resnet18" in found["also"]
    other = client.post("/api/machine", json={"model": f"as:timm/resnet18:{path}"}).json()
    assert other["also"] == []
    assert other["parameters"] == found["parameters"]
    asked = {"verb": "recognise", "about": {"model": f"as:vgg11:{path}"}, "options": {}}
    job = client.post("/api/jobs", json=asked).json()
    assert "do not fit vgg11" in client.get(f"/api/jobs/{job['id']}/events").text, "jobs open it as that one too"
    wrong = client.post("/api/machine", json={"model": f"as:vgg11:{path}"})
    assert (wrong.status_code, wrong.json()["kind"]) == (400, "model")
    assert "do not fit vgg11" in wrong.json()["message"]


def test_files_are_bundled_over_http(client: TestClient) -> None:
    kept = [
        client.post("/api/uploads", content=name.encode(), headers={"X-File-Name": name}).json()["address"]
        for name in ("keras_model.h5", "labels.txt")
    ]
    bundle = client.post("/api/bundles", json={"addresses": kept}).json()
    assert bundle["name"] == "keras_model.h5"
    assert bundle["address"].endswith("/keras_model.h5")
    none = client.post("/api/bundles", json={"addresses": [kept[1]] * 2})
    assert (none.status_code, none.json()["kind"]) == (400, "input")
    assert client.post("/api/bundles", json={"addresses": []}).status_code == 422


def test_a_webcam_picture_is_looked_at_and_replaced(client: TestClient) -> None:
    import numpy as np

    from cutaway.image.write import to_png

    def sent(value: int) -> str:
        data = to_png(np.full((40, 40, 3), value, np.uint8))
        return str(client.post("/api/frames", content=data).json()["address"])

    first = sent(7)
    about = {"model": "zoo:lenet5", "picture": first}
    assert client.post("/api/input", json=about).headers["content-type"] == "image/png"
    for value in range(30, 60):
        sent(value)
    assert "replaced by a newer one" in client.post("/api/machine", json=about | {"model": first}).json()["message"]
