"""rank: tables of all three kinds, a chart, stopped and gone on, unlabelled pictures, bad questions."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from shapes import Cli
from torch import nn

import cutaway as ca
from cutaway.errors import BadInput, Stopped
from cutaway.events import Done, Note, Progress
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, save_model
from cutaway.verbs.rank import rank

CLASSES = ("circle", "cross", "square")


@pytest.fixture
def model(here: Path) -> str:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 3),
    ).eval()  # fmt: skip
    nn.init.normal_(net[7].weight, std=4.0)  # type: ignore[arg-type]
    save_model(Model(trace(net), InputContract((16, 16)), CLASSES), here / "net.safetensors")
    return "net.safetensors"


@pytest.mark.usefixtures("shapes")
def test_it_is_what_silencing_and_evaluating_says(model: str) -> None:
    result = ca.rank(model, "shapes")
    assert (result.judged, result.of, result.whole.pictures, len(result.rows)) == ("labels", 42, 42, 9)
    opened, dataset = ca.open_model(model), ca.open_dataset("shapes")
    pictures = [dataset.read(i) for i in range(len(dataset))]
    labels = np.array(dataset.labels)
    assert result.whole.accuracy == pytest.approx((opened.predict(pictures).argmax(1) == labels).mean())
    for row in result.rows:
        edited = ca.edit(opened, ca.Silence(row.part.at, (row.part.channel,)))
        assert row.accuracy == pytest.approx((edited.predict(pictures).argmax(1) == labels).mean())
    assert [r.accuracy_cost for r in result.ranked] == sorted((r.accuracy_cost for r in result.rows), reverse=True)


@pytest.mark.usefixtures("shapes")
def test_tables_and_chart(model: str, cli: Cli) -> None:
    said = cli("rank", model, "shapes")
    assert (said.code, said.err) == (0, "")
    assert "Wrote rank-net.csv and rank-net.png" in said.out
    assert "Worth most, 9 of 9 channels:" in said.out
    with Image.open("rank-net.png") as picture:
        assert picture.width == 3200
    with Path("rank-net.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    doc = cli("rank", model, "shapes", "--out", "table.json", "--json").json
    assert doc == json.loads(Path("table.json").read_text())
    assert [r["name"] for r in rows] == [r["name"] for r in doc["parts"]]
    assert float(rows[0]["loss_cost"]) == doc["parts"][0]["loss_cost"]
    ca.rank(model, "shapes", out="table.parquet")
    assert parquet.read_table("table.parquet").to_pylist() == doc["parts"]
    assert Path("table.png").exists()
    assert str(ca.rank(model, "shapes", layers="3").path) == "rank-net-2.csv", "nothing is overwritten unasked"
    assert not list(Path().glob("*.npz"))


@pytest.mark.usefixtures("shapes")
def test_layers_and_families(model: str, cli: Cli) -> None:
    by_layer = ca.rank(model, "shapes", by="layer")
    assert [row.name for row in by_layer.rows] == ["1", "2", "4"]
    assert dict(by_layer.refused)["0"] == "3 x 16 x 16 go in, 5 x 14 x 14 come out"
    assert "4 layers cannot be left out with the shapes staying as they are; the first: 0" in cli(
        "rank", model, "shapes", "--by", "layer", "--out", "l.csv"
    ).out  # fmt: skip
    assert [r.name for r in ca.rank(model, "shapes", by="layer", layers="relu").rows] == ["2", "4"]
    assert {r.part.name for r in ca.rank(model, "shapes", layers="conv").rows} == {"0", "3"}
    assert {r.part.at for r in ca.rank(model, "shapes", layers="4").rows} == {"4"}


@pytest.mark.usefixtures("shapes")
def test_unlabelled_pictures_are_judged_by_the_models_own_answers(model: str, cli: Cli) -> None:
    Path("loose").mkdir()
    for i, path in enumerate(sorted(Path("shapes").rglob("*.png"))[:6]):
        path.rename(f"loose/{i}.png")
    Path("loose/torn.png").write_bytes(b"no picture")
    said = cli("rank", model, "loose", "--json")
    assert (said.json["judged_by"], said.json["whole"]["accuracy"], said.json["of"]) == ("own answers", 1.0, 6)
    assert said.json["unreadable"][0]["name"].endswith("torn.png")
    shown = cli("rank", model, "loose")
    assert "Against the model's own answers on 6 pictures." in shown.out
    assert "answers kept" in shown.out
    assert "1 could not be read and were left out; the first: " in shown.out
    assert "Judged by the model's own answers" in shown.err
    own = ca.rank(model, "shapes", own_answers=True, most=10)
    assert (own.judged, own.of, own.whole.accuracy) == ("own answers", 10, 1.0)


@pytest.mark.usefixtures("shapes")
def test_stopped_and_asked_again_it_goes_on(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutaway.surgery.rank._CHUNK", 10)
    whole = ca.rank(model, "shapes", out="whole.json")
    events = rank.events(rank.options(model, "shapes", out="again.json"))
    for event in events:
        if isinstance(event, Progress) and event.task == "rank" and event.done > 0.7 * (event.total or 0):
            break
    done: Any = events.throw(KeyboardInterrupt())
    while not isinstance(done, Done):
        done = next(events)
    half = done.result
    assert (half.stopped, str(half.path), half.chart) == (True, "again.json.partial.npz", None)
    assert 10 <= half.whole.pictures < 42
    assert not Path("again.json").exists()
    seen = list(rank.events(rank.options(model, "shapes", out="again.json")))
    stood = "20 of 42 pictures were through, and with the next ones 1 of 2 layers."
    assert [e.text for e in seen if isinstance(e, Note)] == [f"Going on from again.json.partial.npz: {stood}"]
    assert isinstance(seen[-1], Done)
    ours, theirs = (json.loads(Path(name).read_text())["parts"] for name in ("again.json", "whole.json"))
    assert ours == theirs
    assert whole.whole == seen[-1].result.whole
    assert not Path("again.json.partial.npz").exists()


@pytest.mark.usefixtures("shapes")
def test_stopped_before_anything_was_through(model: str, cli: Cli) -> None:
    events = rank.events(rank.options(model, "shapes", out="t.csv"))
    for event in events:
        if isinstance(event, Progress) and event.task == "rank":
            break
    with pytest.raises(
        Stopped, match=r"Stopped before the first pictures were through; .*t\.csv\.partial\.npz.* goes on"
    ):
        events.throw(KeyboardInterrupt())
    other = "partial results of another ranking"
    assert other in cli("rank", model, "shapes", "--by", "layer", "--out", "t.csv").err
    Path("rank-net.csv.partial.npz").write_bytes(Path("t.csv.partial.npz").read_bytes())
    assert str(ca.rank(model, "shapes", by="layer").path) == "rank-net-2.csv"
    Path("t.csv.partial.npz").write_bytes(b"PK torn")
    with pytest.raises(BadInput, match=r"partial results t\.csv\.partial\.npz are damaged .* delete the file"):
        ca.rank(model, "shapes", out="t.csv")


@pytest.mark.usefixtures("shapes")
def test_the_terminal_says_that_it_stopped(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from cutaway.cli.show import show

    result = ca.rank(model, "shapes")
    show("rank", replace(result, stopped=True, of=100, path=Path("x.partial.npz")))
    assert "Stopped after 42 of 100 pictures; the same command goes on from x.partial.npz" in capsys.readouterr().out


def test_bad_questions(model: str) -> None:
    with pytest.raises(BadInput, match=r"by must be channel, layer or block\. Got 'filter'"):
        ca.rank(model, "sample:cat", by="filter")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"fold must be auto"):
        ca.rank(model, "sample:cat", fold="first")
    with pytest.raises(BadInput, match=r"most must be at least 1\. Got 0"):
        ca.rank(model, "sample:cat", most=0)
    with pytest.raises(BadInput, match=r"threads must be at least 1\. Got 0"):
        ca.rank(model, "sample:cat", threads=0)
    with pytest.raises(BadInput, match=r"out must be a file that ends in \.csv, \.parquet or \.json\. Got 'x\.png'"):
        ca.rank(model, "sample:cat", out="x.png")
    with pytest.raises(BadInput, match="no layer 'conv7'"):
        ca.rank(model, "sample:cat", layers="conv7")
    with pytest.raises(BadInput, match="nothing is no file or folder"):
        ca.rank(model, "nothing")


@pytest.mark.slow
def test_a_teachable_machine_network(shared_data: Path) -> None:
    file = str(shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5")
    photos = str(shared_data / "teachable-machine" / "images")
    result = ca.rank(file, photos, layers="block_16_expand,Conv_1,dense_Dense1", own_answers=True)
    assert len(result.rows) == 336 + 1280 + 100
    blocks = ca.rank(file, photos, by="block", own_answers=True)
    assert "block_2" in {row.name for row in blocks.rows}
