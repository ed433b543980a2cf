"""Every verb through every door: Python, the stream of events, the command line and HTTP give the same result."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from shapes import QUICK, Cli

import cutaway as ca
from cutaway import events as ev
from cutaway.cli.main import to_plain
from cutaway.errors import BadModel
from cutaway.options import fields_of
from cutaway.studio.app import create, locked
from cutaway.verbs import VERBS, Verb, verb
from cutaway.verbs.verb import Verb as VerbType

ASKED: dict[str, dict[str, Any]] = {
    "check": {"data": "shapes", "out": "found"},
    "train": {"data": "shapes", **QUICK},
    "resume": {"run": "runs/first"},
    "predict": {"model": "runs/first", "pictures": ("shapes/circle", "sample:cat"), "top": 2},
    "evaluate": {"model": "runs/first", "data": "shapes"},
    "report": {"run": "runs/first"},
    "networks": {"search": "mobile small"},
    "open": {"model": "runs/first", "layers": "all", "search": "conv", "out": "open.svg"},
    "recognise": {"model": "runs/first"},
    "export": {"model": "runs/first", "to": "safetensors", "out": "export.safetensors"},
    "compare": {"a": "runs/first", "b": "zoo:small-cnn", "pictures": ("sample:cat",)},
    "silent": {"model": "runs/first", "data": "shapes", "out": "silent.png"},
    "watch": {"model": "runs/first", "picture": "sample:cat", "channels": 3, "out": "watch.png"},
    "filters": {"model": "runs/first", "out": "filters.png"},
    "unfold": {"model": "runs/first", "picture": "sample:cat", "at": "conv1[0,1,2]", "out": "unfold.svg"},
    "animate": {"model": "runs/first", "picture": "sample:cat", "frames": 4, "out": "animate.gif"},
    "rank": {"model": "runs/first", "data": "shapes", "layers": "conv1", "out": "rank.csv"},
    "shift": {"model": "runs/first", "picture": "sample:cat", "rotate": 30.0, "steps": 5, "out": "shift.png"},
    "heal": {"model": "runs/first", "data": "shapes", "epochs": 1, "threads": 1, "out": "healed.safetensors"},
    "edit": {"model": "runs/first", "set": ("all.activation=tanh",), "out": "edited.safetensors"},
    "effect": {
        "model": "runs/first",
        "edited": "runs/first",
        "pictures": ("sample:cat", "shapes"),
        "out": "effect.png",
    },
    "explain": {
        "model": "runs/first",
        "pictures": ("sample:cat",),
        "method": ("saliency", "gradcam"),
        "npz": "maps.npz",
        "out": "explain.png",
    },
    "vary": {"model": "runs/first", "data": "shapes", "knob": ("all.activation=relu,tanh",), "out": "vary.png"},
    "neuron": {"model": "runs/first", "unit": ("conv1[2]",), "data": "shapes", "steps": 8, "out": "neuron.png"},
    "map": {"model": "runs/first", "data": "shapes", "method": "pca", "fold": "all", "out": "map.html"},
    "separability": {"model": "runs/first", "data": "shapes", "fold": "all", "out": "apart.svg"},
    "trust": {"model": "runs/first", "data": "shapes", "method": ("saliency",), "most": 2, "out": "trust.csv"},
    "sweep": {"data": "shapes", "vary": ("depth=2,3", "filters=4"), "epochs": 1, "threads": 1},
}
TIMES = {"seconds", "timings", "created", "peak_memory_mb", "processor"}


def words(name: str, asked: dict[str, Any]) -> list[str]:
    """Verb and its options -> the command line: required ones in their place, the others as --flag."""
    line = [name]
    for field in fields_of(verb(name).options):
        if field.name not in asked:
            continue
        values = asked[field.name] if isinstance(asked[field.name], tuple) else (asked[field.name],)
        placed = field.required or (name, field.name) in {("report", "run"), ("compare", "pictures")}
        for value in values:
            line += [str(value)] if placed else ["--" + field.name.replace("_", "-"), str(value)]
    return line


def lasting(value: Any) -> Any:
    """JSON values -> the same without what a clock or a memory meter says."""
    if isinstance(value, dict):
        return {k: lasting(v) for k, v in value.items() if k not in TIMES}
    if isinstance(value, str):
        return re.sub(r"[\d.]+ s\b", "# s", value)  # a diagnosis says how long a rival took
    return [lasting(v) for v in value] if isinstance(value, list) else value


def through_http(name: str, asked: dict[str, Any], here: Path) -> Any:
    """Verb and its options -> its result as the studio's page gets it: a job, followed to its end."""
    app = locked(create(folder=here), "key")
    with TestClient(app, base_url="http://127.0.0.1:8765", cookies={"cutaway-8765": "key"}) as page:
        started = page.post("/api/jobs", json={"verb": name, "options": asked})
        assert started.status_code == 200, started.text
        lines = page.get(f"/api/jobs/{started.json()['id']}/events").text.splitlines()
        last = json.loads(lines[-2].removeprefix("data: "))
    assert last["kind"] == "done", last
    return last["result"]


def ready(name: str, here: Path) -> None:
    """What a verb leaves behind or needs -> as before its first call."""
    for left in ("runs/shapes-1", "found", "sweeps"):
        subprocess.run(["rm", "-rf", here / left], check=True)
    if name == "resume":
        (here / "runs/first/report.json").unlink(missing_ok=True)
    ledger = here / "runs/test-looks.jsonl"
    ledger.write_text("")


def test_every_verb_is_asked_here() -> None:
    assert set(ASKED) == set(VERBS)


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.usefixtures("first")
def test_all_doors_give_one_result(name: str, here: Path, cli: Cli) -> None:
    asked, called = ASKED[name], getattr(ca, name)
    ready(name, here)
    plain = json.loads(json.dumps(to_plain(called(**asked))))
    ready(name, here)
    seen = list(called.stream(**asked))
    assert isinstance(seen[-1], ev.Done)
    assert not any(isinstance(event, ev.Done) for event in seen[:-1])
    assert all(isinstance(event, typing.get_args(ev.Event)) for event in seen[:-1])
    streamed = json.loads(json.dumps(to_plain(seen[-1].result)))
    ready(name, here)
    said = cli(*words(name, asked), "--json")
    assert (said.code, said.err) == (0, "")
    ready(name, here)
    fetched = through_http(name, asked, here)
    assert lasting(plain) == lasting(streamed) == lasting(said.json) == lasting(fetched)
    assert plain, "the verb has a result"
    ready(name, here)
    shown = cli(*words(name, asked))
    assert shown.code == 0
    assert shown.out.strip()
    assert "\x1b" not in shown.out + shown.err, "no escape codes where nobody looks"


def test_a_stream_tells_of_progress_while_it_works(shapes: Path) -> None:
    seen = list(ca.train.stream(str(shapes), **QUICK))
    epochs = [event for event in seen if isinstance(event, ev.Epoch)]
    assert [(e.number, e.of) for e in epochs] == [(1, 2), (2, 2)]
    assert any(isinstance(event, ev.Note) for event in seen)
    tasks = {event.task for event in seen if isinstance(event, ev.Progress)}
    assert "read pictures" in tasks
    for event in seen:
        if isinstance(event, ev.Progress) and event.total is not None:
            assert 0 <= event.done <= event.total


MODELS = ("model", "a", "b", "edited", "backbone")
OPENED = [(name, f.name) for name in VERBS for f in fields_of(verb(name).options) if f.name in MODELS]


@pytest.mark.parametrize(("name", "field"), OPENED)
@pytest.mark.usefixtures("first")
def test_every_verb_opens_weights_as_the_network_that_is_named(name: str, field: str, here: Path) -> None:
    torch.save(ca.open_model("runs/first").graph.state_dict(), here / "net.pth")
    asked = {**ASKED[name], field: "as:lenet5:net.pth"}
    if field == "backbone":
        asked = {k: v for k, v in asked.items() if k not in ("network", "out")}
    with pytest.raises(BadModel, match=r"The weights in net\.pth do not fit lenet5"):
        verb(name)(**asked)


@pytest.mark.parametrize("name", ["predict", "watch", "unfold", "shift"])
@pytest.mark.usefixtures("first")
def test_answers_of_random_weights_are_called_that(name: str) -> None:
    told = verb(name).stream(**{**ASKED[name], "model": "zoo:small-cnn"})
    notes = [event.text for event in told if isinstance(event, ev.Note)]
    assert "zoo:small-cnn was made now: its weights are random, nothing was learned." in notes


@pytest.mark.usefixtures("first")
def test_a_real_process_gives_the_same() -> None:
    words_ = ["predict", "runs/first", "shapes/cross", "--top", "1", "--json"]
    done = subprocess.run([sys.executable, "-m", "cutaway", *words_], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == to_plain(ca.predict("runs/first", ("shapes/cross",), top=1))


@pytest.mark.parametrize("name", VERBS)
def test_names_and_sentences_agree(name: str) -> None:
    found = verb(name)
    assert isinstance(found, Verb)
    assert found.name == name
    assert getattr(ca, name) is found
    assert name in ca.__all__
    assert found.sentence.endswith(".")
    assert found.sentence[0].isupper()
    assert len(found.sentence) <= 120
    assert dataclasses.is_dataclass(found.options)
    assert found.options.__name__ == name.capitalize() + "Options"


@pytest.mark.parametrize("name", VERBS)
def test_every_option_has_a_sentence(name: str) -> None:
    for field in fields_of(verb(name).options):
        assert len(field.help) >= 5, f"{name} {field.name}"
        assert field.help.endswith((".", "...")), f"{name} {field.name}: {field.help}"


def test_required_options_come_first() -> None:
    for name in VERBS:
        needed = [field.required for field in fields_of(verb(name).options)]
        assert needed == sorted(needed, reverse=True), name


def test_a_verb_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="trian"):
        verb("trian")


ROOMS = ("training", "evaluation", "reports", "verbs.train", "verbs.check", "verbs.report", "verbs.evaluate", "cli")


def test_rooms_never_take_the_place_of_a_verb() -> None:
    for room in ROOMS:
        importlib.import_module(f"cutaway.{room}")
    for name in VERBS:
        assert isinstance(getattr(ca, name), VerbType), name
    script = (
        "import cutaway.training, cutaway.verbs.train, cutaway as ca; print(type(ca.train).__name__, ca.train.name)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Verb", "train"]


def test_options_read_their_sentences_from_base_classes_too() -> None:
    from cutaway.verbs.train import ResumeOptions, TrainOptions

    assert fields_of(ResumeOptions)[0].name == "run"
    fields = {field.name: field for field in fields_of(TrainOptions)}
    assert fields["data"].required
    assert fields["val"].default == 0.15
    assert fields["flip"].type == (bool | None)
