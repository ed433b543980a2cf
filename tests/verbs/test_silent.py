"""silent: channels that never fire, over data of every kind, with unreadable pictures, stopped early, as a chart."""

from __future__ import annotations

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
from cutaway.events import Done, Note, Progress
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, save_model
from cutaway.verbs.silent import silent


@pytest.fixture
def model(here: Path) -> str:
    """A small network in net.safetensors: channel 3 of the first ReLU and channels 0 and 1 of the second are dead."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    ).eval()
    with torch.no_grad():
        net[0].bias[3] = -100
        net[2].bias[:2] = -1000
    save_model(Model(trace(net), InputContract((16, 16)), ("circle", "cross", "square")), here / "net.safetensors")
    return "net.safetensors"


@pytest.mark.usefixtures("shapes")
def test_it_is_what_a_trace_of_all_pictures_says(model: str) -> None:
    result = ca.silent(model, "shapes")
    opened = ca.open_model(model)
    dataset = ca.open_dataset("shapes")
    traced = opened.trace([dataset.read(i) for i in range(len(dataset))], ["1", "3"])
    assert (result.pictures, result.of, result.stopped, result.non_finite) == (42, 42, False, "")
    for row in result.layers:
        fired = (traced[row.name].amax((2, 3)) > 0).sum(0)
        assert row.silent == tuple((fired == 0).nonzero().flatten().tolist())
        assert row.rule == "zero"
    assert [row.name for row in result.layers] == ["1", "3"]
    assert 3 in result.layers[0].silent
    assert {0, 1} <= set(result.layers[1].silent)
    assert result.layers[0].share == len(result.layers[0].silent) / 8
    assert result.channels == 14


@pytest.mark.usefixtures("shapes")
def test_every_silent_channel_has_its_reason(model: str, cli: Cli) -> None:
    result = ca.silent(model, "shapes")
    first, second = result.layers
    for row in result.layers:
        assert tuple(why.channel for why in row.why) == row.silent
    (dead,) = (why for why in first.why if why.channel == 3)
    assert (dead.kind, dead.bias) == ("cannot", -100)
    assert "Channel 3 of 1 is black whatever the picture" in dead.sentence
    assert "None of 42 photos excites it" in dead.sentence
    assert {why.kind for why in second.why if why.channel < 2} == {"bias"}
    told = cli("silent", model, "shapes", "--json").json["layers"][0]["why"]
    assert told[[t["channel"] for t in told].index(3)]["reason"] == "cannot"
    said = " ".join(cli("silent", model, "shapes").out.split())
    assert "no picture can excite it" in said
    assert "its weights get no gradient" in said


@pytest.mark.usefixtures("shapes")
def test_the_terminal_says_it_and_the_chart_is_there(model: str, cli: Cli) -> None:
    said = cli("silent", model, "shapes")
    assert (said.code, said.err) == (0, "")
    assert "channels in 2 layers never fire" in said.out
    assert "on 42 pictures" in said.out
    assert "Wrote silent-net.png" in said.out
    with Image.open("silent-net.png") as picture:
        assert picture.width == 3200
    again = cli("silent", model, "shapes", "--out", "chart.svg", "--json")
    assert again.json["path"] == "chart.svg"
    assert Path("chart.svg").read_text().startswith("<?xml")
    assert cli("silent", model, "sample:cat", "--json").json["path"] == "silent-net-2.png"


def test_layers_and_threshold_are_asked_for(model: str) -> None:
    by_kind = ca.silent(model, "sample:cat", layer="conv")
    assert [(row.name, row.rule, row.rare) for row in by_kind.layers] == [
        ("0", "constant", None),
        ("2", "constant", None),
    ]
    one = ca.silent(model, "sample:cat", layer="1", threshold=1e6)
    assert one.silent == 8
    with pytest.raises(BadInput, match="no layer 'relu9'"):
        ca.silent(model, "sample:cat", layer="relu9")


def test_unreadable_pictures_are_left_out_and_counted(model: str, cli: Cli) -> None:
    Path("photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(f"photos/{i}.png")
    Path("photos/torn [1].png").write_bytes(b"no picture at all")
    said = cli("silent", model, "photos", "--json")
    assert (said.json["pictures"], said.json["of"]) == (3, 4)
    assert said.json["unreadable"][0]["name"].endswith("torn [1].png")
    assert said.json["unreadable"][0]["error"].startswith("not-an-image: ")
    shown = cli("silent", model, "photos").out
    assert "1 could not be read and were left out: " in shown
    assert "torn [1].png (not-an-image" in shown


def test_only_unreadable_pictures_are_refused(model: str) -> None:
    Path("torn.png").write_bytes(b"no picture at all")
    with pytest.raises(
        BadInput, match=r"Not even the one picture of torn\.png can be read .*not-an-image.* nothing was"
    ):
        ca.silent(model, "torn.png")


@pytest.mark.usefixtures("shapes")
def test_ctrl_c_keeps_what_is_done(model: str) -> None:
    events = silent.events(silent.options(model, "shapes"))
    first = next(events)
    assert isinstance(first, Progress)
    assert (first.done, first.total, first.unit) == (8, 42, "pictures")
    note = events.throw(KeyboardInterrupt())
    assert isinstance(note, Note)
    assert "over the first 8 of 42 pictures" in note.text
    done = next(events)
    assert isinstance(done, Done)
    result = done.result
    assert (result.pictures, result.of, result.stopped) == (8, 42, True)
    assert Path(result.path).exists()


def test_ctrl_c_before_the_first_picture_keeps_nothing(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("cutaway.verbs.silent._batches", stopped)
    with pytest.raises(KeyboardInterrupt):
        ca.silent(model, "sample:cat")
    assert not list(Path().glob("*.png"))


def test_broken_numbers_are_named(here: Path, cli: Cli) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2), nn.ReLU())
    with torch.no_grad():
        net[0].bias[1] = float("nan")
    save_model(Model(trace(net), InputContract((8, 8)), ("a", "b")), here / "broken.safetensors")
    assert ca.silent("broken.safetensors", "sample:cat").non_finite == "1"
    assert "1 gives values that are not finite" in cli("silent", "broken.safetensors", "sample:cat").out


def test_bad_questions(model: str) -> None:
    with pytest.raises(BadInput, match=r"threshold must be a finite number\. Got nan\."):
        ca.silent(model, "sample:cat", threshold=float("nan"))
    with pytest.raises(BadInput, match=r"threads must be at least 1\. Got 0\."):
        ca.silent(model, "sample:cat", threads=0)
    with pytest.raises(BadInput, match=r"nothing is no file or folder"):
        ca.silent(model, "nothing")
    with pytest.raises(BadInput, match="out must be a file that ends in"):
        ca.silent(model, "sample:cat", out="chart.pdf")


def test_the_result_is_json(model: str) -> None:
    result = ca.silent(model, "sample:cat", threads=1)
    doc = json.loads(json.dumps(result.to_dict()))
    assert doc["layers"][0]["silent"] == list(result.layers[0].silent)
    assert doc["silent"] == result.silent


@pytest.mark.slow
def test_a_teachable_machine_file_on_real_photos(shared_data: Path) -> None:
    file = shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5"
    folder = shared_data / "cats-vs-dogs" / "test"
    result = ca.silent(str(file), str(folder), layer="Conv1_relu,dense_Dense1_relu")
    model, dataset = ca.open_model(file), ca.open_dataset(folder)
    high = torch.full((16,), -1.0)
    for i in range(len(dataset)):
        high = torch.maximum(high, model.trace([dataset.read(i)], ["Conv1_relu"])["Conv1_relu"].amax((0, 2, 3)))
    assert result.layers[0].silent == tuple((high <= 0).nonzero().flatten().tolist())
