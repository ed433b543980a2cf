"""unfold and animate as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput

pytestmark = pytest.mark.usefixtures("first")
RUN, PICTURE = "runs/first", "sample:cat"


def test_the_answer_is_what_is_unfolded_when_nothing_is_named() -> None:
    found = ca.unfold(RUN, PICTURE)
    (p,) = [found.steps[0].total]
    model = ca.open_model(RUN)
    picture = ca.sample_picture("cat")
    logits = np.log(model.predict([picture])[0])
    assert found.chosen
    assert found.steps[0].index == (int(logits.argmax()),)
    assert found.steps[0].difference <= 1e-5 * max(1, abs(p))


def test_text_names_the_cell_its_parts_and_where_it_looked(cli: Cli) -> None:
    said = cli("unfold", RUN, PICTURE, "--at", "conv1[0,3,4]")
    assert (said.code, said.err) == (0, "")
    for words in (
        "conv1[0,3,4]",
        "patch × kernel",
        "input channel",
        "the network computed",
        "It sees rows",
        "Made of input_1[0..2, 2..4, 3..5]",
    ):
        assert words in said.out, words
    plain = cli("unfold", RUN, PICTURE, "--at", "conv1[0,3,4]", "--json").json
    assert plain["steps"][0]["step"] == "conv1"
    assert plain["steps"][0]["difference"] <= 1e-5
    total = sum(w["sum"] for w in plain["steps"][0]["windows"]) + plain["steps"][0]["parameters"].get("bias", 0)
    assert total == pytest.approx(plain["steps"][0]["value"], abs=1e-5)


def test_the_figure_goes_where_it_was_asked(cli: Cli, here: Path) -> None:
    said = cli("unfold", RUN, PICTURE, "--at", "conv1", "--out", "a.svg")
    assert said.code == 0
    assert "No cell was named: this is the largest." in said.out
    assert "Wrote a.svg" in said.out
    assert (here / "a.svg").read_text().startswith("<?xml")
    ca.unfold(RUN, PICTURE, at="conv1", out="b.png")
    with Image.open("b.png") as made:
        assert made.size[0] == 3200


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("conv1[1,2]", r"conv1 has cells \[0, 0, 0\] to \[.*\] \(its shape is .*\)\. Got \[1, 2\]\."),
        ("conv1[x]", r"at must be like conv2\[7,12,5\].*Got 'conv1\[x\]'\."),
        ("conv1[1", r"at must be like"),
        ("conv9[1,2,3]", r"The network has no layer 'conv9'\. Nearest: "),
        ("[1]", r"at must be like"),
    ],
)
def test_a_bad_place_is_one_sentence(cli: Cli, at: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        ca.unfold(RUN, PICTURE, at=at)
    said = cli("unfold", RUN, PICTURE, "--at", at)
    assert said.code == 2
    assert said.err.count("\n") == 1


def test_animate_tells_what_it_shows(cli: Cli, here: Path) -> None:
    said = cli("animate", RUN, PICTURE, "--frames", "6")
    assert said.code == 0
    assert "the window stops at 6 of" in said.out
    assert "Wrote animate-first.gif" in said.out
    with Image.open("animate-first.gif") as made:
        assert made.n_frames == 6
    plain = cli("animate", RUN, PICTURE, "--layer", "conv1", "--channel", "1", "--frames", "4", "--json").json
    assert (plain["layer"], plain["channel"], plain["frames"], plain["path"]) == ("conv1", 1, 4, "animate-first-2.gif")
    ca.animate(RUN, PICTURE, frames=4, out="a.svg")
    assert (here / "a.svg").read_text().count("<animate") == 4
    assert json.dumps(plain)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"layer": "relu1"},
            r"relu1 is of kind ReLU, which has no window that slides over a map; layers that slide: conv1",
        ),
        ({"layer": "conv1", "channel": 999}, r"conv1 has channels 0 to \d+\. Got 999\."),
        ({"layer": "nope"}, r"The network has no layer 'nope'"),
        ({"frames": 1}, r"frames must be 2 to 2000\. Got 1\."),
        ({"seconds": 0.0}, r"seconds must be above 0 and at most 600\. Got 0\.0\."),
        ({"out": "a.avi"}, r"out must be a file that ends in \.gif or \.mp4 or \.svg\. Got 'a\.avi'\."),
    ],
)
def test_a_bad_wish_is_one_sentence(asked: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        ca.animate(RUN, PICTURE, **asked)  # type: ignore[arg-type]


def test_a_network_without_a_convolution() -> None:
    from torch import nn

    from cutaway.graph.trace import trace
    from cutaway.verbs.animate import _first_conv

    with pytest.raises(BadInput, match="This network has no convolution; name a pooling layer with --layer"):
        _first_conv(trace(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))))


def test_teachable_machine_by_hand(shared_data: Path) -> None:
    """Every kind of layer of a real file, a cell each: the terms add up to the network's own number."""
    file = shared_data / "teachable-machine/animals-h5/keras_model.h5"
    for at in ("Conv1[4,10,11]", "block_6_depthwise", "block_2_add", "dense_Dense1[7]", "dense_Dense2_softmax[1]"):
        found = ca.unfold(str(file), PICTURE, at=at)
        for step in found.steps:
            assert step.difference <= 1e-5 * max(1, abs(step.value)), step
    assert found.box == ((0, 223), (0, 223))
