"""resume and report: a run interrupted anywhere ends as the one that was not; a finished one stays as it is."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from shapes import QUICK, drawn

import cutaway as ca
from cutaway.errors import BadInput, BadModel
from cutaway.events import Done, Epoch, Note
from cutaway.training.log import read_metrics
from cutaway.verbs.run import Run

LONGER = {**QUICK, "epochs": 4}


def weights(folder: str | Path) -> dict[str, torch.Tensor]:
    return ca.open_model(folder).graph.state_dict()


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def abandoned(data: str, after: int, **asked: Any) -> None:
    """Trains until an epoch has ended, then the process is gone: nothing is closed, nothing is written any more."""
    stream = ca.train.stream(data, **asked)
    for event in stream:
        if isinstance(event, Epoch) and event.number == after:
            next(stream)  # the checkpoint of this epoch is written on the way to the next event
            break
    stream.close()


@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_an_abandoned_run_ends_with_the_weights_it_would_have_had(after: int, shapes: Path) -> None:
    whole = ca.train(str(shapes), out="whole", **LONGER)
    abandoned(str(shapes), after, out="cut", **LONGER)
    assert not Path("cut/report.json").exists()
    run = ca.resume("cut")
    assert same(weights("whole"), weights("cut"))
    rows = [[dataclasses.replace(row, seconds=0) for row in read_metrics(r.folder)] for r in (whole, run)]
    assert rows[0] == rows[1], "metrics.jsonl has every epoch once"
    assert (Path("whole/data.json").read_bytes(), run.ended) == (Path("cut/data.json").read_bytes(), "finished")


@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.slow), 11])
def test_finetuning_is_carried_on_in_either_phase(after: int, first: Path) -> None:
    """Epochs 1 to 10 teach the head, 11 and 12 everything."""
    del first
    asked = {"backbone": "first", "mode": "finetune", "epochs": 2, "patience": 20, "threads": 1, "batch_size": 8}
    ca.train("shapes", out="whole", **asked)
    epochs = len(read_metrics(Path("whole")))
    abandoned("shapes", min(after, epochs - 1), out="cut", **asked)
    ca.resume("cut")
    assert same(weights("whole"), weights("cut"))
    assert len(read_metrics(Path("cut"))) == epochs


def test_a_run_that_fell_before_its_first_checkpoint_starts_over(shapes: Path) -> None:
    whole = ca.train(str(shapes), out="whole", **QUICK)
    stream = ca.train.stream(str(shapes), out="cut", **QUICK)
    for event in stream:
        if isinstance(event, Note) and "pictures of 3 classes" in event.text:
            break
    stream.close()
    assert Path("cut/config.json").exists()
    assert ca.resume("cut").ended == "finished"
    assert same(weights(whole.folder), weights("cut"))


def test_a_report_that_was_not_written_is_made_again(first: Path) -> None:
    before = weights(first)
    (first / "report.json").unlink()
    (first / "report.html").unlink()
    run = ca.resume("first")
    assert same(before, weights(first))
    assert run.report is not None
    assert run.report.looks == 2, "the second look at the test fold is counted"
    assert (first / "report.html").exists()


def stopped(data: str, out: str, **asked: Any) -> Run:
    """Trains; Ctrl-C after the first epoch."""
    stream = ca.train.stream(data, out=out, **asked)
    for event in stream:
        if isinstance(event, Epoch):
            break
    event = stream.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    while not isinstance(event, Done):
        event = next(stream)
    assert isinstance(event.result, Run)
    return event.result


def test_a_stopped_run_has_model_and_report_and_can_go_on(shapes: Path) -> None:
    run = stopped(str(shapes), "cut", **LONGER)
    assert run.ended == "stopped"
    assert run.report is not None
    assert len(run.report.epochs) == 1
    assert run.model.classes == ("circle", "cross", "square")
    ca.train(str(shapes), out="whole", **LONGER)
    resumed = ca.resume("cut")
    assert (resumed.ended, len(read_metrics(resumed.folder))) == ("finished", 4)
    assert same(weights("whole"), weights("cut"))
    with pytest.raises(BadInput, match=r"The run cut is finished; read cut/report\.html, or train again with other"):
        ca.resume("cut")


def test_a_finished_run_is_not_trained_again(first: Path) -> None:
    before = {p: p.read_bytes() for p in first.rglob("*") if p.is_file()}
    with pytest.raises(BadInput, match=r"The run runs/first is finished; read runs/first/report\.html"):
        ca.resume("first")
    assert {p: p.read_bytes() for p in first.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("verb", [ca.resume, ca.report, ca.predict])
def test_an_unknown_run_names_those_there_are(verb: Any, first: Path) -> None:
    del first
    more = (("sample:cat",),) if verb is ca.predict else ()
    with pytest.raises(BadInput, match="There is no run 'secnd'; runs here: first"):
        verb("secnd", *more)
    shutil.rmtree("runs")
    with pytest.raises(BadInput, match="There is no run 'last'; runs here: none yet"):
        verb("last", *more)


@pytest.mark.parametrize(
    "change", ["added", "relabelled", *(pytest.param(c, marks=pytest.mark.slow) for c in ("gone", "other"))]
)
def test_a_run_whose_pictures_changed_is_not_carried_on(change: str, shapes: Path) -> None:
    abandoned(str(shapes), 1, out="cut", **LONGER)
    before = Path("cut/data.json").read_bytes()
    picture = shapes / "cross/cross3.png"
    if change == "added":
        drawn("cross", 99).save(shapes / "cross/new.png")
    elif change == "gone":
        picture.unlink()
    elif change == "other":
        drawn("cross", 98).save(picture)
    else:
        picture.rename(shapes / "circle/cross3.png")
    with pytest.raises(
        BadInput, match="The pictures of shapes have changed since the run cut began; put them back, or"
    ):
        ca.resume("cut")
    assert Path("cut/data.json").read_bytes() == before


@pytest.mark.slow
def test_renamed_pictures_are_the_same_pictures(shapes: Path) -> None:
    """Content decides; the order of samples follows names, so only names that keep the order keep the weights."""
    ca.train(str(shapes), out="whole", **LONGER)
    abandoned(str(shapes), 1, out="cut", **LONGER)
    for file in sorted(shapes.rglob("*.png")):
        file.rename(file.with_name("x" + file.name))
    ca.resume("cut")
    assert same(weights("whole"), weights("cut"))


def test_pictures_that_are_gone_altogether(shapes: Path) -> None:
    abandoned(str(shapes), 1, out="cut", **LONGER)
    shapes.rename("moved")
    with pytest.raises(BadInput, match="shapes is no file or folder"):
        ca.resume("cut")


def test_damaged_papers_are_one_sentence(shapes: Path) -> None:
    abandoned(str(shapes), 1, out="cut", **LONGER)
    learnt = read_metrics(Path("cut"))
    assert learnt
    config = Path("cut/config.json").read_text()
    Path("cut/config.json").write_text(config[:40])
    with pytest.raises(BadModel, match=r"cut/config\.json is damaged"):
        ca.resume("cut")
    Path("cut/config.json").write_text("[]")
    with pytest.raises(BadModel, match=r"cut/config\.json is damaged: it holds no table of values"):
        ca.resume("cut")
    Path("cut/config.json").write_text("{}")
    with pytest.raises(BadModel, match=r"cut/config\.json is damaged: it lacks or garbles 'options'; train anew"):
        ca.resume("cut")
    Path("cut/config.json").write_text(config)
    Path("cut/checkpoints/train.pt").write_bytes(b"torn")
    with pytest.raises(BadModel, match=r"The checkpoint cut/checkpoints/train\.pt is damaged"):
        ca.resume("cut")
    assert read_metrics(Path("cut")) == learnt, "what was learnt so far can still be read"
    Path("cut/checkpoints/train.pt").unlink()
    assert ca.resume("cut").ended == "finished"


def test_a_report_is_shown_as_it_was_measured(first: Path) -> None:
    stored = json.loads((first / "report.json").read_text())
    for typed in ("runs/first", "first", "last"):
        run = ca.report(typed)
        assert run.report is not None
        assert run.report.created == stored["created"]
        assert run.ended == "finished"
    assert ca.report().folder == first


def test_a_run_without_a_report_says_how_to_get_one(shapes: Path) -> None:
    abandoned(str(shapes), 2, out="runs/cut", **LONGER)
    with pytest.raises(BadInput, match=r"runs/cut has no report yet \([23] epochs done\); finish it: cutaway resume"):
        ca.report("cut")


def test_a_report_of_another_make_is_one_sentence(first: Path) -> None:
    (first / "report.json").write_text('{"title": 3}')
    with pytest.raises(BadInput, match="make the report again"):
        ca.report("first")
