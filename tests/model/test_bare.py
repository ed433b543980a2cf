"""Files of weights: the Model of the network that fits, or a view with the nearest ones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.formats.parts import OnlyView
from cutaway.image import InputContract
from cutaway.model import open_model, save_model
from cutaway.zoo.plain import tutorial_cifar


def saved(path: Path, what: Any, **settings: Any) -> Path:
    torch.save(what, path, **settings)
    return path


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return tutorial_cifar(3).eval()


def numbers(model: Any, network: nn.Module) -> bool:
    x = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        return torch.equal(model.graph(x), network(x))


def test_every_way_of_saving_weights_opens(tmp_path: Path, network: nn.Module) -> None:
    state = network.state_dict()
    moving = torch.optim.SGD(network.parameters(), momentum=0.9)
    save_file(state, tmp_path / "a.safetensors")
    paths = [
        tmp_path / "a.safetensors",
        saved(tmp_path / "b.pth", state),
        saved(tmp_path / "c.pth", state, _use_new_zipfile_serialization=False),
        saved(
            tmp_path / "d.tar", {"state_dict": {f"module.{k}": v for k, v in state.items()}, "opt": moving.state_dict()}
        ),
        saved(tmp_path / "e.pt", network),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.zeros(1, 3, 32, 32)).save(str(tmp_path / "f.pt"))
        torch.jit.script(network).save(str(tmp_path / "g.pt"))
    for path in [*paths, tmp_path / "f.pt", tmp_path / "g.pt"]:
        model = open_model(path)
        assert numbers(model, network), path.name
        assert model.card["network"] == "tutorial-cifar"
        assert "Weights matched to Cutaway's tutorial-cifar, 3 classes" in model.card["notes"]
    assert model.card["format"] == "TorchScript"


def test_a_frozen_torchscript_archive_is_told(tmp_path: Path, network: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(torch.jit.trace(network, torch.zeros(1, 3, 32, 32)))
        frozen.save(str(tmp_path / "f.pt"))
    with pytest.raises(BadModel, match=r"f\.pt is a TorchScript archive without weights: its numbers were frozen"):
        open_model(tmp_path / "f.pt")


def test_labels_beside_the_file_and_what_the_person_says(tmp_path: Path, network: nn.Module) -> None:
    path = saved(tmp_path / "net.pth", network.state_dict())
    assert open_model(path).classes == ("class 0", "class 1", "class 2")
    (tmp_path / "labels.txt").write_text("cat\ndog\nhamster\n")
    assert open_model(path).classes == ("cat", "dog", "hamster")
    assert open_model(path, classes=("x", "y", "z")).classes == ("x", "y", "z")
    contract = InputContract((32, 32), "squash")
    assert open_model(path, contract=contract).contract == contract
    with pytest.raises(BadInput, match="classes must be 3 names"):
        open_model(path, classes=("x",))
    with pytest.raises(BadModel, match="At 40 x 40 px the layer dense1 cannot work"):
        open_model(path, size=40)


def test_half_precision_weights_are_float32_and_said_so(tmp_path: Path, network: nn.Module) -> None:
    model = open_model(saved(tmp_path / "h.pth", {k: v.half() for k, v in network.state_dict().items()}))
    assert "stored in another precision and are float32 now" in model.card["notes"]
    assert numbers(model, network.half().float())


def test_weights_that_are_no_numbers_are_told(tmp_path: Path, network: nn.Module) -> None:
    state = network.state_dict()
    state["conv2.bias"][3] = float("nan")
    with pytest.raises(BadModel, match=r"net\.pth: the weights 'conv2\.bias' hold values that are no numbers"):
        open_model(saved(tmp_path / "net.pth", state))


def test_weights_that_no_network_has_are_listed(tmp_path: Path) -> None:
    network = torchvision.models.resnet18(num_classes=4)
    network.fc = nn.Sequential(nn.Linear(512, 64), nn.Linear(64, 4))  # type: ignore[assignment]
    path = saved(tmp_path / "mine.pth", {"model": network, "epoch": 1})
    with pytest.raises(
        OnlyView, match=r"mine\.pth holds weights without a network .*nearest: (timm/)?resnet18"
    ) as told:
        open_model(path)
    message = str(told.value)
    assert "is a pickled torchvision.models.resnet.ResNet, whose code Cutaway does not run" in message
    assert 'torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 3, 224, 224),)), "net.pt2")' in message
    view = told.value.view
    assert view.answer == "weights"
    rows = {row.name: row for row in view.rows}
    assert (rows["conv1"].kind, rows["conv1"].shape, rows["conv1"].parameters) == ("convolution", (64, 3, 7, 7), 9408)
    assert rows["bn1"].kind == "batch normalisation"
    assert rows["fc.0"].kind == "dense layer"
    assert rows["fc.0"].note == "weight 64 x 512, bias 64"


def test_weights_with_nothing_near_are_listed_too(tmp_path: Path) -> None:
    state = {"a": torch.ones(3), "b.x": torch.ones(2, 2), "b.y": torch.ones(1), "n.weight": torch.ones(4)}
    with pytest.raises(OnlyView, match="nothing near was found") as told:
        open_model(saved(tmp_path / "w.pth", state))
    assert [row.kind for row in told.value.view.rows] == ["array", "arrays", "scale (normalisation)"]


def test_a_network_that_was_named_has_to_fit(tmp_path: Path, network: nn.Module) -> None:
    path = saved(tmp_path / "net.pth", network.state_dict())
    assert open_model(path, network="tutorial-cifar").card["network"] == "tutorial-cifar"
    with pytest.raises(BadModel, match=r"The weights in net\.pth do not fit resnet18"):
        open_model(path, network="resnet18")
    own = tmp_path / "net.safetensors"
    save_model(open_model(path), own)
    with pytest.raises(BadModel, match=r"net\.safetensors holds its own network, so it cannot be opened as resnet18"):
        open_model(own, network="resnet18")
