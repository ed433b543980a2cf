"""sweep and its knobs: every combination once, kept across calls, as table, JSON and plots; bad knobs before work."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

import cutaway as ca
from cutaway.errors import BadInput
from cutaway.events import Note, Progress
from cutaway.verbs.knobs import parse_knobs
from cutaway.verbs.sweep_run import NETWORK_KNOBS, RECIPE_KNOBS
from cutaway.zoo import build

QUICK: dict[str, Any] = {"epochs": 1, "threads": 1}
GRID = ("depth=2..3", "filters=4,8")


def test_two_by_two_is_four_settings_with_their_cost(shapes: Path) -> None:
    result = ca.sweep(str(shapes), vary=GRID, **QUICK)
    assert result.folder == "sweeps/shapes"
    there = {p.name for p in Path(result.folder).iterdir()}
    assert {"results.csv", "results.json", "sweep.html", "accuracy-seconds.svg", "accuracy-parameters.svg"} <= there
    settings = [(t.settings["depth"], t.settings["filters"]) for t in result.trials]
    assert sorted(settings) == [("2", "4"), ("2", "8"), ("3", "4"), ("3", "8")]
    for trial in result.trials:
        knobs = {name: int(value) for name, value in trial.settings.items()}
        graph = build("small-cnn", classes=("a", "b", "c"), size=(24, 24), **knobs).graph
        assert trial.parameters == sum(p.numel() for p in graph.parameters())
        assert 0 <= trial.low <= trial.accuracy <= trial.high <= 1
        assert trial.seconds > 0


def test_the_files_hold_the_same_numbers(shapes: Path) -> None:
    result = ca.sweep(str(shapes), vary=GRID, **QUICK)
    with Path("sweeps/shapes/results.csv").open() as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["depth", "filters", "val_accuracy", "low", "high", "seconds", "parameters"]
    stored = json.loads(Path("sweeps/shapes/results.json").read_text())
    assert stored["photos"] == 6
    for row, entry, trial in zip(table, stored["trials"], result.trials, strict=True):
        assert float(row["val_accuracy"]) == entry["accuracy"] == trial.accuracy
        assert int(row["parameters"]) == entry["parameters"] == trial.parameters
        assert entry["settings"] == trial.settings
    page = Path("sweeps/shapes/sweep.html").read_text()
    assert "depth" in page
    assert 'src="http' not in page
    assert Path("sweeps/shapes/accuracy-seconds.svg").read_text().startswith(("<svg", "<?xml"))


def test_the_page_names_the_command_that_was_asked_for(shapes: Path) -> None:
    ca.sweep(str(shapes), vary=("depth=2",), epochs=1, size=16)
    page = Path("sweeps/shapes/sweep.html").read_text()
    words = re.sub(r"<[^>]+>", "", page)
    assert "cutaway sweep shapes --vary depth=2 --epochs 1 --size 16" in words


def test_what_only_the_first_training_of_a_process_pays_is_no_cost_of_the_first_setting(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cutaway.verbs import sweep_run

    real, trained = sweep_run.fit, list[Any]()

    def noted(network: Any, job: Any) -> Any:
        trained.append(network)
        return real(network, job)

    monkeypatch.setattr(sweep_run, "fit", noted)
    asked: dict[str, Any] = {"vary": ("depth=2",), "size": 16, **QUICK}
    ca.sweep(str(shapes), **asked)
    assert len(trained) == 2  # one that is thrown away, one that is measured
    assert trained[0] is not trained[1]
    ca.sweep(str(shapes), **asked)
    assert len(trained) == 2  # all is known: nothing to warm up for


def test_again_goes_on_where_it_was(shapes: Path) -> None:
    once = ca.sweep(str(shapes), vary=GRID, **QUICK)
    seen = list(ca.sweep.stream(str(shapes), vary=GRID, **QUICK))
    assert seen[-1].result == once  # type: ignore[union-attr]
    assert not [e for e in seen if isinstance(e, Note) and "of validation pictures" in e.text], "no setting twice"


def test_a_stopped_sweep_keeps_what_is_done_and_goes_on(shapes: Path) -> None:
    stream = ca.sweep.stream(str(shapes), vary=GRID, **QUICK)
    for event in stream:
        if isinstance(event, Note) and "of validation pictures" in event.text:
            break
    told = stream.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert "Stopped; finished settings are kept" in told.text
    (done,) = [e.result for e in stream if hasattr(e, "result")]
    assert len(done.trials) == 1
    seen = list(ca.sweep.stream(str(shapes), vary=GRID, **QUICK))
    assert len(seen[-1].result.trials) == 4  # type: ignore[union-attr]
    assert len([e for e in seen if isinstance(e, Note) and "of validation pictures" in e.text]) == 3


def test_fewer_trials_than_combinations(shapes: Path) -> None:
    result = ca.sweep(str(shapes), vary=("depth=2..4", "lr=1e-3..1e-2"), trials=3, **QUICK)
    assert len(result.trials) == 3
    assert len({tuple(t.settings.items()) for t in result.trials}) == 3
    more = ca.sweep(str(shapes), vary=("depth=2..4", "lr=1e-3..1e-2"), trials=4, **QUICK)
    assert more.trials[:3] == result.trials


@pytest.mark.slow
def test_the_same_seed_measures_the_same(shapes: Path) -> None:
    one, two = (ca.sweep(str(shapes), vary=("depth=2,3",), out=out, **QUICK) for out in ("a", "b"))
    assert [(t.settings, t.accuracy) for t in one.trials] == [(t.settings, t.accuracy) for t in two.trials]


def test_progress_counts_settings(shapes: Path) -> None:
    seen = [e for e in ca.sweep.stream(str(shapes), vary=("depth=2,3",), **QUICK) if isinstance(e, Progress)]
    assert [(e.done, e.total) for e in seen if e.task == "sweep"] == [(0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("depth=2..6", (2, 3, 4, 5, 6)),
        ("filters=16,32,64", (16, 32, 64)),
        ("kernel-size=3,5", (3, 5)),
        ("augment=none, light", ("none", "light")),
        ("lr=1e-4..1e-2", (0.0001, 0.000316, 0.001, 0.00316, 0.01)),
        ("dropout=0.5", (0.5,)),
    ],
)
def test_values_of_a_knob(text: str, values: tuple[Any, ...]) -> None:
    """The range of decimals: five values in equal ratios, 10^0.5 apart, to three digits."""
    known = RECIPE_KNOBS | NETWORK_KNOBS["small-cnn"]
    assert parse_knobs((text,), known) == {text.partition("=")[0].replace("-", "_"): values}


BAD = [
    ((), "Say what to vary, for example --vary depth=2"),
    (("depth",), r"--vary must be KNOB=VALUES such as depth=2\.\.6\. Got 'depth'"),
    (("depth=",), r"--vary must be KNOB=VALUES such as depth=2\.\.6\. Got 'depth='"),
    (("depht=2..3",), r"There is no knob 'depht' to vary here; there are augment, batch_size, depth,"),
    (("depth=2", "depth=3"), "--vary depth was given twice; write its values in one, separated by commas"),
    (("depth=6..2",), r"The range of depth must go from a number to a larger one\. Got '6\.\.2'"),
    (("depth=a..b",), r"The range of depth must go from a number to a larger one\. Got 'a\.\.b'"),
    (("filters=1..1000",), r"The range filters=1\.\.1000 has 1000 values; name at most 100"),
    (("lr=0.0..0.1",), r"The range lr=0\.0\.\.0\.1 is stepped in equal ratios and must begin above 0"),
    (("depth=2,9",), r"depth must be 2 to 6 blocks\. Got 9"),
    (("depth=2,x",), r"small-cnn cannot be made with depth='x'"),
    (("epochs=1,x",), r"epochs must be a whole number, at least 1\. Got 'x'"),
    (("epochs=1,1.5",), r"epochs must be a whole number, at least 1\. Got 1\.5"),
    (("kernel_size=4",), r"kernel_size must be an odd number from 1 to 11\. Got 4"),
    (("lr=0.1,-1",), r"lr must be above 0 and at most 10\. Got -1"),
    (("augment=none,lots",), r"There is no augmentation 'lots'; choose none, light, medium, strong or auto"),
    (("optimizer=adam",), r"optimizer must be adamw, sgd or muon\. Got 'adam'"),
]


@pytest.mark.parametrize(("vary", "sentence"), BAD)
def test_bad_knobs_are_told_before_anything_is_trained(vary: tuple[str, ...], sentence: str, shapes: Path) -> None:
    with pytest.raises(BadInput, match=sentence):
        ca.sweep(str(shapes), vary=vary, **QUICK)
    assert not Path("sweeps").exists()


def test_bad_questions(shapes: Path) -> None:
    with pytest.raises(BadInput, match=r"trials must be at least 1\. Got 0"):
        ca.sweep(str(shapes), vary=GRID, trials=0)
    with pytest.raises(BadInput, match=r"epochs must be at least 1\. Got 0"):
        ca.sweep(str(shapes), vary=GRID, epochs=0)
    with pytest.raises(BadInput, match="There is no network 'smal-cnn'; near: small-cnn"):
        ca.sweep(str(shapes), vary=("lr=0.1",), network="smal-cnn")
    with pytest.raises(BadInput, match="There is no knob 'depth' to vary here"):
        ca.sweep(str(shapes), vary=GRID, network="lenet5")
    Path("file").touch()
    with pytest.raises(BadInput, match="Results cannot go to file"):
        ca.sweep(str(shapes), vary=GRID, out="file", **QUICK)
    assert not Path("sweeps").exists()
