"""effect: on photos and data sets, through Python and the command line, with its page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture
def edited(first: Path) -> str:
    """The run's model with every ReLU a sigmoid."""
    return str(ca.edit(str(first), "all.activation=sigmoid", out="edited.safetensors").path)


def test_a_photo(first: Path, edited: str, cli: Cli) -> None:
    said = cli("effect", first, edited, "shapes/circle/circle0.png", "--out", "page.png")
    assert (said.code, said.err) == (0, "")
    assert "activation to sigmoid." in said.out
    assert "were run again" in said.out
    assert "Wrote page.png" in said.out
    assert size("page.png")[0] == 3200
    plain = cli("effect", first, edited, "shapes/circle/circle0.png", "sample:cat", "--json").json
    assert json.loads(json.dumps(plain)) == plain
    one, two = plain["pictures"]
    assert [p["picture"] for p in (one, two)] == ["shapes/circle/circle0.png", "sample:cat"]
    assert plain["path"] == "effect-edited.png"
    assert one["run_again"] < one["steps"]
    changed = [row for row in one["layers"] if row["status"] == "values"]
    assert all(row["ran"] for row in changed)
    assert changed[0]["relative"] > 0


def test_python_takes_models_and_pictures(first: Path, edited: str) -> None:
    model = ca.open_model(first)
    photo = ca.read_image("shapes/circle/circle0.png")
    found = ca.effect(model, ca.edit(model, "all.activation=sigmoid"), photo)
    assert found.path is None
    assert found.changed == found.pictures[0].changed
    again = ca.effect(model, edited, "shapes/circle/circle0.png", out="page.svg")
    assert [c.name for c in again.changed] == [c.name for c in found.changed]
    assert Path("page.svg").read_text(encoding="utf-8").count("<image") > 6
    assert ca.effect(str(first), edited, "shapes/circle/circle0.png").path == Path("effect-edited.png")
    assert ca.effect(model, model, "shapes").changed == ()


def test_a_data_set_against_predictions(first: Path, edited: str, cli: Cli) -> None:
    plain = cli("effect", first, edited, "shapes", "--json").json
    (data,) = plain["data"]
    answers = []
    for model in (str(first), edited):
        told = ca.predict(model, ("shapes",), top=1)
        answers.append({Path(p.name).name: p.top[0] for p in told})
    names = sorted(answers[0])
    assert data["pictures"] == len(names) == 42
    for when, found in zip(("before", "after"), answers, strict=True):
        right = np.mean([found[name][0] in name for name in names])
        assert data[when]["accuracy"] == pytest.approx(right, abs=1e-6)
    flipped = {name for name in names if answers[0][name][0] != answers[1][name][0]}
    assert {Path(f["picture"]).name for f in data["flips"]} == flipped
    said = cli("effect", first, edited, "shapes", "shapes/circle/circle0.png", "--out", "both.png")
    assert "accuracy" in said.out
    assert "recall before" in said.out
    assert size("both.png")[1] > 1000


def test_photos_without_labels_of_the_model(first: Path, edited: str, cli: Cli) -> None:
    Path("shapes").rename("others")
    (Path("others") / "circle").rename(Path("others") / "sphere")
    said = cli("effect", first, edited, "others")
    assert said.code == 0
    assert "Until then what is measured is agreement, not accuracy." in said.out + said.err
    assert "pictures get another answer" in said.out
    Path("others/cross/cross0.png").write_bytes(b"no picture")
    said = cli("effect", first, first, "others")
    assert "1 could not be read and were left out: cross/cross0.png (" in said.out
    assert "0 of 41 pictures get another answer; 100.0% agree." in said.out


def test_classes_that_an_edit_calls_as_the_photos_do_are_measured(first: Path, cli: Cli) -> None:
    classes = ca.open_model(first).classes
    for name in classes:
        (Path("shapes") / name).rename(Path("shapes") / f"{name}s")
    ca.edit(str(first), f"classes={','.join(f'{name}s' for name in classes)}", out="named.safetensors")
    (data,) = cli("effect", first, "named.safetensors", "shapes", "--json").json["data"]
    told = ca.evaluate("named.safetensors", "shapes", fold="all")
    assert data["before"]["accuracy"] == data["after"]["accuracy"]
    assert data["after"]["accuracy"] == pytest.approx(told.measured.accuracy, abs=1e-6)
    assert (data["agreement"], data["flips"]) == (1, [])


def test_chosen_layers_and_a_network_that_lost_one(first: Path, cli: Cli) -> None:
    model = ca.open_model(first)
    relu = next(t for t in ca.edit(str(first), "all.activation=sigmoid").texts).partition(".")[0]
    ca.save_model(ca.edit(model, f"{relu}=removed"), "less.safetensors")
    said = cli("effect", first, "less.safetensors", "sample:cat", "--layers", relu)
    assert said.code == 0
    assert relu in said.out


def test_what_is_refused(first: Path, edited: str, cli: Cli) -> None:
    for words, told in (
        ((first, edited), "pictures"),
        ((first, edited, "nothing.png"), "nothing.png"),
        ((first, edited, "sample:cat", "--layers", "conv99"), "no layer 'conv99'"),
        ((first, edited, "sample:cat", "--fold", "last"), "fold must be auto, all, train, val or test"),
        ((first, edited, "shapes", "--fold", "test"), "shapes has no test fold (no folds); use --fold all"),
        ((first, edited, "sample:cat", "--out", "x.pdf"), "out must be a file that ends in .png or .svg"),
    ):
        found = cli("effect", *words)
        assert found.code == 2
        assert told in found.err
        assert len(found.err.strip().splitlines()) == 1
    with pytest.raises(BadInput, match="Name at least one photo or data set"):
        ca.effect(str(first), edited)


def test_nothing_readable_and_nothing_finite(first: Path, edited: str, cli: Cli) -> None:
    for picture in Path("shapes").rglob("*.png"):
        picture.write_bytes(b"no picture")
    found = cli("effect", first, edited, "shapes")
    assert found.code == 2
    assert "None of the 42 pictures of shapes can be read (the first: circle/circle0.png" in found.err


def test_a_network_that_gives_no_number(first: Path, cli: Cli) -> None:
    conv = next(n for n, _ in ca.open_model(first).graph.named_modules() if n.endswith(("conv1", "conv")))
    broken = str(ca.edit(str(first), f"{conv}.bias=3e38", f"{conv}.bias=times(3)", out="broken.safetensors").path)
    found = cli("effect", first, broken, "sample:cat")
    assert found.code == 0
    assert f"{conv} gives values that are not finite" in found.out
    refused = cli("effect", first, broken, "shapes")
    assert refused.code == 2
    assert "The edited model gives no finite answer to 42 of 42 pictures" in refused.err
