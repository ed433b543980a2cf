"""trust: tables of all three kinds, a chart, stopped and gone on, methods that cannot, bad questions."""

from __future__ import annotations

import csv
import dataclasses
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
from cutaway.errors import BadInput, BadModel, Stopped
from cutaway.events import Done, Note, Progress
from cutaway.explanation import method as methods
from cutaway.explanation.checks import check
from cutaway.explanation.explanation import explained
from cutaway.explanation.question import ask
from cutaway.explanation.trust import Sum, Tally
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, save_model
from cutaway.verbs.trust import trust

CLASSES = ("circle", "cross", "square")


@pytest.fixture
def model(here: Path) -> str:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 3),
    ).eval()  # fmt: skip
    nn.init.normal_(net[7].weight, std=9.0)  # type: ignore[arg-type]
    save_model(Model(trace(net), InputContract((16, 16)), CLASSES), here / "net.safetensors")
    return "net.safetensors"


def run_out(events: Any) -> Any:
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value


def test_means_and_intervals_are_those_of_all_values() -> None:
    from scipy import stats

    values = [0.3, 0.9, -0.2, 0.4, 0.45]
    found = Sum()
    assert found.told() is None
    for value in values:
        found.add(value)
    mean = found.told()
    assert mean is not None
    low, high = stats.t.interval(0.95, 4, loc=0.37, scale=stats.sem(values))
    assert (mean.value, mean.low, mean.high, mean.n) == (
        pytest.approx(0.37),
        pytest.approx(low),
        pytest.approx(high),
        5,
    )
    one = Sum()
    one.add(0.5)
    assert one.told() is not None
    assert one.told().to_dict() == {"mean": 0.5, "low": None, "high": None, "n": 1}  # type: ignore[union-attr]


@pytest.mark.usefixtures("shapes")
def test_it_is_the_mean_of_what_checks_say(model: str) -> None:
    result = ca.trust(model, "shapes", method=("saliency",), most=3)
    assert (result.of, result.pictures, len(result.rows)) == (3, 3, 1)
    (row,) = result.rows
    assert row.passes + row.doubtful + row.fails == 3
    opened, dataset = ca.open_model(model), ca.open_dataset("shapes")
    from cutaway.image.fit import fit_picture

    picks = sorted(np.random.default_rng(0).permutation(len(dataset))[:3].tolist())
    pixels = np.stack([fit_picture(dataset.read(i), opened.contract) for i in picks])
    question, saliency = ask(opened, pixels), methods.method_named("saliency")
    answer, _ = run_out(explained(saliency, question, methods.NoSettings()))
    found = run_out(check(saliency, question, methods.NoSettings(), answer))
    for name in ("deletion", "insertion", "randomised", "shifted", "edges"):
        mean = row.checks[name]
        assert mean is not None
        assert mean.value == pytest.approx(np.mean([getattr(c, name) for c in found]), abs=2e-3), name
    assert row.checks["completeness"] is None


@pytest.mark.usefixtures("shapes")
def test_layer_and_settings_are_those_asked_for(model: str) -> None:
    asked = {"method": ("gradcam", "smoothgrad"), "most": 1}
    first = ca.trust(model, "shapes", **asked, layer="2", set=("samples=2",))
    assert [row.layer for row in first.rows if row.name == "gradcam"] == ["2"]
    other = ca.trust(model, "shapes", **asked, layer="4", set=("smoothgrad.samples=3",))
    assert [row.layer for row in other.rows if row.name == "gradcam"] == ["4"]
    for one, two in zip(first.rows, other.rows, strict=True):
        assert one.checks["deletion"] != two.checks["deletion"], one.name


@pytest.mark.usefixtures("shapes")
def test_tables_and_chart(model: str, cli: Cli) -> None:
    said = cli("trust", model, "shapes", "--most", "2", "--method", "saliency", "--method", "input-x-gradient")
    assert (said.code, said.err) == (0, "")
    assert "Wrote trust-net.csv and trust-net.png" in said.out
    assert "Saliency" in said.out
    with Image.open("trust-net.png") as picture:
        assert picture.width == 3200
    with Path("trust-net.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["method"] for r in rows] == ["saliency", "input-x-gradient"]
    both = ("--most", "2", "--method", "input-x-gradient,saliency")
    doc = cli("trust", model, "shapes", *both, "--out", "table.json", "--json").json
    assert doc == json.loads(Path("table.json").read_text())
    assert float(rows[0]["deletion"]) == doc["methods"][0]["checks"]["deletion"]["mean"]
    assert doc["methods"][0]["sentence"] == rows[0]["sentence"]
    ca.trust(model, "shapes", method=("saliency",), most=1, out="t.parquet")
    assert parquet.read_table("t.parquet").to_pylist()[0]["deletion_low"] is None
    assert str(ca.trust(model, "shapes", method=("saliency",), most=1).path) == "trust-net-2.csv"
    assert not list(Path().glob("*.partial*"))


@pytest.mark.usefixtures("shapes")
def test_stopped_and_asked_again_it_goes_on(model: str) -> None:
    asked: dict[str, Any] = {"method": ("saliency",), "most": 4}
    whole = ca.trust(model, "shapes", **asked, out="whole.json")
    events = trust.events(trust.options(model, "shapes", **asked, out="again.json"))
    for event in events:
        if isinstance(event, Progress) and event.task == "trust" and event.done >= 2:
            break
    done: Any = events.throw(KeyboardInterrupt())
    while not isinstance(done, Done):
        done = next(events)
    half = done.result
    assert (half.stopped, half.pictures, str(half.path), half.chart) == (True, 2, "again.json.partial.json", None)
    assert not Path("again.json").exists()
    seen = list(trust.events(trust.options(model, "shapes", **asked, out="again.json")))
    assert any(isinstance(e, Note) and "Going on from again.json.partial.json: 2 of 4" in e.text for e in seen)
    assert isinstance(seen[-1], Done)
    assert seen[-1].result.rows[0].checks == whole.rows[0].checks
    assert not Path("again.json.partial.json").exists()


@pytest.mark.usefixtures("shapes")
def test_stopped_before_anything_was_through(model: str, cli: Cli) -> None:
    events = trust.events(trust.options(model, "shapes", method=("saliency",), most=2, out="t.csv"))
    for event in events:
        if isinstance(event, Progress) and event.task == "trust":
            break
    with pytest.raises(Stopped, match=r"Stopped before the first picture was through; .*t\.csv\.partial\.json"):
        events.throw(KeyboardInterrupt())
    said = cli("trust", model, "shapes", "--method", "input-x-gradient", "--most", "2", "--out", "t.csv")
    assert (said.code, "partial results of another measurement" in said.err) == (2, True)
    Path("trust-net.csv.partial.json").write_bytes(Path("t.csv.partial.json").read_bytes())
    other = ca.trust(model, "shapes", method=("input-x-gradient",), most=1)
    assert str(other.path) == "trust-net-2.csv"
    Path("t.csv.partial.json").write_text('{"question": "torn')
    with pytest.raises(BadInput, match=r"partial results t\.csv\.partial\.json are damaged .* delete the file"):
        ca.trust(model, "shapes", method=("saliency",), most=2, out="t.csv")


@pytest.mark.usefixtures("shapes")
def test_a_class_can_be_named(model: str, cli: Cli) -> None:
    named = cli("trust", model, "shapes", "--method", "saliency", "--most", "2", "--target", "cross", "--json").json
    assert named["target"] == "cross"
    with pytest.raises(BadInput, match=r"no class 'hexagon'"):
        ca.trust(model, "shapes", method=("saliency",), target="hexagon")


@pytest.mark.usefixtures("shapes")
def test_a_method_that_cannot_is_left_out_with_its_reason(
    model: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> methods.Answer:
        raise BadModel("This network has no layer with places.")

    made = methods.Method("fails", "Fails", "", "", "", "", refuses, needs_gradient=False)  # type: ignore[arg-type]
    slow = methods.Method("slow", "Slow", "", "", "", "", refuses, cost="slow")  # type: ignore[arg-type]
    real = methods.method_named
    there = {"fails": made, "slow": slow, "saliency": real("saliency")}

    def named(typed: str) -> methods.Method:
        if typed == "extra":
            raise BadInput("There is no extra.")
        return there[typed]

    monkeypatch.setattr("cutaway.verbs.trust_run.method_named", named)
    monkeypatch.setattr("cutaway.verbs.trust_run.METHODS", dict.fromkeys(["extra", *there], ""))
    said = cli("trust", model, "shapes", "--most", "2")
    assert "Left out: fails (This network has no layer with places.)" in said.out
    assert "Left out: extra (There is no extra.)" in said.out
    assert "slow" not in said.out
    with pytest.raises(BadInput, match=r"No method can explain net\.safetensors; slow: This network has no layer"):
        ca.trust(model, "shapes", method=("slow",), most=1)
    assert "slow" in dict(ca.trust(model, "shapes", method=("all",), most=1).left_out)


@pytest.mark.usefixtures("shapes")
def test_the_terminal_says_that_it_stopped_and_what_was_unreadable(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from cutaway.cli.show import show

    result = ca.trust(model, "shapes", method=("saliency",), most=1)
    show("trust", replace(result, stopped=True, of=9, path=Path("x.partial.json"), unreadable=(("a.png", "torn"),)))
    out = capsys.readouterr().out
    assert "Stopped after 1 of 9 pictures; the same command goes on from x.partial.json" in out
    assert "1 could not be read and were left out; the first: a.png (torn)." in out


def test_bad_questions(model: str) -> None:
    with pytest.raises(BadInput, match=r"fold must be auto"):
        ca.trust(model, "sample:cat", fold="first")
    with pytest.raises(BadInput, match=r"most must be at least 1\. Got 0"):
        ca.trust(model, "sample:cat", most=0)
    with pytest.raises(BadInput, match=r"threads must be at least 1\. Got 0"):
        ca.trust(model, "sample:cat", threads=0)
    with pytest.raises(BadInput, match=r"out must be a file that ends in \.csv, \.parquet or \.json\. Got 'x\.png'"):
        ca.trust(model, "sample:cat", out="x.png")
    with pytest.raises(BadInput, match=r"no method 'salency'\. Nearest: saliency"):
        ca.trust(model, "sample:cat", method=("salency",))
    with pytest.raises(BadInput, match=r"set must be NAME=VALUE, such as samples=50 or .*\. Got 'samples'"):
        ca.trust(model, "sample:cat", set=("samples",))
    with pytest.raises(BadInput, match=r"None of the methods has a setting 'samples'; saliency: none"):
        ca.trust(model, "sample:cat", method=("saliency",), set=("samples=3",))
    with pytest.raises(BadInput, match=r"weighs no layer, so --layer 2 has no meaning; with one: gradcam"):
        ca.trust(model, "sample:cat", method=("saliency",), layer="2")
    with pytest.raises(BadInput, match="nothing is no file or folder"):
        ca.trust(model, "nothing")


def test_a_mean_that_chance_could_bring_is_doubtful() -> None:
    tally = Tally()
    figures = {"deletion": 0.2, "insertion": 0.8, "deletion_random": 0.4, "insertion_random": 0.6,
               "deletion_edges": 0.4, "insertion_edges": 0.6, "deletion_span": 0.8, "insertion_span": 0.8,
               "randomised": 0.1, "shifted": 0.7, "over_edges": 0.2}  # fmt: skip
    for gain in (-0.2, 0.9):
        for name, value in {**figures, "over_lot": gain}.items():
            tally.sums.setdefault(name, Sum()).add(value)
        tally.levels["passes"] += 1
    found = tally.verdict("Grad-CAM")
    assert found.level == "doubtful"
    assert found.sentence.startswith(
        "Grad-CAM may beat pixels picked at random by luck alone: 2 pictures leave the gain"
    )
    for _ in range(30):
        tally.sums["over_lot"].add(0.35)
        tally.levels["passes"] += 1
    assert tally.verdict("Grad-CAM").level == "passes"


def test_a_share_of_nearly_nothing_counts_as_the_whole_at_most(model: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
    question, saliency = ask(ca.open_model(model), pixels), methods.method_named("saliency")
    answer, _ = run_out(explained(saliency, question, methods.NoSettings()))
    (found,) = run_out(check(saliency, question, methods.NoSettings(), answer))
    tally = Tally()
    for missed in (500.0, 0.02):
        tally.add(dataclasses.replace(found, completeness=missed), 0.1, "")
    assert tally.figures.completeness == pytest.approx(0.51)


def test_pictures_that_test_nothing_do_not_sharpen_the_mean() -> None:
    """Of 100 pictures only one had a probability to lose, so that luck is one picture's luck."""
    tally = Tally()
    figures = {"deletion": 0.4, "insertion": 0.4, "deletion_random": 0.4, "insertion_random": 0.4,
               "deletion_edges": 0.4, "insertion_edges": 0.4, "deletion_span": 0.0, "insertion_span": 0.0,
               "randomised": 0.1, "shifted": 0.7}  # fmt: skip
    for picture in range(100):
        for name, value in {**figures, **({"over_lot": 0.1} if picture == 0 else {})}.items():
            tally.sums.setdefault(name, Sum()).add(value)
        tally.levels["doubtful"] += 1
    found = tally.verdict("Grad-CAM")
    assert found.level == "fails"
    assert "(gain 0.10, luck alone brings up to 0.15)" in found.sentence
