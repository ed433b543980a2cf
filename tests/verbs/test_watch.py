"""watch: the sheet is written, its numbers are the network's own, bad asks end in a sentence."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from shapes import Cli
from torch import nn

import cutaway as ca
from cutaway.cli import show_watch
from cutaway.engine.prepare import prepare
from cutaway.errors import BadInput
from cutaway.events import Done, Note
from cutaway.graph.trace import trace
from cutaway.image import InputContract, fit_picture
from cutaway.model import Model, save_model
from cutaway.verbs.watch import watch

CONTRACT = InputContract((32, 32), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
CLASSES = ("cat", "dog", "a [red]class[/] of many words")


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 20, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 3),
    ).eval()  # fmt: skip


@pytest.fixture
def file(here: Path) -> str:
    net = network()
    net[0].weight.data[5], net[0].bias.data[5] = 0, -1  # a channel that the ReLU silences
    save_model(Model(trace(net), CONTRACT, CLASSES), here / "small.safetensors")
    return "small.safetensors"


def test_numbers_are_those_of_the_network(file: str) -> None:
    result = ca.watch(file, "sample:cat", layers="0,1,8")
    picture = ca.sample_picture("cat")
    net = network()
    net[0].weight.data[5], net[0].bias.data[5] = 0, -1
    x = prepare(fit_picture(picture, CONTRACT)[None], CONTRACT)
    with torch.inference_mode():
        first, second = net[0](x), net[1](net[0](x))
        shares = torch.softmax(net(x), 1)[0]
    row, relu, hidden = result.layers
    assert (row.name, row.kind, row.shape) == ("0", "Conv2d", (12, 32, 32))
    assert (row.min, row.max, row.mean) == pytest.approx(
        (first.min().item(), first.max().item(), first.mean().item()), abs=1e-5
    )
    assert 5 in relu.silent
    assert relu.max == pytest.approx(second.max().item(), abs=1e-5)
    assert hidden.shape == (16,)
    assert [name for name, _ in result.top] == [CLASSES[i] for i in shares.argsort(descending=True)]
    assert result.top[0][1] == pytest.approx(shares.max().item(), abs=1e-6)


def test_sheet_is_written_beside_and_nothing_is_overwritten(file: str) -> None:
    first, second = ca.watch(file, "sample:cat"), ca.watch(file, "sample:cat", scale="channel", channels=3)
    assert [str(r.path) for r in (first, second)] == ["watch-small.png", "watch-small-2.png"]
    assert np.asarray(Image.open(first.path)).shape[1] == 3200
    assert [row.name for row in first.layers] == ["1", "4", "5", "8"]


def test_svg_with_embedded_maps(file: str) -> None:
    result = ca.watch(file, "sample:cat", layers="conv", scale="network", order="index", out="sheet.svg")
    root = ET.fromstring(result.path.read_text(encoding="utf-8"))
    told = [e.text for e in root.iter() if e.tag.endswith("text")]
    assert {"0", "3", "answer", "probabilities of 3 classes", "Conv2d · 12 maps of 32 × 32", "and 2 more"} <= set(told)
    assert len([e for e in root.iter() if e.tag.endswith("image")]) >= 5 + 20


def test_json_and_terminal(file: str, cli: Cli) -> None:
    said = cli("watch", file, "sample:cat", "--layers", "1", "--out", "a.png", "--json")
    doc = json.loads(said.out)
    assert doc["path"] == "a.png"
    assert doc["layers"][0]["shape"] == [12, 32, 32]
    assert 5 in doc["layers"][0]["silent"]
    text = cli("watch", file, "sample:cat", "--layers", "1", "--out", "a.png").out
    assert "Wrote a.png" in text
    assert "12 x 32 x 32" in text


def test_names_are_shown_as_they_are(file: str) -> None:
    result = ca.watch(file, "sample:cat", layers="1", out="a.png")
    out = io.StringIO()
    show_watch.show(Console(file=out, width=200), result)
    assert "a [red]class[/] of many words" in out.getvalue()
    assert "sample:cat: " in out.getvalue(), "not a cat's face"


def test_values_that_are_not_finite_are_told(here: Path) -> None:
    net = network()
    net[0].bias.data[2] = torch.inf
    save_model(Model(trace(net), CONTRACT, ()), here / "broken.safetensors")
    told = list(watch.stream("broken.safetensors", "sample:cat", layers="0", out="a.png"))
    assert [e.text for e in told if isinstance(e, Note)] == ["0 gives values that are not finite; they are drawn grey."]
    assert isinstance(told[-1], Done)
    result = told[-1].result
    assert result.layers[0].not_finite == 32 * 32
    assert result.top[0][0].startswith("class ")
    out = io.StringIO()
    show_watch.show(Console(file=out, width=200), result)
    assert "0 holds 1,024 values that are not finite." in out.getvalue()


def test_gray_input_has_one_channel(here: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    save_model(Model(trace(net), InputContract((8, 8), channels="gray"), ("a", "b")), here / "gray.safetensors")
    assert [row.kind for row in ca.watch("gray.safetensors", "sample:cat").layers] == ["Conv2d"]


def test_bad_asks_end_in_a_sentence(file: str, here: Path) -> None:
    with pytest.raises(BadInput, match="channels must be at least 1"):
        ca.watch(file, "sample:cat", channels=0)
    with pytest.raises(BadInput, match="scale must be channel, layer or network"):
        ca.watch(file, "sample:cat", scale="all")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="order must be contrast, strength or index"):
        ca.watch(file, "sample:cat", order="size")  # type: ignore[arg-type]
    (here / "two").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(here / "two" / name)
    with pytest.raises(BadInput, match="One picture is watched at a time, and two holds 2; name one of them"):
        ca.watch(file, "two")
    with pytest.raises(BadInput, match="The network has no layer '11'"):
        ca.watch(file, "sample:cat", layers="11")


def test_the_teachable_machine_model(shared_data: Path, here: Path) -> None:
    folder = shared_data / "teachable-machine"
    reference = json.loads((folder / "animals-h5" / "reference.json").read_text())
    assert reference
    result = ca.watch(str(folder / "animals-h5" / "keras_model.h5"), str(folder / "images" / "dog.4001.jpg"))
    assert 6 <= len(result.layers) <= 10
    assert result.layers[0].shape == (16, 112, 112)
    assert result.layers[-1].shape == (100,)
    shares = dict(result.top)
    assert shares["Dog"] == pytest.approx(0.533, abs=2e-3), "research/inspect.md, tf_keras"
    assert (here / "watch-keras_model.png").exists()


class ChannelsLast(nn.Module):
    """What a ConvNeXt block does: a norm over channels that stand last for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.conv(x).permute(0, 2, 3, 1)).mean((1, 2)))


def test_channels_that_stand_last_are_still_maps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = save_model(Model(trace(ChannelsLast().eval()), CONTRACT, CLASSES), tmp_path / "last.safetensors")
    found = ca.watch(str(file), "sample:cat", layers="norm", out=str(tmp_path / "a.svg"))
    (norm,) = found.layers
    assert norm.shape == (6, 32, 32)
    assert "6 maps of 32 × 32" in (tmp_path / "a.svg").read_text(encoding="utf-8")
