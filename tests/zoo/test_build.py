"""build by name: the library's own numbers, its published contract, sizes, knobs, weights from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.zoo import Named, build, networks
from cutaway.zoo import libraries as zoo_libraries

CATS = ("cat", "dog", "hamster")
SMALL = [  # (our name, how the library makes it)
    ("alexnet", lambda: torchvision.models.alexnet(num_classes=3)),
    ("resnet18", lambda: torchvision.models.resnet18(num_classes=3)),
    ("squeezenet1_1", lambda: torchvision.models.squeezenet1_1(num_classes=3)),
    ("mobilenet_v2", lambda: torchvision.models.mobilenet_v2(num_classes=3)),
    ("shufflenet_v2_x0_5", lambda: torchvision.models.shufflenet_v2_x0_5(num_classes=3)),
    ("densenet121", lambda: torchvision.models.densenet121(num_classes=3)),
    ("googlenet", lambda: torchvision.models.googlenet(num_classes=3, aux_logits=False, init_weights=True)),
    ("efficientnet_b0", lambda: torchvision.models.efficientnet_b0(num_classes=3)),
    ("timm/resnet18", lambda: timm.create_model("resnet18", num_classes=3)),
    ("mobilenetv3_small_050", lambda: timm.create_model("mobilenetv3_small_050", num_classes=3)),
    ("tf_efficientnet_lite0", lambda: timm.create_model("tf_efficientnet_lite0", num_classes=3)),
    ("test_convnext", lambda: timm.create_model("test_convnext", num_classes=3)),
]


@pytest.mark.parametrize(("name", "make"), SMALL, ids=[name for name, _ in SMALL])
def test_output_and_parameters_are_the_librarys(name: str, make: Any) -> None:
    torch.manual_seed(3)
    named = build(name, classes=CATS, size=64)
    torch.manual_seed(3)
    own = make().eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(named.graph(x), own(x))
    assert sum(p.numel() for p in named.graph.parameters()) == sum(p.numel() for p in own.parameters())
    assert (named.classes, named.contract.size, named.probabilities) == (CATS, (64, 64), False)


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "efficientnet_b0", "vgg19", "densenet121", "mobilenet_v2.IMAGENET1K_V1"]
)
def test_the_contract_is_torchvisions_own_transform(name: str) -> None:
    network, _, tag = name.partition(".")
    recipe = torchvision.models.get_model_weights(network)[tag or "DEFAULT"].transforms()
    contract = build(name, classes=CATS).contract if network != "vgg19" else _contract(name)
    assert contract.size == (recipe.crop_size[0],) * 2
    assert contract.crop_fraction == recipe.crop_size[0] / recipe.resize_size[0]
    assert (list(contract.mean), list(contract.std)) == (recipe.mean, recipe.std)
    assert (contract.interpolation, contract.fit, contract.channels) == (recipe.interpolation.value, "crop", "RGB")


@pytest.mark.parametrize(
    "name",
    ["mobilenetv3_small_100", "timm/resnet18.a1_in1k", "timm/resnet50.a1_in1k", "tf_efficientnet_b0", "nfnet_f0"],
)
def test_the_contract_is_timms_own_transform(name: str) -> None:
    recipe = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name.removeprefix("timm/")).to_dict())
    contract = _contract(name)
    assert contract.size == recipe["input_size"][1:]
    assert (contract.crop_fraction, contract.interpolation) == (recipe["crop_pct"], recipe["interpolation"])
    assert (contract.mean, contract.std) == (recipe["mean"], recipe["std"])
    assert contract.fit == {"center": "crop", "squash": "squash", "border": "pad"}[recipe["crop_mode"]]


def _contract(name: str) -> Any:
    from cutaway.zoo.names import meaning
    from cutaway.zoo.sources import source_of

    return source_of(meaning(name)).contract


def test_the_contract_of_googlenet_is_what_torchvision_does_inside_it() -> None:
    own = torchvision.models.googlenet(num_classes=3, aux_logits=False, init_weights=False, transform_input=True)
    recipe = torchvision.models.GoogLeNet_Weights.DEFAULT.transforms()
    pixels = torch.rand(1, 3, 4, 4)
    usual = (pixels - torch.tensor(recipe.mean).view(3, 1, 1)) / torch.tensor(recipe.std).view(3, 1, 1)
    ours = _contract("googlenet")
    assert torch.allclose(own._transform_input(usual), (pixels - ours.mean[0]) / ours.std[0], atol=1e-6)


def test_networks_trained_from_scratch_get_a_plain_contract() -> None:
    contract = build("tutorial-cifar", classes=CATS).contract
    assert (contract.size, contract.scale, contract.offset) == ((32, 32), 1.0, 0.0)
    assert (contract.mean, contract.std) == ((0.5,) * 3, (0.25,) * 3)


def test_gray_input() -> None:
    assert build("lenet5", classes=CATS).contract.channels == "gray"
    colour = build("lenet5", classes=CATS, in_channels=3)
    assert (colour.contract.channels, colour.contract.mean) == ("RGB", (0.5,) * 3)
    for name in ("resnet18", "mobilenetv3_small_050"):
        gray = build(name, classes=CATS, size=64, in_channels=1)
        assert gray.graph(torch.zeros(1, 1, 64, 64)).shape == (1, 3)
        assert gray.contract.mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))


def test_gray_weights_give_what_equal_colours_gave(tmp_path: Path) -> None:
    own = torchvision.models.resnet18(num_classes=3).eval()
    torch.save(own.state_dict(), tmp_path / "own.pth")
    gray = build("resnet18", classes=CATS, size=64, in_channels=1, weights_file=tmp_path / "own.pth")
    x = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(gray.graph(x), own(x.expand(-1, 3, -1, -1)), atol=1e-4)


def test_knobs_reach_the_network() -> None:
    def rates(named: Named) -> set[float]:
        return {m.p for m in named.graph.modules() if isinstance(m, nn.Dropout)}

    assert rates(build("mobilenet_v2", classes=CATS, size=64, dropout=0.45)) == {0.45}
    assert rates(build("test_vit", classes=CATS, dropout=0.35)) >= {0.35}
    assert rates(build("small-cnn", classes=CATS, dropout=0.1, depth=2)) == {0.1}


@pytest.mark.parametrize(
    ("name", "knobs", "said"),
    [
        ("lenet5", {"depth": 3}, r"lenet5 cannot be made with depth=3 \(.*\)\. Its knobs: activation, in_channels\."),
        ("resnet18", {"dropout": 0.5}, r"resnet18 cannot be made with dropout=0\.5 \(.*dropout"),
        ("test_resnet", {"wings": 2}, r"test_resnet cannot be made with wings=2 \(.*wings"),
        ("small-cnn", {"dropout": 5.0}, r"small-cnn cannot be made with dropout=5\.0 \(dropout probability"),
        ("lenet5", {"in_channels": 2}, r"in_channels must be 1 \(gray\) or 3 \(RGB\)\. Got 2\."),
    ],
)
def test_knobs_that_do_not_exist(name: str, knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        build(name, classes=CATS, **knobs)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"classes": ()}, r"classes must be the class names in output order\. Got \(\)\."),
        ({"classes": ("a", "a")}, r"classes must be names that differ from each other\. Got \('a', 'a'\)\."),
        ({"classes": "ab"}, r"classes must be names that differ from each other\. Got 'ab'\."),
        ({"classes": CATS, "size": 0}, r"size must be a side or \(height, width\) from 1 to 4096 pixels\. Got 0\."),
        ({"classes": CATS, "size": (8, 8, 3)}, r"size must be a side or .* Got \(8, 8, 3\)\."),
        ({"classes": CATS, "pretrained": True}, "tutorial-cifar has no published weights; train it from scratch"),
        (
            {"classes": CATS, "pretrained": True, "weights_file": "x.pth"},
            "pretrained and weights_file are two sources of weights; give one of them.",
        ),
    ],
)
def test_bad_orders(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        build("tutorial-cifar", **arguments)


@pytest.mark.parametrize(
    ("name", "size", "smallest"), [("tutorial-cifar", 16, 18), ("lenet5", 8, 16), ("alexnet", 32, 63)]
)
def test_a_size_that_is_too_small_is_answered_with_the_smallest_that_works(name: str, size: int, smallest: int) -> None:
    said = f"{name} does not work at {size} x {size} pixels; the smallest size that works is {smallest} x {smallest}."
    with pytest.raises(BadInput, match=said):
        build(name, classes=CATS, size=size)
    assert build(name, classes=CATS, size=smallest).contract.size == (smallest, smallest)
    with pytest.raises(BadInput, match="does not work"):
        build(name, classes=CATS, size=smallest - 1)


def test_a_network_made_for_one_size_says_so() -> None:
    with pytest.raises(BadInput, match=r"test_vit does not work at 50 x 50 pixels"):
        build("test_vit", classes=CATS, size=50)
    assert build("test_vit", classes=CATS, size=96).contract.size == (96, 96)


@pytest.mark.parametrize("name", ["resnet18.IMAGENET0", "mobilenetv3_small_100.in0k", "lenet5.best"])
def test_weights_that_were_never_published(name: str) -> None:
    tag = name.partition(".")[2]
    with pytest.raises(BadInput, match=f"has no published weights.* '{tag}'|none named '{tag}'"):
        build(name, classes=CATS)


def test_a_network_that_cannot_be_taken_apart_says_so_and_names_others() -> None:
    said = r"convit_tiny is not \(only\) convolutional .* take it apart yet; near names that work: .*convnext"
    with pytest.raises(BadModel, match=said):
        build("convit_tiny", classes=CATS)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("name", ["resnet18", "test_resnet", "tutorial-cifar"])
def test_weights_from_a_file(tmp_path: Path, name: str, ending: str) -> None:
    torch.manual_seed(1)
    trained = build(name, classes=CATS, size=64)
    state = {k: v.contiguous() for k, v in trained.graph.state_dict().items()}
    if name != "tutorial-cifar":
        make = torchvision.models.resnet18 if name == "resnet18" else zoo_libraries.timm_network
        own = make(num_classes=3) if name == "resnet18" else make(name, 3, {})
        state = own.state_dict()
    path = tmp_path / f"weights.{ending}"
    save_file(state, path) if ending == "safetensors" else torch.save({"state_dict": state}, path)
    again = build(name, classes=CATS, size=64, weights_file=path)
    for key, tensor in again.graph.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    assert again.card["weights"] == path.name


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "test_resnet", "small-cnn"])
def test_another_number_of_classes_gets_a_fresh_last_layer(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    five = build(name, classes=tuple("abcde"), size=64)
    torch.save(five.graph.state_dict(), tmp_path / "five.pth")
    three = build(name, classes=CATS, size=64, weights_file=tmp_path / "five.pth")
    assert three.graph(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    kept, given = three.graph.state_dict(), five.graph.state_dict()
    other = [key for key in given if given[key].shape != kept[key].shape]
    assert 1 <= len(other) <= 2
    assert all(torch.equal(kept[key], given[key]) for key in given if key not in other)


def test_weights_that_do_not_fit_name_the_layer_and_both_shapes(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(num_classes=3).state_dict()
    bad = {
        "shape": {**state, "layer1.0.conv1.weight": torch.zeros(64, 32, 3, 3)},
        "gone": {k: v for k, v in state.items() if k != "bn1.bias"},
        "more": {**state, "extra.weight": torch.zeros(2, 2)},
    }
    said = {
        "shape": r"shape.pth has layer1\.0\.conv1\.weight as \(64, 32, 3, 3\); resnet18 needs \(64, 64, 3, 3\)\.",
        "gone": r"gone.pth holds no weights for bn1\.bias of resnet18 \(64,\); it was made by another network\.",
        "more": r"more.pth holds extra\.weight \(2, 2\), which resnet18 does not have\.",
    }
    for word, found in bad.items():
        torch.save(found, tmp_path / f"{word}.pth")
        with pytest.raises(BadModel, match=said[word]):
            build("resnet18", classes=CATS, weights_file=tmp_path / f"{word}.pth")
    with pytest.raises(BadModel, match=r"shape.pth holds no weights for conv_stem|shape.pth holds no weights for"):
        build("mobilenetv3_small_050", classes=CATS, size=64, weights_file=tmp_path / "shape.pth")


def test_old_densenet_names_and_auxiliary_heads_are_understood(tmp_path: Path) -> None:
    own = torchvision.models.densenet121(num_classes=3)
    old = {k.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): v for k, v in own.state_dict().items()}
    torch.save(old, tmp_path / "old.pth")
    assert build("densenet121", classes=CATS, size=64, weights_file=tmp_path / "old.pth")
    whole = torchvision.models.googlenet(num_classes=3, aux_logits=True, init_weights=False)
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    assert build("googlenet", classes=CATS, size=64, weights_file=tmp_path / "whole.pth")


def test_every_name_in_the_list_has_a_source_and_a_contract() -> None:
    rows = networks()
    for row in rows[:: max(1, len(rows) // 60)]:
        contract = _contract(row.name)
        assert contract.size == row.size
        assert 0 < contract.crop_fraction <= 1
