"""Weights without a network: found by names and shapes alone, whatever wraps them; the numbers are the library's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.image import InputContract
from cutaway.zoo import matching, plain_fit, signatures
from cutaway.zoo.plain import PLAIN
from cutaway.zoo.weightless import weightless

State = dict[str, torch.Tensor]


def state_of(network: nn.Module) -> State:
    return {k: v.clone() for k, v in network.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("squeezenet1_1", lambda: torchvision.models.squeezenet1_1(num_classes=7)),
        ("mobilenet_v3_small", lambda: torchvision.models.mobilenet_v3_small(num_classes=7)),
        ("regnet_x_400mf", lambda: torchvision.models.regnet_x_400mf(num_classes=7)),
        ("lcnet_050", lambda: timm.create_model("lcnet_050", num_classes=7)),
        ("test_efficientnet", lambda: timm.create_model("test_efficientnet", num_classes=7)),
    ],
)
def test_the_network_is_found_and_gives_the_librarys_numbers(name: str, make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    network = make().eval()
    fit = matching.match(state_of(network), "net.pth")
    assert fit is not None
    assert (fit.name, fit.classes, fit.in_channels) == (name, 7, 3)
    named = matching.filled(fit, state_of(network), "net.pth")
    x = torch.randn(2, 3, *named.contract.size)
    with torch.inference_mode():
        assert torch.equal(named.graph(x), network(x))
    assert named.classes == tuple(f"class {n}" for n in range(7))
    assert f"{name}, 7 classes: every name and shape fits" in named.card["notes"]


SMALL = torchvision.models.shufflenet_v2_x0_5


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "backbone.encoder.net.", "0."])
def test_a_prefix_is_taken_off(prefix: str) -> None:
    network = SMALL(num_classes=3).eval()
    state = {prefix + k: v for k, v in state_of(network).items()}
    fit = matching.match(state, "x.ckpt")
    assert fit is not None
    assert (fit.name, fit.prefix, fit.classes) == ("shufflenet_v2_x0_5", prefix, 3)
    named = matching.filled(fit, state, "x.ckpt")
    assert f"The names begin with '{prefix}', which was taken off" in named.card["notes"]
    with torch.inference_mode():
        assert torch.equal(named.graph(torch.ones(1, 3, 224, 224)), network(torch.ones(1, 3, 224, 224)))


def test_other_arrays_beside_the_network_are_left_out_and_counted() -> None:
    state = {f"model.{k}": v for k, v in state_of(SMALL(num_classes=3)).items()}
    fit = matching.match({**state, "loss.weight": torch.ones(3)}, "lightning.ckpt")
    assert fit is not None
    assert fit.left == 1
    named = matching.filled(fit, {**state, "loss.weight": torch.ones(3)}, "lightning.ckpt")
    assert "1 other arrays in the file belong to no layer of it" in named.card["notes"]


def test_counters_auxiliary_heads_and_old_names_need_not_fit() -> None:
    torch.manual_seed(0)
    google = torchvision.models.googlenet(num_classes=4, init_weights=False)
    state = {k: v for k, v in state_of(google).items() if not k.endswith("num_batches_tracked")}
    assert any(k.startswith("aux1") for k in state)
    fit = matching.match(state, "g.pth")
    assert fit is not None
    assert fit.name == "googlenet"
    assert matching.filled(fit, state, "g.pth").classes[3] == "class 3"
    dense = state_of(torchvision.models.densenet121(num_classes=4))
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", k): v for k, v in dense.items()}
    assert set(old) != set(dense)
    fit = matching.match(old, "d.pth")
    assert fit is not None
    assert fit.name == "densenet121"


def test_gray_input_is_seen_in_the_first_layer() -> None:
    network = timm.create_model("lcnet_050", num_classes=5, in_chans=1).eval()
    fit = matching.match(state_of(network), "n.pth")
    assert fit is not None
    named = matching.filled(fit, state_of(network), "n.pth")
    assert (named.contract.channels, len(named.contract.mean)) == ("gray", 1)
    with torch.inference_mode():
        x = torch.randn(1, 1, 224, 224)
        assert torch.equal(named.graph(x), network(x))
    four = state_of(timm.create_model("lcnet_050", num_classes=5, in_chans=4))
    fit = matching.match(four, "n.pth")
    assert fit is not None
    with pytest.raises(BadModel, match=r"The weights are for pictures of 4 channels; Cutaway feeds 1 \(gray\) or 3"):
        matching.filled(fit, four, "n.pth")


def test_of_several_that_fit_the_best_known_is_taken_and_the_others_are_named() -> None:
    network = timm.create_model("efficientnet_b0", num_classes=3)
    state = state_of(network)
    fit = matching.match(state, "net.pth")
    assert fit is not None
    assert fit.name == "efficientnet_b0" or fit.name == "timm/efficientnet_b0"
    assert any("tf_efficientnet_b0" in other for other in fit.others)
    assert "tf_efficientnet_b0" in matching.filled(fit, state, "net.pth").card["notes"]
    for file, hint, network_asked in (
        ("tf_efficientnet_b0_aa-12.pth", "", ""),
        ("net.pth", "tf_efficientnet_b0.ns_jft_in1k", ""),
        ("net.pth", "", "tf_efficientnet_b0"),
        ("net.pth", "", "timm/tf_efficientnet_b0.ns_jft_in1k"),
    ):
        chosen = matching.match(state, file, hint, network_asked)
        assert chosen is not None
        assert chosen.name == "tf_efficientnet_b0", "as it is listed, however it was written"


def test_a_network_asked_for_that_does_not_fit_or_exist() -> None:
    state = state_of(SMALL(num_classes=3))
    assert matching.match(state, "n.pth", network="resnet18") is None
    assert matching.match(state, "n.pth", network="lenet5") is None
    with pytest.raises(BadInput, match="There is no network 'resnet19'"):
        matching.match(state, "n.pth", network="resnet19")


def test_the_files_own_classes_and_contract_win_and_a_thousand_classes_are_imagenets() -> None:
    state = state_of(SMALL(num_classes=2))
    fit = matching.match(state, "n.pth")
    assert fit is not None
    contract = InputContract((160, 160), "squash")
    named = matching.filled(fit, state, "n.pth", classes=("cat", "dog"), contract=contract)
    assert (named.classes, named.contract) == (("cat", "dog"), contract)
    whole = state_of(timm.create_model("lcnet_050"))
    fit = matching.match(whole, "n.pth")
    assert fit is not None
    named = matching.filled(fit, whole, "n.pth")
    assert named.classes[0].startswith("tench")
    assert "those that the network was published with were assumed" in named.card["notes"]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("channels", [1, 3])
def test_our_own_networks_are_found_with_their_size_and_knobs(name: str, channels: int) -> None:
    torch.manual_seed(0)
    for size in {48, min(PLAIN[name].size[0], 48)}:
        knobs = {"depth": 4, "filters": 8, "kernel_size": 5} if name == "small-cnn" else {}
        network = PLAIN[name].make(6, (size, size), channels, **knobs).eval()
        fit = matching.match({f"module.{k}": v for k, v in state_of(network).items()}, "n.pth")
        assert fit is not None
        assert (fit.name, fit.classes, fit.in_channels, fit.knobs) == (name, 6, channels, knobs)
        named = matching.filled(fit, {f"module.{k}": v for k, v in state_of(network).items()}, "n.pth")
        x = torch.randn(2, channels, *named.contract.size)
        with torch.inference_mode():
            assert torch.equal(named.graph(x), network(x))


def test_what_only_looks_like_one_of_ours_is_not() -> None:
    odd = nn.Sequential()
    odd.add_module("conv1", nn.Conv2d(3, 8, 3))
    odd.add_module("dense", nn.Linear(8, 2))
    odd.add_module("extra", nn.Linear(2, 2))
    assert plain_fit.fitting(signatures.shapes_by_key(odd.state_dict())) is None


def test_the_nearest_networks_are_named_with_their_share() -> None:
    network = torchvision.models.resnet18(num_classes=10)
    network.layer4[1].conv2 = nn.Conv2d(512, 512, 5)
    state = state_of(network)
    assert matching.match(state, "n.pth") is None
    near = matching.near(state)
    assert near[0].name in ("resnet18", "timm/resnet18")
    assert 0.9 < near[0].share < 1
    assert matching.near({"a.b": torch.ones(3, 5)}) == ()


def test_the_table_is_for_the_installed_libraries_and_small() -> None:
    rows = signatures.table()
    assert len(rows) > 1200
    path = Path(signatures.__file__).with_name(signatures.TABLE)
    assert path.stat().st_size < 400_000
    for name in ("resnet18", "mobilenet_v2", "convnext_tiny", "timm/resnet18", "tf_efficientnet_b0", "dla34"):
        assert any(row.name == name for row in rows)
    assert signatures.line_of(rows[0]) == path.read_text().splitlines()[1]


def test_weightless_networks_have_shapes_and_no_memory() -> None:
    with weightless():
        network = torchvision.models.regnet_x_400mf()
    assert all(p.is_meta for p in network.parameters())
    wanted = torchvision.models.regnet_x_400mf()
    assert signatures.shapes_by_key(network.state_dict()) == signatures.shapes_by_key(wanted.state_dict())
