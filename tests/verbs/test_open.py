"""open: what a file is, layer by layer, block by block, one layer in full; files that can only be looked at."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput, BadModel
from cutaway.formats import parts
from cutaway.formats.parts import FileView, OnlyView, ViewRow
from cutaway.model import open as opener


def test_a_run_and_its_file_are_the_same(first: Path) -> None:
    run, file = ca.open(str(first)), ca.open(str(first / "model.safetensors"))
    digest = hashlib.sha256((first / "model.safetensors").read_bytes()).hexdigest()
    assert run.sha256 == file.sha256 == digest
    assert run.bytes == file.bytes == (first / "model.safetensors").stat().st_size
    assert run.classes == ("circle", "cross", "square")
    assert run.answer == "full"
    assert run.format == file.format == "Cutaway file"
    assert [row.to_dict() for row in run.rows] == [row.to_dict() for row in file.rows]  # type: ignore[union-attr]


def test_a_folder_is_answered_with_the_models_in_it(here: Path) -> None:
    (here / "models").mkdir()
    with pytest.raises(BadInput, match="models is a folder, not a model; give a model file, or the folder of a run"):
        ca.open("models")
    (here / "models" / "keras_model.h5").touch()
    with pytest.raises(BadInput, match=r"models is a folder, not a model; give a file in it: keras_model\.h5\."):
        ca.open("models")


def test_figures_are_those_of_the_model(first: Path) -> None:
    found, model = ca.open(str(first)), ca.open_model(first)
    assert found.parameters == sum(p.numel() for p in model.graph.parameters())
    assert found.input == model.contract.describe()
    assert found.multiply_adds == sum(row.multiply_adds for row in found.rows)  # type: ignore[union-attr]


def test_a_large_network_is_shown_block_by_block() -> None:
    found = ca.open("zoo:resnet18")
    assert len(found.rows) == 69
    assert len(found.shown) <= 40
    assert "layer1.0" in [row.name for row in found.shown]
    assert found.parameters == 11_689_512
    assert (found.sha256, found.bytes, len(found.classes)) == ("", 0, 1000)
    whole = ca.open("zoo:resnet18", layers="all")
    assert [row.name for row in whole.shown] == [row.name for row in found.rows]
    inside = ca.open("zoo:resnet18", layers="layer1.1")
    assert [row.name for row in inside.shown][-2:] == ["add_1", "layer1.1.relu_2"]


def test_search_looks_at_names_and_kinds() -> None:
    assert {row.kind for row in ca.open("zoo:resnet18", search="conv2d").shown} == {"Conv2d"}  # type: ignore[union-attr]
    assert [r.name for r in ca.open("zoo:resnet18", search="LAYER2.0.conv").shown] == [
        "layer2.0.conv1", "layer2.0.conv2",
    ]  # fmt: skip
    assert ca.open("zoo:resnet18", search="no layer is called so").shown == ()


def test_random_weights_are_said_and_always_the_same() -> None:
    stream = list(ca.open.stream("zoo:lenet5", layer="c1"))
    assert any("random" in getattr(event, "text", "") for event in stream)
    again = ca.open("zoo:lenet5", layer="c1").layer
    assert again is not None
    assert stream[-1].result.layer.weights == again.weights  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"layer": "layer1.0.conv9"}, r"no layer 'layer1.0.conv9'. Nearest: layer1.0.conv"),
        ({"layers": "layer9"}, r"no block 'layer9'. Nearest: layer\d"),
    ],
)
def test_names_that_are_not_there_have_near_ones(asked: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        ca.open("zoo:resnet18", **asked)


def test_other_wrong_words_are_sentences(first: Path) -> None:
    with pytest.raises(BadInput, match="There is no network 'resnet19'; near: resnet1"):
        ca.open("zoo:resnet19")
    with pytest.raises(BadModel, match=r"There is no model file nothing.h5"):
        ca.open("nothing.h5")
    with pytest.raises(BadInput, match=r"There is no run 'nothing'"):
        ca.open("nothing")
    with pytest.raises(BadInput, match=r"the network has no blocks, so none called 'stage1'"):
        ca.open("zoo:tutorial-cifar", layers="stage1")
    with pytest.raises(BadInput, match=r"as:NETWORK:FILE takes a network's name and a file of weights; name both"):
        ca.open("as:resnet18")
    assert ca.open("last").name == "last"
    assert ca.open(str(first)).answer == "full"


def test_a_network_is_drawn_with_its_blocks_closed_or_open(cli: Cli, here: Path) -> None:
    def boxes(**asked: str) -> set[str]:
        found = ca.open("zoo:resnet18", out="net.svg", **asked)
        assert found.out == Path("net.svg")
        drawn = ET.parse(here / "net.svg").getroot()
        return {t.text or "" for t in drawn.iter("{http://www.w3.org/2000/svg}text")}

    closed, opened = boxes(), boxes(layers="layer2.0")
    assert {"resnet18", "layer2.0", "layer2.1", "fc", "9 steps · 128 × 28 × 28"} <= closed
    assert "layer2.0" not in opened
    assert {"layer2.0.conv1", "layer2.1"} <= opened
    assert {"layer1.0.conv1", "layer4.1.bn2"} <= boxes(layers="all")
    assert cli("open", "zoo:resnet18", "--out", "net.svg").out.endswith("Wrote net.svg\n")
    with pytest.raises(BadInput, match=r"out must be a file that ends in \.svg"):
        ca.open("zoo:resnet18", out="net.png")


def test_a_file_that_cannot_run_is_not_drawn(only_viewed: str) -> None:
    with pytest.raises(BadModel, match=r"nothing was run.* Only a network that runs can be drawn; leave --out away"):
        ca.open(only_viewed, out="net.svg")


def test_text_says_what_it_is_and_lists_blocks(cli: Cli) -> None:
    said = cli("open", "zoo:resnet18")
    assert said.code == 0
    assert "11,689,512 parameters and 9,600 running statistics" in said.out
    assert "1.81 G multiply-adds" in said.out
    assert "435 x 435" in said.out
    assert "cutaway open zoo:resnet18 --layers all" in said.out
    assert "random" in said.out + said.err
    narrow = [line for line in said.out.splitlines() if line.startswith("layer2.0")]
    assert " ".join(narrow[0].split()) == "layer2.0 9 layers 128 x 28 x 28 230,144 180 M 67 x 67"


def test_text_of_one_layer_has_a_histogram(cli: Cli) -> None:
    said = cli("open", "zoo:resnet18", "--layer", "layer1.0.conv1")
    for words in ("fed by", "maxpool", "layer1.0.bn1", "19 x 19 pixels, 4 pixels from one number", "kernel_size 3 x 3"):
        assert words in said.out
    assert "█" in said.out
    assert "cutaway filters zoo:resnet18 --layer layer1.0.conv1" in said.out
    gated = cli("open", "zoo:efficientnet_b0", "--search", "mul").out
    assert "gated: and, through a gate, on the whole picture" in gated
    empty = cli("open", "zoo:resnet18", "--search", "nothing like it").out
    assert "No layer has that in its name or kind." in empty


def test_bars_show_every_bin_that_is_not_empty() -> None:
    from cutaway.cli.show_open import amount, bars

    lines = bars((0, 1, 1000, 500))
    assert len(lines) == 4
    assert lines[-1] == "  ▁▁████"
    assert lines[0].rstrip() == "    ██"
    assert bars((1, 0), plain=True)[-1] == "##"
    assert [amount(n, "B") for n in (12, 1200, 2_453_432, 3 * 10**9)] == ["12 B", "1.2 kB", "2.45 MB", "3 GB"]


@pytest.fixture
def only_viewed(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that a reader can list but not run."""
    view = FileView(
        "view-only",
        "Keras 3 h5",
        "The layer odd is of kind Lambda, which holds code; nothing was run.",
        (ViewRow("conv", "Conv2D", (8, 30, 30), 224), ViewRow("odd", "Lambda", None, 0, "holds code")),
        ("resnet18", "resnet34"),
    )

    def refuse(*_: object, **__: object) -> parts.Parts:
        raise OnlyView(view)

    (here / "odd.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setattr(opener, "read_model_file", refuse)
    return "odd.h5"


def test_a_file_that_cannot_run_is_listed_with_the_reason(only_viewed: str, cli: Cli) -> None:
    found = ca.open(only_viewed)
    assert (found.answer, found.parameters, len(found.rows), found.bytes) == ("view-only", 224, 2, 8)
    assert ca.open(only_viewed, search="lambda").shown == found.rows[1:]
    plain = found.to_dict()
    assert plain["layers"][1] == {"name": "odd", "kind": "Lambda", "shape": None, "parameters": 0, "note": "holds code"}
    assert plain["nearest"] == ["resnet18", "resnet34"]
    said = cli("open", only_viewed)
    assert said.code == 0
    assert "To be looked at, not run." in said.out
    assert "holds code; nothing was run." in said.out
    assert "Nearest known networks: resnet18, resnet34." in said.out


def test_a_teachable_machine_file(shared_data: Path) -> None:
    file = shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5"
    found = ca.open(str(file), layer="block_6_expand")
    assert found.parameters + found.statistics == 538_608  # as Keras counts (research: 538,308 + 100 per class)
    assert "Teachable Machine" in found.producer
    assert found.classes == ("Cat", "Dog", "Hamster")
    assert len(found.shown) <= 40
    assert "block_6" in [row.name for row in found.shown]
    assert found.layer is not None
    assert found.layer.row.shape == (96, 28, 28)
    assert found.layer.row.receptive is not None
    assert found.layer.row.receptive.size == (59, 59)
