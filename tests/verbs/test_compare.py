"""compare: two models through the verb, with and without pictures, as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput


@pytest.fixture
def other(first: Path) -> str:
    """The run's model with its last layer's weights doubled."""
    import torch

    model = ca.open_model(first)
    last = [m for m in model.graph.modules() if isinstance(m, torch.nn.Linear)][-1]
    last.weight.data *= 2
    return str(ca.save_model(dataclasses.replace(model, classes=model.classes), Path("other.safetensors")))


def test_a_model_and_itself(first: Path, cli: Cli) -> None:
    said = cli("compare", first, first)
    assert said.code == 0
    assert "layers are equal, weights included, bit for bit." in said.out


def test_a_doubled_layer(first: Path, other: str, cli: Cli) -> None:
    found = ca.compare(str(first), other)
    plain = found.to_dict()
    (row,) = [row for row in plain["layers"] if row["status"] != "equal"]
    assert row["kind"] == "Linear"
    assert row["weights"]["correlation"] == pytest.approx(1, abs=0.05)  # the bias stayed
    assert row["weights"]["relative"] == pytest.approx(1, abs=0.05)
    assert (plain["weights"], plain["settings"], plain["only_a"], plain["pictures"]) == (1, 0, 0, [])
    said = cli("compare", first, other)
    assert "1 differs in weights only" in said.out
    assert "of norm" in said.out


def test_pictures_are_asked_in_their_place(first: Path, other: str, cli: Cli) -> None:
    said = cli("compare", first, other, "shapes/circle/circle0.png", "sample:cat", "--json")
    assert (said.code, said.err) == (0, "")
    plain = said.json
    assert [p["name"] for p in plain["pictures"]] == ["shapes/circle/circle0.png", "sample:cat"]
    changed = next(row["a"] for row in plain["layers"] if row["status"] != "equal")
    assert plain["parts_at"] == changed
    assert all(row["activation"] == 0 for row in plain["layers"][:3])
    assert plain["pictures"][0]["difference"] > 0
    assert json.loads(json.dumps(plain)) == plain
    text = cli("compare", first, other, "shapes/circle", "sample:cat").out
    assert f"Their values part at {changed}" in text
    assert "of 15 pictures" in text


def test_unreadable_pictures_are_named_and_none_at_all_is_an_error(first: Path, other: str, cli: Cli) -> None:
    Path("broken.png").write_bytes(b"no picture")
    found = ca.compare(str(first), other, ("broken.png", "sample:cat"))
    assert found.unreadable == ("broken.png: not-an-image",)
    assert len(found.found.pictures) == 1
    assert "broken.png: not-an-image" in cli("compare", first, other, "broken.png", "sample:cat").out
    with pytest.raises(BadInput, match=r"Not even the one picture can be read; the first is broken.png: not-an-image"):
        ca.compare(str(first), other, ("broken.png",))


def test_networks_of_the_same_family(cli: Cli) -> None:
    said = cli("compare", "zoo:resnet18", "zoo:resnet34")
    assert "7 layers, layer1.2.conv1 to layer1.2.relu_2" in said.out
    assert "only b" in said.out
    assert "The first 40 lines" in said.out
    plain = ca.compare("zoo:resnet18", "zoo:resnet34").to_dict()
    assert (plain["only_a"], plain["settings"]) == (0, 0)
    assert plain["a"]["parameters"] == 11_689_512
    assert plain["only_b"] == plain["b"]["layers"] - plain["a"]["layers"]


def test_answers_of_models_that_share_no_class_name_are_not_counted(first: Path, cli: Cli) -> None:
    model = ca.open_model(first)
    renamed = dataclasses.replace(model, classes=tuple(f"other {name}" for name in model.classes))
    said = cli("compare", first, ca.save_model(renamed, Path("renamed.safetensors")), "sample:cat").out
    assert "No class has the same name in both" in said
    assert "likeliest class differs" not in said
