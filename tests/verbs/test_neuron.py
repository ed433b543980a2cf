"""neuron: units over photos and in made pictures, through Python and the command line, stopped early, refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import Cli
from torch import nn

import cutaway as ca
from cutaway.errors import BadInput
from cutaway.events import Done, Note, Progress
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, save_model
from cutaway.verbs.neuron import NeuronOptions, NeuronResult, neuron

CLASSES = ("circle", "cross", "square")


def network(*, dead: bool = False) -> nn.Sequential:
    """Channel 0 fires on red, 1 on green, 2 on blue, each by its colour less the two others; 3 is dead if asked."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 3),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight[:3] = -1 / 9
        for colour in range(3):
            net[0].weight[colour, colour] = 1 / 9
        net[0].bias[:] = 0
        if dead:
            net[0].weight[3], net[0].bias[3] = 0, -1
    return net.eval()


@pytest.fixture
def model(here: Path) -> str:
    save_model(Model(trace(network(dead=True)), InputContract((20, 16)), CLASSES), here / "net.safetensors")
    return "net.safetensors"


@pytest.mark.usefixtures("shapes")
def test_it_is_what_a_trace_of_all_photos_says(model: str) -> None:
    result = ca.neuron(model, "1[0]", data="shapes", steps=8)
    opened = ca.open_model(model)
    dataset = ca.open_dataset("shapes")
    maps = opened.trace([dataset.read(i) for i in range(len(dataset))], ["1"])["1"][:, 0]  # (N, 18, 14)
    tops = maps.amax((1, 2))
    (unit,) = result.units
    best = unit.strongest[0]
    at = int(tops.argmax())
    assert (result.pictures, result.of, result.stopped) == (42, 42, False)
    assert best.name == dataset.samples[at].name
    assert [p.value for p in unit.strongest] == pytest.approx(sorted(tops.tolist(), reverse=True)[:9], rel=1e-5)
    assert len({p.name for p in unit.strongest}) == 9
    assert best.cell is not None
    row, column = best.cell
    assert maps[at, row, column] == pytest.approx(float(tops[at]), rel=1e-5)
    assert best.box == best.window == (row, column, row + 2, column + 2)
    assert best.photo.shape == (20, 16, 3)
    assert (best.pixels == best.photo[row : row + 3, column : column + 3]).all()
    patch = best.pixels.astype(float).mean((0, 1)) / 255
    assert best.value == pytest.approx(patch[0] - patch[1] - patch[2], rel=1e-4)
    assert unit.fires == pytest.approx(float((tops > 0).float().mean()))
    assert sum(unit.counts) == 42
    assert unit.edges[-1] == pytest.approx(float(tops.max()), rel=1e-5)


@pytest.mark.usefixtures("shapes")
def test_a_colour_fires_for_the_class_of_that_colour(model: str) -> None:
    result = ca.neuron(model, "1[0]", "1[1]", "0[2]", data="shapes", steps=0)
    assert [u.classes[0].name for u in result.units] == ["circle", "cross", "square"]
    for unit in result.units:
        assert unit.classes[0].pictures == 14
        assert unit.strongest[0].label == unit.classes[0].name
        assert f"answers most to {unit.classes[0].name} (mean" in " ".join(unit.says)
        assert unit.picture is None
        assert unit.times is None
    assert result.units[0].weakest == ()  # a ReLU gives nothing below zero
    low = result.units[2].weakest  # a convolution does
    assert len(low) == 9
    assert low[0].value < 0
    assert low[0].value == min(p.value for p in low)


@pytest.mark.usefixtures("shapes")
def test_a_class_sees_all_of_the_photo(model: str) -> None:
    result = ca.neuron(model, "class:cross", "6[1]", "5[0]", data="shapes", steps=8, patches=4)
    opened, dataset = ca.open_model(model), ca.open_dataset("shapes")
    pixels = [dataset.read(i) for i in range(len(dataset))]
    logits = opened.trace(pixels, ["6"])["6"][:, 1]
    for unit in result.units[:2]:
        assert [p.value for p in unit.strongest] == pytest.approx(
            logits.sort(descending=True)[0][:4].tolist(), rel=1e-4
        )
        assert (unit.window, unit.sees) == (None, "whole")
        assert all(p.box is None and p.under is None and p.cell is None for p in unit.strongest)
        assert unit.strongest[0].pixels.shape == (20, 16, 3)
    assert [u.name for u in result.units] == ["class:cross", "6[1]", "5[0]"]
    assert result.units[0].target == "cross"


@pytest.mark.usefixtures("shapes")
def test_a_cell_is_looked_at_alone(model: str) -> None:
    (unit,) = ca.neuron(model, "0[0,17,13]", data="shapes", steps=8).units
    assert {p.cell for p in unit.strongest} == {(17, 13)}
    assert {p.box for p in unit.strongest} == {(17, 13, 19, 15)}
    assert unit.seen == (17, 13, 19, 15)
    assert unit.picture is not None
    assert unit.picture.cell == (17, 13)


@pytest.mark.usefixtures("shapes")
def test_a_dead_channel_is_told(model: str, cli: Cli) -> None:
    (unit,) = ca.neuron(model, "1[3]", data="shapes", steps=8).units
    assert (unit.strongest, unit.fires) == ((), 0.0)
    says = " ".join(unit.says)
    assert "Nothing in a picture of noise changes it" in says
    assert "It never fires on these 42 photos" in says
    assert "No picture was found that makes it fire: it is dead" in says
    said = cli("neuron", model, "1[3]", "--data", "shapes", "--steps", "8")
    assert "cutaway silent net.safetensors shapes" in said.out


@pytest.mark.usefixtures("here")
def test_a_unit_that_the_photos_lack_is_not_called_dead(model: str) -> None:
    net = network()
    with torch.no_grad():
        net[0].bias[0] = -0.7  # only bright red goes beyond
    opened = dataclasses.replace(ca.open_model(model), graph=trace(net))
    Image.new("RGB", (20, 20), (90, 90, 90)).save("grey.png")
    (unit,) = ca.neuron(opened, "1[0]", data="grey.png", steps=200).units
    assert unit.strongest == ()
    assert unit.picture is not None
    assert unit.picture.value > 0
    assert "It is not dead: the made picture brings it to" in " ".join(unit.says)


@pytest.mark.usefixtures("shapes")
def test_the_most_active_channels_are_chosen(model: str) -> None:
    seen = list(neuron.events(NeuronOptions(model, ("1[*]", "1[2]"), "shapes", steps=0, channels=2)))
    assert isinstance(seen[-1], Done)
    opened, dataset = ca.open_model(model), ca.open_dataset("shapes")
    tops = opened.trace([dataset.read(i) for i in range(42)], ["1"])["1"].amax((2, 3)).mean(0)
    wanted = tops.argsort(descending=True)[:2].tolist()
    names = [u.name for u in seen[-1].result.units]
    assert names == list(dict.fromkeys([*(f"1[{c}]" for c in wanted), "1[2]"]))
    notes = [e.text for e in seen if isinstance(e, Note)]
    assert any(f"on 42 photos: {wanted[0]}, {wanted[1]}" in text for text in notes)
    assert {e.task for e in seen if isinstance(e, Progress)} >= {"most active of 1", "search photos"}


def test_without_photos_there_is_a_picture(model: str, cli: Cli) -> None:
    said = cli("neuron", model, "1[0]", "1[*]", "--steps", "4", "--channels", "2", "--json")
    assert (said.code, said.err) == (0, "")
    units = said.json["units"]
    assert 2 <= len(units) <= 3
    assert units[0]["picture"]["steps"] == 4
    assert units[0]["strongest"] == []
    assert units[0]["fires"] is None
    assert said.json["data"] is None
    with Image.open(said.json["path"]) as picture:
        assert picture.width == 3200


@pytest.mark.usefixtures("shapes")
def test_the_terminal_says_it_and_the_page_is_there(model: str, cli: Cli) -> None:
    said = cli("neuron", model, "1[0]", "class:cross", "--data", "shapes", "--steps", "4")
    assert (said.code, said.err) == (0, "")
    assert "1[0]" in said.out
    assert "shapes/circle" in said.out or "circle/circle" in said.out
    assert "Wrote neuron-net.png" in said.out
    again = cli("neuron", model, "1[0]", "--data", "shapes", "--steps", "0", "--out", "page.svg", "--json")
    assert again.json["path"] == "page.svg"
    text = Path("page.svg").read_text()
    assert "What 1[0] of net looks for" in text
    assert "what it sees there" in text
    third = cli("neuron", model, "1[0]", "--data", "shapes", "--steps", "0")
    assert "Wrote neuron-net-2.png" in third.out


def test_a_model_in_python_gives_arrays_and_no_file(model: str) -> None:
    opened = ca.open_model(model)
    state = {name: value.clone() for name, value in opened.graph.state_dict().items()}
    result = ca.neuron(opened, "1[0]", data="sample:cat", steps=8)
    again = ca.neuron(opened, unit=("1[0]",), data="sample:cat", steps=8)
    assert isinstance(result, NeuronResult)
    assert result.path is None
    assert not list(Path().glob("neuron*"))
    assert result.units[0].picture is not None
    assert again.units[0].picture is not None
    assert (result.units[0].picture.picture == again.units[0].picture.picture).all()
    assert result.units[0].picture.picture.dtype == np.uint8
    for name, value in opened.graph.state_dict().items():
        assert torch.equal(value, state[name])
    assert all(p.grad is None for p in opened.graph.parameters())
    drawn = ca.neuron(opened, "1[0]", steps=2, out="one.png")
    assert drawn.path == Path("one.png")
    assert drawn.path.stat().st_size > 1000


@pytest.mark.usefixtures("shapes")
def test_ctrl_c_in_the_search_keeps_the_photos_seen(model: str) -> None:
    running = neuron.events(NeuronOptions(model, ("1[0]",), "shapes"))
    event = next(running)
    while not (isinstance(event, Progress) and event.task == "search photos"):
        event = next(running)
    rest = [running.throw(KeyboardInterrupt()), *running]
    assert any(isinstance(e, Note) and "over the first 8 of 42 photos" in e.text for e in rest)
    result: Any = rest[-1].result  # type: ignore[union-attr]
    assert (result.stopped, result.pictures, result.of) == (True, 8, 42)
    assert len(result.units[0].strongest) <= 8
    assert result.units[0].picture is None
    assert result.path.exists()


def test_ctrl_c_in_the_climb_keeps_the_steps_done(model: str) -> None:
    running = neuron.events(NeuronOptions(model, ("1[0]", "1[1]"), steps=500))
    assert next(running) == Progress("picture for 1[0]", 8, 500, "steps")
    rest = [running.throw(KeyboardInterrupt()), *running]
    assert any(isinstance(e, Note) and "Stopped at step 8 of 1[0]" in e.text for e in rest)
    result: Any = rest[-1].result  # type: ignore[union-attr]
    assert result.stopped
    assert result.units[0].picture.steps == 8
    assert result.units[1].picture is None


@pytest.mark.usefixtures("shapes")
def test_unreadable_photos_are_told(model: str, cli: Cli) -> None:
    Path("shapes/circle/bad.png").write_bytes(b"not a picture")
    said = cli("neuron", model, "1[0]", "--data", "shapes", "--steps", "0", "--json")
    assert said.json["pictures"] == 42
    assert [row["name"] for row in said.json["unreadable"]] == ["circle/bad.png"]
    told = cli("neuron", model, "1[0]", "--data", "shapes", "--steps", "0")
    assert "1 could not be read" in told.out


def test_the_json_is_json(model: str) -> None:
    result = ca.neuron(model, "1[0]", data="sample:cat", steps=120)
    told = json.loads(json.dumps(result.to_dict()))
    assert told["units"][0]["strongest"][0]["name"] == "sample:cat"
    assert told["units"][0]["picture"]["times_best_photo"] == pytest.approx(result.units[0].times, rel=1e-5)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"unit": ()}, "Name at least one unit"),
        ({"patches": 0}, r"patches must be 1 to 25\. Got 0"),
        ({"patches": 26}, r"patches must be 1 to 25\. Got 26"),
        ({"steps": -1}, r"steps must be 0 or more\. Got -1"),
        ({"steps": 0}, "Without steps and without data there is nothing to show"),
        ({"fold": "dev"}, r"fold must be auto, all, train, val or test\. Got 'dev'"),
        ({"most": 0}, r"most must be at least 1\. Got 0"),
        ({"channels": 0}, r"channels must be at least 1\. Got 0"),
        ({"threads": 0}, r"threads must be at least 1\. Got 0"),
    ],
)
def test_options_that_cannot_be(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        NeuronOptions(**{"model": "m", "unit": ("1[0]",), **asked})


def test_a_unit_that_is_not_there_ends_in_one_sentence(model: str, cli: Cli) -> None:
    for typed, words in (
        ("1[9]", "1 has 4 channels, 0 to 3; there is no 1[9]."),
        ("class:dog", "The model has no class 'dog'. It has circle, cross, square."),
        ("7[0]", "The network has no layer '7'."),
        ("7[*]", "The network has no layer '7'."),
    ):
        said = cli("neuron", model, typed, "--data", "no-such-folder")
        assert said.code == 2
        assert words in said.err
    assert not list(Path().glob("neuron*"))
