"""Structural edits on files of other programs: a Teachable Machine export (which pads in layers), Keras, ONNX."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from cutaway.graph.names import names_of
from cutaway.model import Model, open_model
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import (
    Insert,
    Remove,
    Replace,
    Rewire,
    SetClassCount,
    SetDilation,
    SetFilters,
    SetGroups,
    SetInputSize,
    SetKernelSize,
    SetPadding,
    SetPooling,
    SetStride,
    Together,
)
from cutaway.surgery.refusal import Refusal


@functools.cache
def opened(path: Path) -> Model:
    return open_model(path)


@pytest.fixture(scope="module")
def animals(shared_data: Path) -> Model:
    """Cat, dog or hamster; at 96 px, to be quick."""
    model = opened(shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5")
    return apply(model, [SetInputSize(96)])


def answers(model: Model) -> torch.Tensor:
    x = torch.rand(1, 3, *model.contract.size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        out: torch.Tensor = model.graph(x * 2 - 1)
    return out


SAME: list[Edit] = [
    SetKernelSize("block_5_depthwise", 5),
    SetKernelSize("Conv1", 4),
    SetGroups("block_5_depthwise", 1),
    SetFilters("Conv_1", 1290),
    SetFilters("block_2_project", 12),
    SetFilters("dense_Dense1", 120),
    Insert("block_5_add", "conv"),
    SetPadding("block_5_depthwise", "same"),
    SetPadding("block_6_depthwise", "same"),  # as its own layer pads for maps of even size
]


@pytest.mark.parametrize("edit", SAME, ids=lambda e: e.kind)
def test_edits_after_which_it_answers_as_before(animals: Model, edit: Edit) -> None:
    assert torch.allclose(answers(apply(animals, [edit])), answers(animals), atol=1e-5)


RUNS: list[Edit] = [
    SetStride("Conv1", 1),
    SetStride("block_6_depthwise", 1),
    SetStride("block_6_project", 2),
    SetPadding("block_6_depthwise", 1),
    SetDilation("block_6_depthwise", 2),
    SetGroups("Conv_1", 8),
    SetFilters("block_5_project", 8),
    SetFilters("block_5_expand", 30),
    SetPooling("global_average_pooling2d_GlobalAveragePooling2D1", "max"),
    SetClassCount(("cat", "dog", "hamster", "horse")),
    Remove("block_5"),
    Remove("block_6", bridge=True),
    Remove("out_relu"),
    Insert("Conv1_relu", "max_pool"),
    Replace("block_5_depthwise", "Conv2d", {"groups": 1}),
    Rewire("block_6_expand", "block_4_add"),
]


@pytest.mark.parametrize("edit", RUNS, ids=lambda e: e.sentence.replace(" ", "_"))
def test_edits_that_change_the_answer(animals: Model, edit: Edit) -> None:
    if isinstance(edit, SetPooling):
        edit = SetPooling(next(n for n in names_of(animals.graph) if "pooling" in n.lower()), "max")
    after = apply(animals, [edit])
    out = answers(after)
    assert out.shape == (1, len(after.classes))
    assert out.sum().item() == pytest.approx(1, abs=1e-5)
    assert out.shape != answers(animals).shape or not torch.equal(out, answers(animals))


def test_a_stride_in_a_block_of_a_teachable_machine_network(animals: Model) -> None:
    with pytest.raises(Refusal) as caught:
        apply(animals, [SetStride("block_5_depthwise", 2)])
    assert str(caught.value) == (
        "set block_5_depthwise's stride to 2: block_5_add gets 16 x 12 x 12 from block_4_add and 16 x 6 x 6 from "
        "block_5_project_BN; values that are added must be of one size. Also pool the shortcut from block_4_add to 6 x "
        "6 before block_5_add, or enlarge what comes from block_5_project_BN to 12 x 12 before block_5_add; or leave "
        "it out."
    )
    for _, edits in caught.value.remedies:
        assert answers(apply(animals, edits)).shape == (1, 3)
        if edits:
            assert answers(apply(animals, [Together(edits)])).shape == (1, 3)


def test_a_picture_too_small_for_it(animals: Model) -> None:
    with pytest.raises(
        Refusal, match="block_13_depthwise gets 192 x 2 x 2 from block_13_pad; there is no place for its"
    ) as e:
        apply(animals, [SetInputSize(16)])
    assert e.value.remedies[0][0] == "set the input's size to 32 x 32 px"


# -- Keras: a functional model with a residual sum, a concatenation, a gate, and a layer norm on the last axis


@pytest.fixture(scope="module")
def functional() -> Model:
    return open_model(Path(__file__).parents[1] / "formats" / "golden" / "functional-keras-3.keras")


@pytest.mark.parametrize(
    "edit",
    [
        SetFilters("conv2d", 9),
        SetFilters("separable_conv2d", 8),
        SetFilters("conv2d_transpose", 7),
        SetKernelSize("conv2d", 5),
        SetGroups("separable_conv2d_depthwise", 1),
        Insert("add", "conv"),
    ],
    ids=lambda e: e.sentence.replace(" ", "_"),
)
def test_a_keras_graph_answers_as_before(functional: Model, edit: Edit) -> None:
    """New channels change what the layer norm sees: there the answers may differ."""
    after, before = answers(apply(functional, [edit])), answers(functional)
    loose = "set conv2d's number" in edit.sentence or "set separable_conv2d's number" in edit.sentence
    assert torch.allclose(after, before, atol=1.0 if loose else 1e-5)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (SetStride("conv2d", 2), "and 6 x 6 x 6 from leaky_re_lu; .* Also enlarge what comes from leaky_re_lu to 12"),
        (
            SetStride("average_pooling2d", 2),
            "concatenate gets 6 x 12 x 12 from add and 6 x 6 x 6 from average",
        ),
        (
            Replace("conv2d_1", "conv", {"out_channels": 5}),
            "and 5 x 1 x 1 from multiply_1; .* Also put a 1 x 1 convolution with new weights",
        ),
    ],
    ids=lambda v: v.sentence.replace(" ", "_") if isinstance(v, Edit) else "",
)
def test_refusals_on_a_keras_graph(functional: Model, edit: Edit, says: str) -> None:
    with pytest.raises(Refusal, match=says) as caught:
        apply(functional, [edit])
    assert len(caught.value.remedies) > 1
    for _, edits in caught.value.remedies:
        assert answers(apply(functional, edits)).shape == (1, 4)


def test_a_layer_that_keras_uses_twice_is_edited_once() -> None:
    model = open_model(Path(__file__).parents[1] / "formats" / "golden" / "shared-keras-2.h5")
    after = apply(model, [SetStride("conv2d_1_again", 1), SetKernelSize("twice_again", 5)])
    graph = after.graph
    steps = names_of(graph)
    sizes = [graph.get_submodule(str(steps[name].target)).kernel_size for name in ("twice", "twice_again")]
    assert sizes == [(3, 3), (5, 5)]
    assert torch.allclose(answers(after), answers(model), atol=1e-5)
    with pytest.raises(
        Refusal, match="concatenate gets 3 x 8 x 8 from add and 3 x 4 x 4 from batch_normalization_1_ag"
    ):
        apply(model, [SetStride("twice_again", 2)])


# -- ONNX, written by torch's exporter


@pytest.fixture(scope="module")
def from_onnx(tmp_path_factory: pytest.TempPathFactory) -> Model:
    pytest.importorskip("onnx")
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Small().eval(), torch.zeros(1, 3, 16, 16), path, dynamo=False, opset_version=17)
    return open_model(path)


class Small(nn.Module):
    """A residual sum between convolutions, then a dense layer behind a flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.body = nn.Conv2d(4, 4, 3, padding=1)
        self.end = nn.Linear(4 * 8 * 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.max_pool2d(x + self.body(x), 2)
        return self.end(x.flatten(1))


def layers_of(model: Model, kind: type[nn.Module]) -> list[str]:
    return [
        name
        for name, node in names_of(model.graph).items()
        if node.op == "call_module" and isinstance(model.graph.get_submodule(str(node.target)), kind)
    ]


def test_edits_on_an_onnx_file(from_onnx: Model) -> None:
    stem, body = layers_of(from_onnx, nn.Conv2d)
    (pool,), (end,) = layers_of(from_onnx, nn.MaxPool2d), layers_of(from_onnx, nn.Linear)
    before = answers(from_onnx)
    for edit in (SetFilters(body, 9), SetFilters(stem, 6), SetKernelSize(body, 5), Insert(stem, "conv")):
        assert torch.allclose(answers(apply(from_onnx, [edit])), before, atol=1e-5)
    for edit in (SetFilters(stem, 2), SetPooling(pool, "avg"), SetClassCount(count=5), SetGroups(body, 4)):
        assert answers(apply(from_onnx, [edit])).shape[1] in (3, 5)
    for edit, step in ((SetStride(body, 2), "gets 4 x 16 x 16 from "), (Remove(pool), f"{end} gets 1024 from ")):
        with pytest.raises(Refusal, match=step) as caught:
            apply(from_onnx, [edit])
        assert len(caught.value.remedies) > 1
        for _, edits in caught.value.remedies:
            assert answers(apply(from_onnx, edits)).shape == (1, 3)
