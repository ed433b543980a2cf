"""Which layers are shown: telling ones by themselves, or what was asked for."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn
from torchvision import models

from cutaway.errors import BadInput
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.verbs.layer_choice import choose_layers


def traced(net: nn.Module, side: int = 64) -> tuple[fx.GraphModule, dict[str, tuple[int, ...]]]:
    graph = trace(net.eval())
    return graph, shapes_of(graph, (3, side, side))


@pytest.fixture(scope="module")
def small() -> tuple[fx.GraphModule, dict[str, tuple[int, ...]]]:
    torch.manual_seed(0)
    return traced(
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2048, 10), nn.ReLU(), nn.Dropout(),
            nn.Linear(10, 3), nn.Softmax(1),
        )
    )  # fmt: skip


def test_ends_of_stages_then_rows_of_numbers(small: tuple[fx.GraphModule, dict[str, tuple[int, ...]]]) -> None:
    assert choose_layers(*small, "") == ("2", "4", "5", "7", "8")


def test_families_kinds_names_and_all(small: tuple[fx.GraphModule, dict[str, tuple[int, ...]]]) -> None:
    assert choose_layers(*small, "conv") == ("0", "4")
    assert choose_layers(*small, "maxpool2d") == ("3", "5")
    blocks = traced(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), nn.Sequential(nn.Conv2d(4, 4, 1))))
    assert choose_layers(*blocks, "0") == ("0.0", "0.1")
    assert choose_layers(*small, " 4, 0 ,activation") == ("0", "2", "4", "8")
    assert len(choose_layers(*small, "all")) == 12


def test_what_is_not_there(small: tuple[fx.GraphModule, dict[str, tuple[int, ...]]]) -> None:
    with pytest.raises(BadInput, match=r"no layer of the family 'attention' \(attention\); it has conv, norm"):
        choose_layers(*small, "attention")
    with pytest.raises(BadInput, match="The network has no layer 'convv'"):
        choose_layers(*small, "convv")
    with pytest.raises(BadInput, match="'input_1' is not computed by a layer"):
        choose_layers(*small, "input_1")
    with pytest.raises(BadInput, match="layers names nothing"):
        choose_layers(*small, " , ")


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "googlenet"])
def test_known_networks_give_few_activations_of_every_resolution(name: str) -> None:
    settings = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    graph, shapes = traced(getattr(models, name)(weights=None, **settings))
    chosen = choose_layers(graph, shapes, "")
    sides = [s[3] for n in chosen if len(s := shapes[_node(graph, n)]) == 4 and s[3] > 1]
    assert 6 <= len(chosen) <= 10
    assert sides == sorted(sides, reverse=True)
    assert set(sides) == {32, 16, 8, 4, 2}
    if name == "googlenet":
        assert any(n.startswith("cat") for n in chosen), "the end of an inception block joins its branches"


def _node(graph: fx.GraphModule, name: str) -> str:
    from cutaway.graph.names import step_named

    return step_named(graph, name).name
