"""Live modules: the graph gives the module's own numbers, through fx or torch.export; what is no classifier is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.image import InputContract
from cutaway.model import open_model, save_model


def check(module: nn.Module, **settings: Any) -> Any:
    model = open_model(module, **settings)
    x = torch.randn(3, model.contract.in_channels, *model.contract.size)
    with torch.inference_mode():
        assert torch.allclose(model.graph(x), module.eval()(x), atol=1e-5)
    return model


class Net(nn.Module):
    def __init__(self, forward: Callable[[nn.Module, torch.Tensor], Any], channels: int = 3) -> None:
        super().__init__()
        self.conv, self.dense = nn.Conv2d(channels, 4, 3), nn.Linear(4, 2)
        self.how = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self.how(self, x)


def plain(net: Any, x: torch.Tensor) -> torch.Tensor:
    return net.dense(net.conv(x).relu().mean((2, 3)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["tf_mobilenetv3_small_minimal_100", "test_nfnet", "lcnet_050"])
def test_timm_networks(name: str) -> None:
    model = check(timm.create_model(name, num_classes=3), size=64, classes=("a", "b", "c"))
    assert model.classes == ("a", "b", "c")
    assert "torch.export" not in model.card["notes"]


def test_timms_own_contract_is_taken() -> None:
    model = open_model(timm.create_model("test_efficientnet", num_classes=2))
    config = timm.get_pretrained_cfg("test_efficientnet")
    assert model.contract.size == tuple(config.input_size[1:])
    assert model.contract.mean == tuple(config.mean)
    assert model.contract.crop_fraction == config.crop_pct


def test_a_torchvision_network_keeps_its_layers_names(tmp_path: Any) -> None:
    model = check(torchvision.models.shufflenet_v2_x0_5(num_classes=3), size=64)
    assert "conv1.0" in dict(model.graph.named_modules())
    assert "ImageNet's mean and spread are assumed" in model.card["notes"]
    again = open_model(save_model(model, tmp_path / "m.safetensors"))
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(again.graph(x), model.graph(x))


def test_what_fx_cannot_trace_comes_through_torch_export() -> None:
    def loops(net: Any, x: torch.Tensor) -> torch.Tensor:
        out = plain(net, x)
        for side in (int(x.shape[-1]), len(x.shape)):  # fx has no numbers for sizes
            out = out + side
        return out

    model = check(Net(loops), size=8)
    assert "Taken over with torch.export" in model.card["notes"]
    assert "conv" in dict(model.graph.named_modules())


def test_softmax_gray_double_precision_and_training_mode() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1)).double().train()
    model = open_model(module, size=(9, 7))
    assert module.training
    assert next(module.parameters()).dtype == torch.float64
    assert model.probabilities
    assert model.contract.channels == "gray"
    assert model.contract.size == (9, 7)
    assert next(model.graph.parameters()).dtype == torch.float32


def test_a_contract_of_the_persons_own_is_taken() -> None:
    contract = InputContract((8, 8), mean=(0.5,) * 3, std=(0.5,) * 3)
    assert check(Net(plain), contract=contract).contract == contract


def judges(net: Any, x: torch.Tensor) -> torch.Tensor:
    out = plain(net, x)
    return -out if x.mean() > 0 else out


@pytest.mark.parametrize(
    ("module", "settings", "error", "said"),
    [
        (Net(plain), {}, BadInput, "Net does not say what size of pictures it takes: give size=224"),
        (Net(plain), {"size": 0}, BadInput, "size must be a side or"),
        (Net(plain), {"size": (8, 8, 8)}, BadInput, "size must be a side or"),
        (Net(plain), {"size": 8, "classes": ("a",)}, BadInput, "classes must be 2 names, one for each output of Net"),
        (Net(plain), {"size": 2}, BadModel, r"Net does not work on a picture of 2 x 2 px \(.*\); give another size"),
        (Net(plain, 5), {"size": 8}, BadModel, "Net takes pictures of 5 channels"),
        (nn.Linear(3, 2), {"size": 8}, BadModel, "Linear has no convolution over pictures"),
        (Net(lambda n, x: n.conv(x)), {"size": 8}, BadModel, r"Net gives the shape \(1, 4, 6, 6\) for one picture"),
        (Net(lambda n, x: {"out": plain(n, x)}), {"size": 8}, BadModel, "Net gives a dict for one picture"),
        (
            Net(judges),
            {"size": 8},
            BadModel,
            "decides by the picture's values which way to go.*By torch.export: Net cannot",
        ),
        (
            Net(lambda n, x: plain(n, x).cumprod(1)),
            {"size": 8},
            BadModel,
            "cumprod at cumprod is not on the list.*cumprod at",
        ),
    ],
)
def test_what_cannot_be_opened_is_told(module: nn.Module, settings: Any, error: type[Exception], said: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(error, match=said):
        open_model(module, **settings)


def test_a_module_without_weights_is_told() -> None:
    with torch.device("meta"):
        module = Net(plain)
    with pytest.raises(BadModel, match=r"Net (has no weights|does not work)"):
        open_model(module, size=8)
