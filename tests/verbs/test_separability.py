"""separability on a real run: from the picture to the answer, the curve, classes that are left out, bad input."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapes import Cli

import cutaway as ca
from cutaway.dataset.steps import result_of
from cutaway.errors import BadInput
from cutaway.events import Note
from cutaway.verbs.separability import SeparabilityOptions
from cutaway.verbs.separability_run import separability_of


@pytest.mark.usefixtures("first")
def test_layers_from_the_picture_to_the_answer() -> None:
    made = ca.separability("runs/first", "shapes", fold="all", out="apart.svg")
    names = [row.name for row in made.layers]
    assert names[0] == "input_1"
    assert names[-1] == "dense"
    assert [row.kind for row in made.layers][1:-1] == ["ReLU"] * (len(names) - 2)
    assert [row.depth for row in made.layers] == sorted(row.depth for row in made.layers)
    assert made.layers[0].found.width == 3  # the picture's mean colour
    assert (made.pictures, made.majority) == (42, 14 / 42)
    right = sum(p.top[0][0] == p.name.split("/")[1] for p in ca.predict("runs/first", ("shapes",)))
    assert made.model_right == right
    best = max(row.found.probe for row in made.layers)
    assert best > 0.8 * 42  # circles, crosses and squares have colours of their own
    svg = made.path.read_text()
    assert svg.count('class="whisker s1"') == len(names)
    assert "linear probe, layer, as numbered in the table 0, input_1" in svg


@pytest.mark.usefixtures("first")
def test_any_labels_will_do_and_small_classes_are_left_out() -> None:
    shutil.copytree("shapes/circle", "shapes/rare")
    for file in sorted(Path("shapes/rare").iterdir())[4:]:
        file.unlink()
    seen = list(ca.separability.stream("zoo:small-cnn", "shapes", layer="relu1,relu2", out="a.svg"))
    made = seen[-1].result  # type: ignore[union-attr]
    assert (made.left_out, made.model_right, made.pictures) == (("rare",), None, 42)
    assert [row.name for row in made.layers][1:-1] == ["relu1", "relu2"]
    (note,) = [e.text for e in seen if isinstance(e, Note)]
    assert note == "Classes with fewer than 5 different photos were left out: rare."


@pytest.mark.usefixtures("first")
def test_layers_are_spread_where_there_are_many() -> None:
    made = ca.separability("runs/first", "shapes", fold="all", layer="all", most_layers=3, out="a.svg")
    assert 4 <= len(made.layers) <= 5


@pytest.mark.usefixtures("first")
def test_the_vectors_are_pooled_while_they_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    from cutaway.verbs import separability_run

    sizes: list[Any] = []
    plain = separability_run.separation

    def watched(vectors: np.ndarray, *rest: Any) -> Any:
        sizes.append(vectors.shape)
        return plain(vectors, *rest)

    monkeypatch.setattr(separability_run, "separation", watched)
    made = result_of(separability_of(SeparabilityOptions("runs/first", "shapes", fold="all", out="a.svg")))
    assert sizes == [(42, row.found.width) for row in made.layers]
    assert all(row.found.width == row.shape[0] for row in made.layers)  # (C, H, W) or (C,)


@pytest.mark.usefixtures("first")
def test_the_terminal_shows_every_layer(cli: Cli) -> None:
    said = cli("separability", "runs/first", "shapes", "--fold", "all", "--out", "a.svg")
    assert said.code == 0
    assert re.search(r"^42 photos of 3 classes; a linear classifier on \w+ names \d+\.\d% of them rightly", said.out)
    assert re.search(r"largest class 33\.3%; the model itself \d+\.\d%", said.out)
    assert "Wrote a.svg" in said.out


BAD = [
    ({"data": "sample:cat"}, "The photos of sample:cat have no labels; give a folder with one folder per class"),
    (
        {"most": 10},
        "Layers can be compared where two classes or more have at least 5 different photos each; the 10 photos",
    ),
    ({"layer": "conv7"}, "The network has no layer 'conv7'"),
    ({"most_layers": 1}, "most-layers must be at least 2. Got 1"),
    ({"most": 3}, "most must be at least 10. Got 3"),
    ({"fold": "rest"}, "fold must be auto, all, train, val or test. Got 'rest'"),
    ({"seed": -1}, "seed must be between 0 and 4294967295. Got -1"),
    ({"threads": 0}, "threads must be at least 1. Got 0"),
    ({"out": "a.png"}, "out must be a file that ends in .svg. Got 'a.png'"),
]


@pytest.mark.parametrize(("asked", "said"), BAD)
@pytest.mark.usefixtures("first")
def test_bad_input_is_one_sentence(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        ca.separability(**{"model": "runs/first", "data": "shapes", "fold": "all", **asked})
