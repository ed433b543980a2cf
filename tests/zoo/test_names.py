"""The list of names: quick, complete, and helpful about names that do not exist."""

from __future__ import annotations

import subprocess
import sys

import pytest
import timm
import torchvision

from cutaway.errors import BadInput
from cutaway.zoo import names
from cutaway.zoo.names import meaning, near, networks


def test_listing_imports_neither_torch_nor_the_libraries() -> None:
    code = (
        "import sys, cutaway.zoo; assert len(cutaway.zoo.networks()) > 1000; "
        "print([m for m in ('torch', 'timm', 'torchvision') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_table_was_written_with_the_installed_libraries() -> None:
    text = names.files("cutaway.zoo").joinpath(names.TABLE).read_text(encoding="utf-8")
    assert text.splitlines()[0] == names.versions(), "run scripts/network_table.py"


def test_the_list_holds_every_name_of_both_libraries_once() -> None:
    rows = networks()
    assert len({row.name for row in rows}) == len(rows)
    by_torchvision = {row.name for row in rows if row.library == "torchvision"}
    assert by_torchvision == set(torchvision.models.list_models(module=torchvision.models))
    assert {row.name.removeprefix("timm/") for row in rows if row.library == "timm"} == set(timm.list_models())
    assert [row.name for row in rows[:3]] == ["tutorial-cifar", "tutorial-cats-dogs", "tutorial-cifar-bn"]


def test_the_plain_names_people_know_are_there() -> None:
    known = "lenet5 alexnet vgg11 vgg13 vgg16 vgg19 googlenet inception_v3 resnet18 resnet50 densenet121 mobilenet_v2"
    assert {meaning(name).library for name in known.split()} == {"cutaway", "torchvision"}


def test_search_takes_words_in_any_spelling() -> None:
    found = {row.name for row in networks("Mobile V3-Small")}
    assert {"mobilenet_v3_small", "mobilenetv3_small_100"} <= found
    assert all("mobile" in name for name in found)
    assert networks("no such network") == ()


def test_a_row_survives_the_table() -> None:
    for row in networks("mobilenet"):
        assert names._row(names.line_of(row)) == row


def test_parameters_and_sizes_are_the_libraries_own() -> None:
    rows = {row.name: row for row in networks()}
    assert rows["tutorial-cifar"].parameters == 122_570
    for name in ("alexnet", "mobilenet_v2", "vgg19", "densenet121", "googlenet", "regnet_x_400mf"):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        assert rows[name].parameters == weights.meta["num_params"]
        assert rows[name].size == (weights.transforms().crop_size[0],) * 2
    inception = torchvision.models.inception_v3(aux_logits=False, init_weights=False)
    assert rows["inception_v3"].parameters == sum(p.numel() for p in inception.parameters())
    config = timm.get_pretrained_cfg("mobilenetv3_small_100")
    assert (rows["mobilenetv3_small_100"].size, rows["mobilenetv3_small_100"].weights) == (
        config.input_size[1:],
        config.tag,
    )


@pytest.mark.parametrize(
    ("name", "library", "network", "tag"),
    [
        ("lenet5", "cutaway", "lenet5", ""),
        ("resnet18", "torchvision", "resnet18", ""),
        ("torchvision/resnet18", "torchvision", "resnet18", ""),
        ("timm/resnet18", "timm", "resnet18", ""),
        ("timm/resnet18.a1_in1k", "timm", "resnet18", "a1_in1k"),
        ("timm/mobilenetv3_small_100", "timm", "mobilenetv3_small_100", ""),
        ("mobilenetv3_small_100.lamb_in1k", "timm", "mobilenetv3_small_100", "lamb_in1k"),
        ("mobilenet_v2.IMAGENET1K_V1", "torchvision", "mobilenet_v2", "IMAGENET1K_V1"),
    ],
)
def test_what_names_mean(name: str, library: str, network: str, tag: str) -> None:
    meant = meaning(name)
    assert (meant.library, meant.network, meant.tag) == (library, network, tag)


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(BadInput, match=r"There is no network 'mobilnet'; near: mobilenet_v2, .*`cutaway networks"):
        meaning("mobilnet")
    with pytest.raises(BadInput, match=r"There is no network 'Lenet'; near: lenet5, "):
        meaning("Lenet")
    with pytest.raises(BadInput, match="There is no network ''"):
        meaning("")
    with pytest.raises(BadInput, match="There is no network 'hf-hub:someone/else'"):
        meaning("hf-hub:someone/else")


def test_near_names_that_can_be_taken_apart() -> None:
    by_name = {row.name: row for row in networks()}
    assert all(by_name[name].held for name in near("swin_t", held=True))
    assert near("zzzz") == ("mobilenet_v2", "resnet18", "small-cnn")


def test_other_versions_of_the_libraries_are_asked_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = names.rows()
    monkeypatch.setattr(names, "versions", lambda: "torchvision 9\ttimm 9")
    names.rows.cache_clear()
    try:
        asked = names.rows()
    finally:
        names.rows.cache_clear()
    assert [(row.name, row.size, row.held, row.weights) for row in asked] == [
        (row.name, row.size, row.held, row.weights) for row in kept
    ]
