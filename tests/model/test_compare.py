"""Comparison: figures by hand, a fine-tuned model, a merged batch norm, pictures, real Teachable Machine files."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.engine.fast import fast_twin
from cutaway.image import Image, InputContract
from cutaway.image.read import read_image
from cutaway.model import Model, open_model
from cutaway.model.compare import PARTED, Comparison, compare_models, compare_on

Make = Callable[..., Model]


def changed(model: Model, layer: str, by: float) -> Model:
    graph = copy.deepcopy(model.graph)
    graph.get_submodule(layer).weight.data += by
    return dataclasses.replace(model, graph=graph)


def picture(seed: int) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    return Image(pixels, f"random {seed}")


def on(a: Model, b: Model, *pictures: Image) -> Comparison:
    *_, (done, found) = compare_on(compare_models(a, b), a, b, [(p.name, p) for p in pictures])
    assert done == len(pictures)
    return found


def test_a_model_equals_itself(make_model: Make) -> None:
    model = make_model()
    found = on(model, model, picture(1))
    assert found.counted("equal") == len(found.pairs) > 5
    assert (found.contract, found.notes, found.parts_at) == ({}, (), "")
    assert all(pair.activation == 0 for pair in found.pairs)
    assert found.pictures[0].difference == 0


def test_one_changed_layer_is_found_with_its_figures(make_model: Make) -> None:
    model = make_model()
    other = changed(model, "dense", 0.5)
    found = compare_models(model, other)
    (pair,) = [p for p in found.pairs if p.status != "equal"]
    assert (pair.a, pair.b, pair.status, pair.settings) == ("dense", "dense", "weights", {})
    assert pair.weights is not None
    one = torch.cat([p.detach().double().flatten() for p in model.graph.get_submodule("dense").parameters()])
    two = torch.cat([p.detach().double().flatten() for p in other.graph.get_submodule("dense").parameters()])
    assert pair.weights.largest == pytest.approx(0.5, abs=1e-6)
    assert pair.weights.relative == pytest.approx(float((one - two).norm() / one.norm()))
    assert pair.weights.correlation == pytest.approx(np.corrcoef(one, two)[0, 1])


def test_pictures_show_where_two_models_part(make_model: Make) -> None:
    model = make_model()
    other = changed(model, "norm", 0.5)
    found = on(model, other, picture(1), picture(2))
    figures = {pair.a: pair.activation for pair in found.pairs}
    assert found.parts_at == "norm"
    assert figures["stem"] == figures["same"] == 0
    assert figures["norm"] is not None
    assert figures["norm"] > PARTED
    x = [_values(model, p, "norm") for p in (picture(1), picture(2))]
    y = [_values(other, p, "norm") for p in (picture(1), picture(2))]
    gap, size = torch.stack(x) - torch.stack(y), torch.stack(x)
    assert figures["norm"] == pytest.approx(float(gap.norm() / size.norm()), rel=1e-4)
    assert [p.name for p in found.pictures] == ["random 1", "random 2"]
    expected = np.abs(model.predict([picture(2)]) - other.predict([picture(2)])).max()
    assert found.pictures[1].difference == pytest.approx(expected)


def _values(model: Model, of: Image, layer: str) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    hook = model.graph.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out.double()))
    model.predict([of])
    hook.remove()
    return kept[0]


def test_settings_classes_and_contracts(make_model: Make) -> None:
    torch.manual_seed(1)
    a = make_model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))
    b = make_model(
        nn.Sequential(
            nn.Conv2d(3, 4, 5, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
        ),
        classes=("x", "y"),
        contract=dataclasses.replace(a.contract, scale=2.0, offset=-1.0),
    )
    found = compare_models(a, b)
    assert found.contract == {"scale": (1.0, 2.0), "offset": (0.0, -1.0)}
    pairs = {pair.a: pair for pair in found.pairs}
    conv = pairs["_0"] if "_0" in pairs else found.pairs[0]
    assert conv.status == "settings"
    assert conv.settings["kernel_size"] == ((3, 3), (5, 5))
    assert conv.settings["bias"] == (True, False)
    assert conv.settings["output shape"] == ((4, 14, 14), (4, 12, 12))
    assert conv.weights is not None
    assert conv.weights.shapes == {"weight": ((4, 3, 3, 3), (4, 3, 5, 5))}
    bias = a.graph.get_submodule(conv.a).bias
    assert conv.weights.largest == pytest.approx(float(bias.detach().abs().max())), "no bias is a bias of 0"
    figures = on(a, b, picture(3))
    assert figures.pictures[0].difference is None
    assert figures.pairs[0].activation is None
    assert (found.a.classes, found.b.classes) == (("cat", "dog", "hamster"), ("x", "y"))


def test_other_spellings_of_one_setting_are_equal(make_model: Make) -> None:
    a = make_model(
        nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    )
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.MaxPool2d((2, 2), (2, 2)), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()
    )
    b = make_model(network)
    for name in ("weight", "bias"):
        value = a.graph.get_submodule("0").weight if name == "weight" else torch.zeros(4)
        getattr(b.graph.get_submodule("0"), name).data = value.detach().clone()
    assert compare_models(a, b).counted("equal") == 4


def test_networks_of_two_sizes_are_compared_at_one(make_model: Make) -> None:
    a = make_model(contract=InputContract((16, 16)))
    b = make_model(contract=InputContract((24, 24)))
    found = compare_models(a, b)
    assert found.counted("equal") == len(found.pairs)
    assert found.notes == ("Shapes are compared at 16 x 16 px, which both networks take.",)
    assert found.contract == {"size": ((16, 16), (24, 24))}
    only_16 = make_model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 3)))
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 22 * 22, 3))
    only_24 = make_model(network, contract=InputContract((24, 24)))
    apart = compare_models(only_16, only_24)
    assert apart.notes == ()
    assert apart.pairs[0].settings["output shape"] == ((4, 14, 14), (4, 22, 22))


def test_layers_that_only_one_has(make_model: Make) -> None:
    a = make_model(nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    b = make_model(nn.Sequential(nn.Conv2d(3, 3, 3), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    found = compare_models(a, b)
    assert [(p.kind, p.status) for p in found.pairs if p.status in ("only a", "only b")] == [("Sigmoid", "only b")]
    assert [p.kind for p in compare_models(b, a).pairs if p.status == "only a"] == ["Sigmoid"]


def test_classes_in_another_order_are_compared_by_name(make_model: Make) -> None:
    model = make_model()
    graph = copy.deepcopy(model.graph)
    dense = graph.get_submodule("dense")
    dense.weight.data, dense.bias.data = dense.weight.data.flip(0), dense.bias.data.flip(0)
    other = dataclasses.replace(model, graph=graph, classes=model.classes[::-1])
    found = on(model, other, picture(4))
    assert found.pictures[0].a[0] == found.pictures[0].b[0]
    assert found.pictures[0].difference == pytest.approx(0, abs=1e-6)


def test_merged_batch_norms_are_told_and_the_rest_is_equal_but_for_rounding(make_model: Make) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )
    model = make_model(network)
    merged = fast_twin(model.graph)
    for module in merged.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    merged.get_submodule("0").weight.data *= 1 + 1e-7
    other = dataclasses.replace(model, graph=merged)
    for a, b, which in ((model, other, "first"), (other, model, "second")):
        found = on(a, b, picture(5))
        assert found.notes[0].startswith(f"Only the {which} model has batch norms")
        assert {pair.status for pair in found.pairs} <= {"equal", "rounding"}
        assert found.parts_at == ""


def test_weights_that_are_all_zero_have_no_correlation(make_model: Make) -> None:
    model = make_model()
    graph = copy.deepcopy(model.graph)
    for parameter in graph.get_submodule("dense").parameters():
        parameter.data.zero_()
    other = dataclasses.replace(model, graph=graph)
    (weights,) = [p.weights for p in compare_models(model, other).pairs if p.weights]
    assert (weights.relative, weights.correlation) == (1.0, None)
    (weights,) = [p.weights for p in compare_models(other, model).pairs if p.weights]
    assert weights.relative == float("inf")


def test_two_teachable_machine_files_share_their_backbone(shared_data: Path) -> None:
    folder = shared_data / "teachable-machine"
    a = open_model(folder / "animals-h5" / "keras_model.h5")
    b = open_model(folder / "cat-dog-h5" / "keras_model.h5")
    photo = read_image(folder / "images" / "dog.4001.jpg")
    *_, (_, found) = compare_on(compare_models(a, b), a, b, [("dog", photo)])
    assert (found.counted("equal"), len(found.pairs)) == (157, 160)
    assert found.parts_at == "dense_Dense1"
    assert found.pictures[0].a == ("Dog", pytest.approx(0.533, abs=1e-3))  # reference.json of animals-h5
