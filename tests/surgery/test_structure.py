"""What holds for every edit that changes the structure: original untouched, rest shared, JSON, saved, undone."""

from __future__ import annotations

import dataclasses
import json
import operator
from pathlib import Path

import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.graph.digest import digest
from cutaway.graph.document import tensors_of
from cutaway.graph.shapes import layer_table
from cutaway.image import InputContract
from cutaway.model import Model, open_model, save_model
from cutaway.surgery import edits as all_edits
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import KINDS, Edit, edit_of
from cutaway.surgery.edits import (
    FitInput,
    Insert,
    Remove,
    Replace,
    Rewire,
    SetClassCount,
    SetDilation,
    SetFilters,
    SetGroups,
    SetKernelSize,
    SetPadding,
    SetPooling,
    SetStride,
    Together,
)

X = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
HERE = ["filters", "fit", "groups", "kernel_size", "layers", "pooling", "rewire", "strides", "together"]

# Each edit, and the layers whose arrays are others afterwards.
EDITS: list[tuple[Edit, set[str]]] = [
    (SetStride("conv", 2), set()),
    (SetStride("tail", 2), set()),
    (SetPadding("conv", "valid"), set()),
    (SetPadding("tail", "same"), set()),
    (SetDilation("deep", 2), set()),
    (SetGroups("mix", 2), {"mix"}),
    (SetKernelSize("conv", 5), {"conv"}),
    (SetKernelSize("pool", 3), set()),
    (SetFilters("mix", 3), {"mix", "mix_bn", "tail"}),
    (SetFilters("conv", 6), {"conv", "bn", "deep", "mix"}),
    (SetClassCount(("b", "z")), {"fc"}),
    (SetPooling("pool", "avg"), set()),
    (Remove("relu"), set()),
    (Remove("pool", bridge=True), set()),
    (Insert("conv", "conv", {"kernel_size": 1}), {"conv_conv"}),
    (Insert("bn", "avg_pool", {"kernel_size": 3, "stride": 1, "padding": 1}, reader="relu"), set()),
    (Replace("deep", "Conv2d", {"kernel_size": 1}), {"deep"}),
    (Rewire("tail", "bn"), {"mix", "mix_bn", "deep"}),
    (FitInput("fc"), {"fc"}),
    (Together((SetStride("conv", 2), SetPooling("pool", "avg"))), set()),
]
EACH = pytest.mark.parametrize(("edit", "touched"), EDITS, ids=[f"{n}-{e.kind}" for n, (e, _) in enumerate(EDITS)])


def network() -> Model:
    """conv, bn, relu; two branches that are added; pool, mixed channels, a tail that Keras would pad, dense."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x = b.input()
    x = b.layer("conv", nn.Conv2d(3, 4, 3, padding=1, bias=False), x)
    x = b.layer("relu", nn.ReLU(), b.layer("bn", nn.BatchNorm2d(4), x))
    y = b.layer("deep", nn.Conv2d(4, 4, 3, padding=1, groups=4), x)
    x = b.layer("pool", nn.MaxPool2d(2), b.call("plus", operator.add, x, y))
    x = b.layer("mix_bn", nn.BatchNorm2d(4), b.layer("mix", nn.Conv2d(4, 4, 1), x))
    x = b.layer("tail", nn.Conv2d(4, 5, 3), b.layer("tail_pad", extra.SamePad2d((3, 3), (1, 1)), x))
    x = b.layer("flat", nn.Flatten(), b.layer("mean", nn.AdaptiveAvgPool2d(2), x))
    graph = b.finish(b.layer("fc", nn.Linear(20, 3), x)).eval()
    nn.init.uniform_(graph.get_submodule("bn").running_mean)  # type: ignore[arg-type]
    return Model(graph, InputContract((16, 16)), ("a", "b", "c"))


def places(model: Model) -> dict[str, int]:
    return {name: t.data_ptr() for name, t in tensors_of(model.graph).items()}


def test_every_edit_of_these_files_is_here() -> None:
    here = {cls for cls in KINDS.values() if cls.__module__.rpartition(".")[2] in HERE}
    assert {type(edit) for edit, _ in EDITS} == here
    assert all(getattr(all_edits, cls.__name__) is cls for cls in here)
    assert all(cls.structural for cls in here)


@EACH
def test_the_original_stays_and_the_rest_is_shared(edit: Edit, touched: set[str]) -> None:
    before = network()
    was, where, answers = digest(before.graph), places(before), before.graph(X)
    layers = dict(before.graph.named_modules())
    after = apply(before, [edit])
    assert (digest(before.graph), places(before)) == (was, where)
    assert all(before.graph.get_submodule(name) is layer for name, layer in layers.items() if name)
    assert torch.equal(before.graph(X), answers)
    now = places(after)
    changed = {name.partition(".")[0] for name in {**now, **where} if now.get(name) != where.get(name)}
    assert changed == touched
    assert not after.graph.training
    assert torch.equal(apply(before, []).graph(X), answers)  # undone: to the bit


@EACH
def test_it_runs_with_the_shapes_its_table_says(edit: Edit, touched: set[str]) -> None:
    del touched
    after = apply(network(), [edit])
    assert after.graph(X).shape == (2, len(after.classes))
    assert layer_table(after.graph, (3, 16, 16))[-1].shape == (len(after.classes),)


@EACH
def test_json_there_and_back(edit: Edit, touched: set[str]) -> None:
    del touched
    again = edit_of(json.loads(json.dumps(edit.to_dict())))
    assert again.to_dict() == edit.to_dict()
    assert digest(apply(network(), [again]).graph) == digest(apply(network(), [edit]).graph)


@EACH
def test_saved_and_opened_it_is_the_same(edit: Edit, touched: set[str], tmp_path: Path) -> None:
    del touched
    after = apply(network(), [edit])
    again = open_model(save_model(after, tmp_path / "edited.safetensors"))
    assert digest(again.graph) == digest(after.graph)
    assert torch.equal(again.graph(X), after.graph(X))
    assert again.card == after.card


@EACH
def test_it_is_said_in_one_line(edit: Edit, touched: set[str]) -> None:
    del touched
    assert edit.sentence.isprintable()
    assert "=" not in edit.sentence
    assert edit.layers or isinstance(edit, SetClassCount)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"edit": "set_stride", "layer": "conv", "stride": "2"}, r"set_stride\.stride must be whole number or .*'2'"),
        ({"edit": "set_stride", "layer": "conv", "stride": 2.5}, r"set_stride\.stride must be whole number"),
        ({"edit": "set_padding", "layer": "conv", "padding": "full"}, r"one of same, valid or whole number"),
        ({"edit": "set_filters", "layer": "conv", "filters": True}, r"set_filters\.filters must be whole number"),
        ({"edit": "set_filters", "layer": "conv"}, "The edit set_filters lacks 'filters'"),
        ({"edit": "insert", "after": "conv", "kind_of": "conv", "settings": 3}, r"insert\.settings must be"),
        ({"edit": "together", "edits": []}, "together goes with 1 to 1000 edits. Got 0"),
        ({"edit": "together", "edits": [3]}, "An edit is an object with an entry 'edit'"),
        (
            {"edit": "together", "edits": [{"edit": "together", "edits": [{"edit": "remove", "layer": "x"}]}]},
            "lists of",
        ),
    ],
)
def test_values_of_another_type(values: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        edit_of(values)


def test_an_insert_needs_no_settings() -> None:
    assert edit_of({"edit": "insert", "after": "conv", "kind_of": "relu"}) == Insert("conv", "relu")


@pytest.mark.parametrize("edit", [e for e, _ in EDITS if hasattr(e, "layer")], ids=lambda e: e.kind)
def test_a_layer_that_is_not_there(edit: Edit) -> None:
    lost = dataclasses.replace(edit, layer="comv")  # type: ignore[call-arg]
    with pytest.raises(BadInput, match=r"The network has no layer 'comv'\. Nearest: conv"):
        apply(network(), [lost])


def test_together_in_together_is_one_list() -> None:
    inner = Together((Remove("relu"), SetStride("conv", 2)))
    assert Together((inner, Remove("pool"))).edits == (Remove("relu"), SetStride("conv", 2), Remove("pool"))


def test_together_is_one_step_and_only_its_end_has_to_work() -> None:
    both = Together((SetStride("deep", 2), Insert("relu", "avg_pool", reader="plus")))
    assert both.layers == ("deep", "relu")
    assert both.sentence == "set deep's stride to 2; insert an avg_pool between relu and plus"
    assert apply(network(), [both]).graph(X).shape == (2, 3)
