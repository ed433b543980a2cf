"""filters: the layer's own weights as a sheet and as numbers."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from shapes import Cli
from torch import nn

import cutaway as ca
from cutaway.cli import show_filters
from cutaway.errors import BadInput, BadModel
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, save_model


def network() -> nn.Sequential:
    torch.manual_seed(5)
    net = nn.Sequential(
        nn.ZeroPad2d(1), nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6), nn.ConvTranspose2d(6, 4, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
    ).eval()  # fmt: skip
    net[1].weight.data[4] = 0
    return net


def saved(net: nn.Module, here: Path, channels: str = "RGB") -> str:
    contract = InputContract((16, 16), channels=channels)  # type: ignore[arg-type]
    save_model(Model(trace(net), contract, ("a", "b")), here / "net.safetensors")
    return "net.safetensors"


def test_first_convolution_and_its_statistics(here: Path) -> None:
    net = network()
    result = ca.filters(saved(net, here))
    weights = net[1].weight.detach().numpy()
    assert (result.layer, result.kind, result.shape, result.groups) == ("1", "Conv2d", (6, 3, 3, 3), 1)
    assert (result.min, result.max) == pytest.approx((weights.min(), weights.max()))
    assert (result.mean, result.std) == pytest.approx((weights.mean(), weights.std()), abs=1e-6)
    assert (result.zeros, result.weak) == (27, (4,))
    assert result.strengths == pytest.approx(np.linalg.norm(weights.reshape(6, -1), axis=1), abs=1e-6)
    assert sum(result.counts) == weights.size
    assert (result.edges[0], result.edges[-1]) == pytest.approx((weights.min(), weights.max()))
    assert str(result.path) == "filters-net.png"
    assert np.asarray(Image.open(result.path)).shape[1] == 3200


@pytest.mark.parametrize(
    ("layer", "shape", "groups"),
    [("3", (6, 1, 3, 3), 6), ("4", (4, 6, 2, 2), 1), ("7", (2, 4, 1, 1), 1)],
)
def test_every_kind_of_layer_with_weights(here: Path, layer: str, shape: tuple[int, ...], groups: int) -> None:
    result = ca.filters(saved(network(), here), layer=layer, out="a.svg")
    assert (result.shape, result.groups) == (shape, groups)
    assert f"{layer}: kernels" in result.path.read_text(encoding="utf-8")


def test_blue_first_kernels_are_shown_red_first(here: Path) -> None:
    net = network()
    plain = ca.filters(saved(net, here), out="a.png").path.read_bytes()
    net[1].weight.data = net[1].weight.data.flip(1)
    assert ca.filters(saved(net, here, "BGR"), out="b.png").path.read_bytes() == plain


def test_equal_weights_have_a_histogram(here: Path) -> None:
    net = network()
    net[1].weight.data.fill_(0.25)
    assert sum(ca.filters(saved(net, here)).counts) == 162


def test_terminal_and_json(here: Path, cli: Cli) -> None:
    file = saved(network(), here)
    said = cli("filters", file, "--out", "a.png").out
    assert "1 Conv2d: 6 filters, 3 x 3 x 3 each" in said
    assert "Nearly zero, below a hundredth of the strongest: 1 (4)." in said
    assert json.loads(cli("filters", file, "--layer", "3", "--out", "a.png", "--json").out)["groups"] == 6
    out = io.StringIO()
    show_filters.show(Console(file=out, width=200), ca.filters(file, layer="3"))
    assert "6 groups" in out.getvalue()


def test_bad_asks_end_in_a_sentence(here: Path) -> None:
    file = saved(network(), here)
    with pytest.raises(BadInput, match="The layer '2' has no kernels; layers that have are 1, 3, 4, 7"):
        ca.filters(file, layer="2")
    with pytest.raises(BadInput, match="The network has no layer 'conv9'"):
        ca.filters(file, layer="conv9")
    with pytest.raises(BadInput, match=r"out must be a file that ends in \.png or \.svg"):
        ca.filters(file, out="a.jpg")
    net = network()
    net[1].weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(BadModel, match="The layer 1 holds 1 weights that are not finite"):
        ca.filters(saved(net, here))
    dense = nn.Sequential(nn.Flatten(), nn.Linear(768, 2)).eval()
    with pytest.raises(BadInput, match="The network has no convolution; name one of its layers with --layer"):
        ca.filters(saved(dense, here))
