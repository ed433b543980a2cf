"""The table "What edits do" (research/inspect.md, section 4) on the networks named there: what runs, what is refused.

Small pictures and three classes where the point does not need more; the texts are Cutaway's, PyTorch's are beside them.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import pytest
import torch
from torch import nn
from torchvision import models

from cutaway.errors import BadInput
from cutaway.graph.build import GraphBuilder
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import (
    FitInput,
    Insert,
    Remove,
    Replace,
    Rewire,
    SetActivation,
    SetFilters,
    SetInputSize,
    SetKernelSize,
    SetPadding,
    SetStride,
    Silence,
    Together,
)
from cutaway.surgery.patient import Patient
from cutaway.surgery.refusal import Refusal, must_still_work

CLASSES = ("a", "b", "c")


@functools.cache
def known(name: str, size: int) -> Model:
    settings = {"init_weights": False} if name in ("googlenet", "vgg11") else {}
    if name == "googlenet":
        settings["aux_logits"] = False
    torch.manual_seed(0)
    network = getattr(models, name)(weights=None, num_classes=3, **settings).eval()
    return Model(trace(network), InputContract((size, size)), CLASSES)


def refused(model: Model, *edits: Edit) -> Refusal:
    """The Refusal of these edits; every remedy it offers was tried here on the real network."""
    with pytest.raises(Refusal) as caught:
        apply(model, edits)
    refusal = caught.value
    at = refusal.at
    assert edits[at] == refusal.edit
    assert refusal.after == edits[at + 1 : at + 1 + len(refusal.after)]
    for sentence, instead in refusal.remedies[:-1]:
        assert sentence in str(refusal)
        mended = apply(model, [*edits[:at], *instead, *refusal.after])
        assert answers(mended).shape == (1, 3), sentence
        assert answers(apply(model, [*edits[:at], Together(instead), *refusal.after])).shape == (1, 3)
    assert refusal.remedies[-1] == ("leave the edit out", ())
    apply(model, edits[:at])
    return refusal


def answers(model: Model) -> torch.Tensor:
    with torch.inference_mode():
        out: torch.Tensor = model.graph(torch.zeros(1, model.contract.in_channels, *model.contract.size))
    return out


def changed_shapes(before: Model, after: Model) -> tuple[int, int]:
    """How many steps have another shape, of how many."""
    was, now = (shapes_of(m.graph, (3, *m.contract.size)) for m in (before, after))
    return sum(was[name] != now.get(name) for name in was if name != "output"), len(was)


def test_a_stride_that_an_adaptive_pool_absorbs_runs() -> None:
    before = known("vgg11", 224)
    assert changed_shapes(before, apply(before, [SetStride("features.3", 2)])) == (18, 32)


def test_all_strides_leave_no_place_for_a_pool() -> None:
    """PyTorch: "Given input size: (512x1x1). Calculated output size: (512x0x0). Output size is too small"."""
    convs = [SetStride(f"features.{n}", 2) for n in (0, 3, 6, 8, 11, 13, 16, 18)]
    refusal = refused(known("vgg11", 224), *convs)
    assert (refusal.layer, refusal.shapes, refusal.reason) == ("features.15", ((512, 1, 1),), "small")
    assert refusal.sources == ("features.14",)
    assert str(refusal) == (
        "set features.6's stride to 2 (and 5 edits after it): features.15 gets 512 x 1 x 1 from features.14; there is "
        "no place for its window of 2 x 2. Also remove features.15 and features.20; or leave them out."
    )


def test_a_stride_in_a_residual_block() -> None:
    """PyTorch: "The size of tensor a (56) must match the size of tensor b (28) at non-singleton dimension 3"."""
    refusal = refused(known("mobilenet_v2", 224), SetStride("features.3.conv.1.0", 2))
    assert (refusal.layer, refusal.shapes) == ("add", ((24, 56, 56), (24, 28, 28)))
    assert refusal.sources == ("features.2.conv.3", "features.3.conv.3")
    assert str(refusal) == (
        "set features.3.conv.1.0's stride to 2: add gets 24 x 56 x 56 from features.2.conv.3 and 24 x 28 x 28 from "
        "features.3.conv.3; values that are added must be of one size. Also pool the shortcut from features.2.conv.3 "
        "to 28 x 28 before add, or enlarge what comes from features.3.conv.3 to 56 x 56 before add; or leave it out."
    )


@pytest.mark.parametrize(
    ("edit", "partner", "shapes"),
    [
        (SetStride("layer2.0.conv1", 1), SetStride("layer2.0.downsample.0", 1), ((128, 16, 16), (128, 8, 8))),
        (SetStride("layer2.0.downsample.0", 1), SetStride("layer2.0.conv1", 1), ((128, 8, 8), (128, 16, 16))),
        (SetStride("layer2.0.conv2", 2), SetStride("layer2.0.downsample.0", 4), ((128, 4, 4), (128, 8, 8))),
    ],
)
def test_a_block_and_its_shortcut(edit: SetStride, partner: SetStride, shapes: object) -> None:
    refusal = refused(known("resnet18", 64), edit)
    assert (refusal.layer, refusal.shapes) == ("add_2", shapes)
    assert refusal.remedies[0] == (partner.sentence, (edit, partner))
    assert f"Also {partner.sentence}, or " in str(refusal)


def test_a_partner_in_the_same_list_mends_it_in_either_order() -> None:
    both = [SetStride("layer2.0.conv1", 1), SetStride("layer2.0.downsample.0", 1)]
    assert answers(apply(known("resnet18", 64), both)).shape == (1, 3)
    assert answers(apply(known("resnet18", 64), both[::-1])).shape == (1, 3)


def test_a_downsampling_stride_taken_back_runs() -> None:
    before = known("mobilenet_v2", 224)
    changed, of = changed_shapes(before, apply(before, [SetStride("features.2.conv.1.0", 1)]))
    assert (changed, of) == (138, 155)


@pytest.mark.parametrize(
    ("network", "edit", "changed"),
    [
        ("densenet121", SetKernelSize("features.transition1.pool", 4), (378, 433)),
        ("googlenet", SetKernelSize("maxpool1", 7), (149, 199)),
    ],
)
def test_larger_pools_run(network: str, edit: Edit, changed: tuple[int, int]) -> None:
    before = known(network, 224)
    assert changed_shapes(before, apply(before, [edit])) == changed


def test_a_branch_of_another_size() -> None:
    """PyTorch: "Sizes of tensors must match except in dimension 1. Expected size 28 but got size 15 for tensor 3"."""
    refusal = refused(known("googlenet", 224), SetStride("inception3a.branch4.0", 2))
    assert (refusal.layer, refusal.shapes[0], refusal.shapes[3]) == ("cat", (64, 28, 28), (32, 15, 15))
    assert "maps that are put behind one another must be of one height and width" in str(refusal)
    assert "enlarge what comes from relu_8 to 28 x 28 before cat" in str(refusal)


@pytest.mark.parametrize(
    "edit",
    [
        SetActivation("features.3.conv.0.2", "sigmoid"),
        Silence("features.3.conv.0.0", (1,)),
        Remove("features.3"),
        Rewire("features.4.conv.0.0", "features.2.conv.3"),
    ],
    ids=lambda e: e.kind,
)
def test_what_changes_no_shape_runs(edit: Edit) -> None:
    before = known("mobilenet_v2", 64)
    after = apply(before, [edit])
    was, now = (shapes_of(m.graph, (3, 64, 64)) for m in (before, after))
    assert all(was[name] == shape for name, shape in now.items() if name in was)


@pytest.mark.parametrize(
    ("network", "edit", "layer", "says"),
    [
        # PyTorch: "running_mean should contain 48 elements not 32"
        ("mobilenet_v2", Replace("features.0.0", "Conv2d", {"out_channels": 48}), "features.0.1",
         "features.0.1 gets 48 x 32 x 32 from features.0.0; it keeps numbers for 32 channels. Also make features.0.1, "
         "features.1.conv.0.0, features.1.conv.0.1 and 1 more anew for what they get; or leave it out."),
        # PyTorch: "expected input[1, 48, 112, 112] to have 64 channels"
        ("vgg11", Replace("features.0", "Conv2d", {"out_channels": 48}), "features.3",
         "features.3 gets 48 x 32 x 32 from features.2; its filters take 64 channels. Also make features.3 anew for "
         "what it gets; or leave it out."),
    ],
)  # fmt: skip
def test_other_channels_break_one_layer_later(network: str, edit: Edit, layer: str, says: str) -> None:
    refusal = refused(known(network, 64), edit)
    assert refusal.layer == layer
    assert str(refusal) == f"{edit.sentence}: {says}"


@pytest.mark.parametrize(("network", "layer"), [("mobilenet_v2", "features.0.0"), ("vgg11", "features.0")])
def test_other_filters_are_followed_by_the_layers_after_them(network: str, layer: str) -> None:
    after = apply(known(network, 64), [SetFilters(layer, 48)])
    assert answers(after).shape == (1, 3)
    assert f"{layer} has 48 filters instead of " in after.card["adapted"]


def test_a_dense_layer_with_other_inputs() -> None:
    """PyTorch: "mat1 and mat2 shapes cannot be multiplied (1x25088 and 100x4096)"."""
    edit = Replace("classifier.0", "Linear", {"in_features": 100, "out_features": 16})
    refusal = refused(known("vgg11", 64), edit)
    assert (refusal.layer, refusal.shapes) == ("classifier.0", ((25088,),))
    says = "classifier.0 gets 25088 from flatten; it has weights for 100 numbers. Also make classifier.0, classifier.3"
    assert says in str(refusal)


def test_a_pool_that_gave_dense_layers_their_size() -> None:
    refusal = refused(known("vgg11", 64), Remove("avgpool"))
    assert "classifier.0 gets 2048 from flatten; it has weights for 25088 numbers" in str(refusal)
    assert "Also put a bridge in the place of avgpool" in str(refusal)


def test_text_for_a_number_is_one_sentence() -> None:
    """PyTorch: a list of overloads."""
    with pytest.raises(
        BadInput, match=r"^set_stride\.stride must be whole number or a list of whole numbers\. Got '2'\.$"
    ):
        SetStride("conv", "2")  # type: ignore[arg-type]


# -- what the table has not


def plain(*layers: nn.Module, classes: int = 3, size: int = 8, channels: int = 3) -> Model:
    """Layers a, b, c, ... one after another."""
    b = GraphBuilder()
    x = b.input()
    for letter, layer in zip("abcdefghij", layers):
        x = b.layer(letter, layer, x)
    contract = InputContract((size, size), channels="gray" if channels == 1 else "RGB")
    return Model(b.finish(x).eval(), contract, tuple(map(str, range(classes))))


def dense_end(size: int = 8) -> Model:
    return plain(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * size * size, 3), size=size)


@pytest.mark.parametrize("edit", [SetStride("a", 2), SetInputSize(10), SetPadding("a", "valid")], ids=lambda e: e.kind)
def test_a_dense_layer_behind_maps_of_a_fixed_size(edit: Edit) -> None:
    refusal = refused(dense_end(), edit)
    assert refusal.layer == "c"
    assert "it has weights for 256 numbers" in str(refusal)
    assert "Also pool a to 8 x 8 as before, or make c anew for what it gets; or leave it out." in str(refusal)


def test_maps_without_a_flatten() -> None:
    refusal = refused(dense_end(), Remove("b"))
    assert "c gets 4 x 8 x 8 from a; it has weights for 256 numbers" in str(refusal)
    assert "insert a flatten between a and c" not in str(refusal)  # the bridge and it are the same; bridges flatten not
    assert refusal.remedies


def test_values_that_would_be_repeated_without_a_word() -> None:
    """A map of one place is added to one of 64: PyTorch spreads it; before, both were of one size."""
    b = GraphBuilder()
    x = b.layer("a", nn.Conv2d(3, 4, 3, padding=1), b.input())
    y = b.layer("e", nn.Conv2d(4, 4, 8, padding="same"), x)
    x = b.layer("pool", nn.AdaptiveAvgPool2d(1), b.call("total", operator.add, x, y))
    model = Model(
        b.finish(b.layer("fc", nn.Linear(4, 3), b.layer("flat", nn.Flatten(), x))), InputContract((8, 8)), CLASSES
    )
    refusal = refused(model, SetPadding("e", "valid"))
    assert (refusal.layer, refusal.shapes, refusal.reason) == ("total", ((4, 8, 8), (4, 1, 1)), "spread")
    says = "total gets 4 x 8 x 8 from a and 4 x 1 x 1 from e; they are of different sizes, and the smaller would be"
    assert says in str(refusal)


def test_gates_are_spread_on_purpose() -> None:
    """Squeeze-and-excitation multiplies maps with one number a channel, before the edit and after it."""
    before = known("efficientnet_b0", 64)
    assert answers(apply(before, [SetStride("features.2.0.block.1.0", 1)])).shape == (1, 3)


def test_another_number_of_answers_than_classes() -> None:
    refusal = refused(dense_end(), Replace("c", "dense", {"out_features": 5}))
    assert str(refusal) == (
        "replace c by a dense (out_features 5): c would give 5; the network's answer must be 3 numbers, one for each "
        "class. Nothing near it mends that; leave it out."
    )


def test_maps_for_answers() -> None:
    model = plain(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    refusal = refused(model, Together((Remove("c"), Remove("b"))))
    assert "a would give 3 x 6 x 6; the network's answer must be 3 numbers" in str(refusal)
    assert "Also take the mean of a over all places; or leave it out." in str(refusal)


def test_a_window_without_a_place() -> None:
    model = plain(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    refusal = refused(model, SetStride("a", 3))
    assert "c gets 4 x 1 x 1 from b; there is no place for its window of 3 x 3" in str(refusal)
    assert [sentence for sentence, _ in refusal.remedies] == [
        "set the input's size to 32 x 32 px",
        "set c's padding to same",
        "leave the edit out",
    ]


def test_another_kind_of_values() -> None:
    refusal = refused(dense_end(), Insert("b", "Conv1d", {"in_channels": 3}))
    assert "b_Conv1d gets 256 from b; it takes rows of channels (channels x length)" in str(refusal)


def test_the_sequence_names_the_edit_after_which_it_never_worked_again() -> None:
    edits = [SetStride("a", 1), SetStride("a", 2), Silence("a", (1,)), SetKernelSize("a", 5)]
    refusal = refused(dense_end(), *edits)
    assert refusal.edit == edits[1]
    assert str(refusal).startswith("set a's stride to 2 (and 2 edits after it): c gets 64 from b; ")


def test_an_edit_that_cannot_be_done_on_what_is_broken() -> None:
    """The first of the two is to blame, not the one that finds a broken network."""
    with pytest.raises(Refusal, match=r"^set a's stride to 2: c gets 64 from b"):
        apply(dense_end(), [SetStride("a", 2), FitInput("b")])


def test_a_patient_by_itself_can_be_asked() -> None:
    patient = operated(dense_end(), [])
    must_still_work(patient, SetStride("a", 1))
    edit = SetStride("a", 2)
    edit.operate(patient)
    with pytest.raises(Refusal, match=r"c gets 64 from b; it has weights for 256 numbers\. Also pool a to 8 x 8"):
        must_still_work(patient, edit)


def test_a_copy_of_a_patient_lives_by_itself() -> None:
    patient = Patient(dense_end())
    SetKernelSize("a", 5).operate(patient)
    twin = patient.copied()
    SetKernelSize("a", 3).operate(twin)
    Remove("b").operate(twin)
    assert patient.layer("a").kernel_size == (5, 5)
    assert "b" in [str(n.target) for n in patient.graph.graph.nodes]
    SetStride("a", 2).operate(patient)
    assert twin.layer("a").stride == (1, 1)


def test_all_remedies_end_with_leaving_it_out() -> None:
    remedies: Sequence[tuple[str, tuple[Edit, ...]]] = refused(dense_end(), SetStride("a", 2)).remedies
    assert [bool(edits) for _, edits in remedies] == [True, True, False]
