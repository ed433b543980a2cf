"""Comparing as a job: two networks, an edited one against itself, what cannot be compared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

import cutaway as ca

NET, OTHER = "zoo:tutorial-cifar", "zoo:lenet5"
DOUBLED = [{"edit": "scale_weights", "layer": "conv1", "factor": 2.0}]


def compared(client: TestClient, **asked: Any) -> tuple[dict[str, Any], str]:
    """-> the comparison as the page gets it, and the job's events."""
    answer = client.post("/api/compare", json=asked)
    assert answer.status_code == 200, answer.text
    id_ = answer.json()["id"]
    events = client.get(f"/api/jobs/{id_}/events").text
    return client.get(f"/api/compare/{id_}").json(), events


def test_it_says_what_the_verb_says(client: TestClient) -> None:
    found, events = compared(client, about={"model": NET, "picture": "sample:cat"}, other=OTHER)
    told = ca.compare(NET, OTHER, ("sample:cat",)).to_dict()
    for name in ("equal", "rounding", "weights", "settings", "only_a", "only_b", "parts_at", "notes"):
        assert found[name] == told[name], name
    assert [row["a"] for row in found["layers"]] == [row["a"] for row in told["layers"]]
    assert found["a"]["top"][0] == {
        "name": told["pictures"][0]["a"]["class"],
        "p": pytest.approx(told["pictures"][0]["a"]["probability"], abs=1e-5),
    }
    assert [found[side]["name"] for side in ("a", "b")] == ["tutorial-cifar", "lenet5"]
    assert '"text": "Runs the picture through both."' in events


def test_an_edited_network_stands_beside_itself(client: TestClient) -> None:
    found, _ = compared(client, about={"model": NET, "edits": DOUBLED})
    assert [found[side]["name"] for side in ("a", "b")] == ["tutorial-cifar", "tutorial-cifar with your edits"]
    (row,) = [row for row in found["layers"] if row["status"] != "equal"]
    assert (row["a"], row["status"]) == ("conv1", "weights")
    assert row["weights"]["relative"] == pytest.approx(1)
    assert (found["a"]["top"], found["parts_at"]) == ([], "")


def test_what_cannot_be_compared_is_told(client: TestClient) -> None:
    alone = client.post("/api/compare", json={"about": {"model": NET}})
    assert alone.json()["message"].startswith("Choose a second model to compare with")
    id_ = client.post("/api/compare", json={"about": {"model": NET}, "other": "nothing.h5"}).json()["id"]
    last = json.loads(client.get(f"/api/jobs/{id_}/events").text.strip().rpartition("data: ")[2])
    assert last["told"]["message"] == "There is no model file nothing.h5."
    assert client.get(f"/api/compare/{id_}").json()["message"] == "This job has compared nothing (yet)."
