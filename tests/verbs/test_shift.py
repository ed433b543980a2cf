"""shift: probabilities over a moving picture, as text, table and chart."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import Cli
from torch import nn

import cutaway as ca
from cutaway.errors import BadInput
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, save_model


@pytest.fixture
def model(here: Path) -> str:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))
    save_model(Model(trace(net.eval()), InputContract((24, 24)), ("a", "b", "[c]")), here / "net.safetensors")
    return "net.safetensors"


@pytest.mark.parametrize(
    ("flag", "most", "first", "last", "unit"),
    [
        ("translate", 8, -8, 8, "pixels"), ("rotate", 30, -30, 30, "degrees"), ("zoom", 2, 0.5, 2, "times"),
        ("cover", 0.3, 0, 0.3, "share covered"), ("brightness", 0.5, 0.5, 1.5, "times"),
        ("contrast", 0.5, 0.5, 1.5, "times"), ("saturation", 1, 0, 2, "times"), ("hue", 90, -90, 90, "degrees"),
    ],
)  # fmt: skip
def test_every_change(model: str, cli: Cli, flag: str, most: float, first: float, last: float, unit: str) -> None:
    said = cli("shift", model, "sample:cat", f"--{flag}", most, "--steps", 5, "--json").json
    assert (said["kind"], said["unit"], said["amounts"][0], said["amounts"][-1]) == (flag, unit, first, last)
    assert len(said["amounts"]) == len(said["probabilities"]) == 5
    np.testing.assert_allclose(np.sum(said["probabilities"], 1), 1, atol=1e-5)
    unmoved = ca.open_model(model).predict([ca.sample_picture("cat")])[0]
    np.testing.assert_allclose(said["probabilities"][said["unmoved_step"]], unmoved, atol=1e-5)
    assert 0 <= said["invariance"] <= 1
    with Image.open("shift-net.png") as picture:
        assert picture.width == 3200


def test_text_chart_and_tables(model: str, cli: Cli) -> None:
    said = cli("shift", model, "sample:cat", "--translate", 8, "--along", "both", "--out", "s.svg", "--table", "s.csv")
    assert (said.code, said.err) == (0, "")
    assert "0  unmoved" in said.out
    assert "Invariance 0.9" in said.out
    assert "Wrote s.svg and s.csv" in said.out
    assert "pixels to the right and down" in Path("s.svg").read_text()
    with Path("s.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["translate, pixels", "a", "b", "[c]"]
    assert len(rows) == 18
    result = ca.shift(model, "sample:cat", translate=8.0, along="both", table="t/s.json")
    assert json.loads(Path("t/s.json").read_text()) == result.to_dict()
    assert [float(v) for v in rows[1][1:]] == pytest.approx(result.probabilities[0], abs=1e-6)


def test_where_another_class_wins_is_said(here: Path, cli: Cli) -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(6, 2))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[1.0, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]) * 9)
        net[2].bias.zero_()
    save_model(Model(trace(net.eval()), InputContract((24, 24)), ("left", "right")), here / "sides.safetensors")
    picture = np.zeros((24, 24, 3), np.uint8)
    picture[:, 8:12] = 255
    Image.fromarray(picture).save("bar.png")
    said = cli("shift", "sides.safetensors", "bar.png", "--translate", 8, "--steps", 9).out
    assert "left is the likeliest in 62% of the moved steps; first lost at 4." in said
    assert "stays the likeliest at every step" in cli("shift", "sides.safetensors", "bar.png", "--hue", 9).out


def test_bad_questions(model: str) -> None:
    with pytest.raises(BadInput, match=r"Say one thing to change: --translate, .*--hue\. Got none\."):
        ca.shift(model, "sample:cat")
    with pytest.raises(BadInput, match=r"Got --rotate and --hue\."):
        ca.shift(model, "sample:cat", rotate=3.0, hue=3.0)
    with pytest.raises(BadInput, match="along must be x, y or both"):
        ca.shift(model, "sample:cat", translate=3.0, along="up")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="steps must be an odd number"):
        ca.shift(model, "sample:cat", translate=3.0, steps=4)
    with pytest.raises(BadInput, match=r"table must be a file that ends in \.csv or \.json"):
        ca.shift(model, "sample:cat", translate=3.0, table="t.txt")
    with pytest.raises(BadInput, match="out must be a file that ends in"):
        ca.shift(model, "sample:cat", translate=3.0, out="s.gif")
    assert not list(Path().glob("*.png"))
