"""Texts to edits and back; every sentence about a text that cannot be read."""

from __future__ import annotations

import contextlib
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery import edits as e
from cutaway.surgery.edit import Edit
from cutaway.surgery.language import read_edits
from cutaway.surgery.patient import Patient
from cutaway.surgery.phrases import text_of
from cutaway.surgery.settings import offered


def small() -> Model:
    body = OrderedDict(
        conv1=nn.Conv2d(3, 8, 3, padding=1),
        bn1=nn.BatchNorm2d(8),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(8, 16, 3, padding=1),
        relu2=nn.ReLU(),
        pool2=nn.AdaptiveAvgPool2d(1),
        drop=nn.Dropout(0.3),
        flat=nn.Flatten(),
        fc=nn.Linear(16, 2),
    )
    return Model(trace(nn.Sequential(body)), InputContract((16, 16)), ("a", "b"))


MODEL = small()


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("conv1.kernel[3]=sobel_x", e.SetKernel("conv1", 3, "sobel_x")),
        ("conv1.kernel[3,0]=blur", e.SetKernel("conv1", 3, "blur", 0)),
        ("conv1.kernel=laplacian(as_is)", e.SetKernel("conv1", None, "laplacian", None, False)),
        ("conv1.kernel[0]=[[1,0,-1],[2,0,-2],[1,0,-1]]", e.SetKernel("conv1", 0, ((1, 0, -1), (2, 0, -2), (1, 0, -1)))),
        ("conv1.kernel[1]=rotate(90)", e.RotateKernels("conv1", 90.0, (1,))),
        ("conv1.weight[3,0,1,1]=0.5", e.SetWeight("conv1", (3, 0, 1, 1), 0.5)),
        ("bn1.running_var[2]=4", e.SetWeight("bn1", (2,), 4.0, "running_var")),
        ("conv1.weight[0:3,1]=times(2)", e.ScaleWeights("conv1", 2.0, (0, 1, 2), (1,))),
        ("conv1.weight[:,1]=zero", e.ZeroWeights("conv1", (), (1,))),
        ("fc.weight=noise(0.1,7)", e.AddNoise("fc", 0.1, 7)),
        ("fc.weight=random", e.RandomiseWeights("fc")),
        ("conv2.weight=bits(4)", e.RoundWeights("conv2", 4)),
        ("conv2.kernel[2]=flip(up_down)", e.FlipKernels("conv2", "up_down", (2,))),
        ("conv1.bias[2]=0", e.SetBias("conv1", 0.0, (2,))),
        ("conv1.bias=times(3)", e.ScaleBias("conv1", 3.0)),
        ("conv2.swap=3,5", e.SwapChannels("conv2", 3, 5)),
        ("pool1.kind=avg", e.SetPooling("pool1", "avg")),
        ("pool2.kind=max", e.SetPooling("pool2", "max")),
        ("pool1.size=3", e.Replace("pool1", "MaxPool2d", {"kernel_size": 3})),
        ("conv1.size=5", e.SetKernelSize("conv1", 5)),
        ("conv1.stride=2", e.SetStride("conv1", 2)),
        ("conv1.stride=2x1", e.SetStride("conv1", (2, 1))),
        ("conv1.padding=same", e.SetPadding("conv1", "same")),
        ("conv1.padding=0", e.SetPadding("conv1", 0)),
        ("conv2.dilation=2", e.SetDilation("conv2", 2)),
        ("conv2.groups=2", e.SetGroups("conv2", 2)),
        ("conv2.filters=12", e.SetFilters("conv2", 12)),
        ("conv1.activation=sigmoid", e.SetActivation("conv1", "sigmoid")),
        ("relu2=leaky_relu(0.2)", e.SetActivation("relu2", "leaky_relu", 0.2)),
        ("bn1.eps=1e-5", e.SetEpsilon("bn1", 1e-5)),
        ("bn1=removed", e.RemoveNorm("bn1")),
        ("bn1=folded", e.FoldNorm("bn1")),
        ("bn1=frozen", e.FreezeStatistics("bn1")),
        ("bn1=thawed", e.FreezeStatistics("bn1", False)),
        ("bn1=reset", e.ResetStatistics("bn1")),
        ("drop.rate=0.5", e.SetDropout("drop", 0.5)),
        ("drop.always=0.5", e.SetDropout("drop", 0.5, True)),
        ("drop=removed", e.Remove("drop")),
        ("relu2=Conv2d(kernel_size=1)", e.Replace("relu2", "Conv2d", {"kernel_size": 1})),
        ("input.size=24", e.SetInputSize(24)),
        ("input.size=24x32", e.SetInputSize((24, 32))),
        ("input.channels=BGR", e.SetInput(channels="BGR")),
        ("input.fit=squash", e.SetInput(fit="squash")),
        ("input.scale=2", e.SetInput(scale=2.0)),
        ("input.mean=0.5,0.4,0.3", e.SetInput(mean=(0.5, 0.4, 0.3))),
        ("classes=cat,dog", e.SetClasses(("cat", "dog"))),
        ("classes=cat,dog,eel", e.SetClassCount(("cat", "dog", "eel"))),
        ("silence conv2[5,7]", e.Silence("conv2", (5, 7))),
        ("silence conv2=5", e.Silence("conv2", (5,))),
        ("keep conv2[0:4]", e.KeepOnly("conv2", (0, 1, 2, 3))),
        ("scale conv2[3]=2", e.ScaleChannels("conv2", 2.0, (3,))),
        ("scale conv2=0.5", e.ScaleChannels("conv2", 0.5)),
        ("remove drop", e.Remove("drop")),
        ("insert relu1=leaky_relu(0.2)", e.Insert("relu1", "leaky_relu", {"parameter": 0.2})),
        ("insert relu1=MaxPool2d(kernel_size=(2, 2))", e.Insert("relu1", "MaxPool2d", {"kernel_size": (2, 2)})),
        ("insert relu1=conv", e.Insert("relu1", "conv")),
        ("rewire conv2=relu1", e.Rewire("conv2", "relu1")),
        ("rewire conv2[0]=relu1", e.Rewire("conv2", "relu1", 0)),
        ("together conv1.stride=2; pool1.kind=avg",
         e.Together((e.SetStride("conv1", 2), e.SetPooling("pool1", "avg")))),
        ('do {"edit": "silence", "layer": "conv1", "channels": [1]}', e.Silence("conv1", (1,))),
        ("set conv1.stride = 2", e.SetStride("conv1", 2)),
    ],
)  # fmt: skip
def test_a_text_and_its_edit(text: str, edit: Edit) -> None:
    assert [found.to_dict() for found in read_edits(MODEL, [text])] == [edit.to_dict()]
    again = read_edits(MODEL, [text_of(edit)])
    assert [found.to_dict() for found in again] == [edit.to_dict()], text_of(edit)


@given(st.lists(st.integers(0, 15), min_size=1, max_size=5), st.floats(-1e6, 1e6))
def test_channels_and_factors_come_back_as_they_were(channels: list[int], factor: float) -> None:
    for edit in (e.ScaleChannels("conv2", factor, tuple(channels)), e.ScaleWeights("conv2", factor, tuple(channels))):
        assert read_edits(MODEL, [text_of(edit)]) == (edit,)


def test_a_range_of_kernels_is_one_edit_each() -> None:
    assert read_edits(MODEL, ["conv1.kernel[0:2]=blur"]) == tuple(e.SetKernel("conv1", n, "blur") for n in (0, 1))


def test_all_is_every_layer_that_has_the_setting() -> None:
    assert read_edits(MODEL, ["all.activation=sigmoid"]) == tuple(
        e.SetActivation(n, "sigmoid") for n in ("relu1", "relu2")
    )
    assert [edit.layers for edit in read_edits(MODEL, ["all.kind=avg"])] == [("pool1",), ("pool2",)]


def test_later_texts_see_what_earlier_ones_made() -> None:
    found = read_edits(MODEL, [e.Silence("conv1", (1,)), "insert pool1=relu", "pool1_relu=tanh"])
    assert found[2] == e.SetActivation("pool1_relu", "tanh")
    with pytest.raises(BadInput, match=r"silence conv9\[1\]: The network has no layer 'conv9'"):
        read_edits(MODEL, [e.Silence("conv9", (1,)), "conv1.stride=2"])


def test_the_edit_that_broke_the_network_is_blamed_and_not_the_one_after_it() -> None:
    far = ["conv1.stride=900", "conv2.filters=8", "conv2.stride=1"]
    with pytest.raises(BadInput, match="set conv1's stride to 900"):
        read_edits(MODEL, [e.SetPadding("conv1", 0), *far, "fc.bias[0]=1"])
    with pytest.raises(BadInput, match=r"^multiply fc's bias\[9\] by 2: fc has 2 output channels"):
        read_edits(MODEL, [e.ScaleBias("fc", 2.0, (9,)), "conv2.stride=1"])
    patient = Patient(MODEL)
    e.SetStride("conv1", 900).operate(patient)
    with pytest.raises(BadInput, match="the network does not get as far as conv2; mend what comes before it first"):
        e.SetFilters("conv2", 8).operate(patient)


def test_what_a_layer_offers() -> None:
    patient = Patient(MODEL)
    assert offered(patient, "pool1") == ("kind", "size", "stride", "padding", "dilation")
    assert offered(patient, "fc") == ("weight", "bias", "filters", "swap")
    assert offered(patient, "relu1") == ("activation",)
    assert offered(patient, "flat") == ()
    assert offered(patient, "bn1", own=True) == ("eps", "weight", "bias", "running_mean", "running_var")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conv1.stride", r"^conv1.stride: an edit reads LAYER.SETTING=VALUE"),
        ("con1.stride=2", r"The network has no layer 'con1'. Nearest: conv1"),
        ("conv1.strid=2", r"conv1 \(Conv2d\) has no setting 'strid'; it has kernel, weight, bias, stride"),
        ("flat.size=2", r"flat \(Flatten\) has no setting 'size'; it can only be removed or rewired"),
        ("pool1[3]=avg", r"which numbers of pool1\? Write pool1.kernel\[3\]=\.\.\."),
        ("conv1].stride=2", r"'conv1\].stride' is no place"),
        ("all.strid=2", r"there is no setting 'strid'; there are kernel, weight"),
        ("all.always=0.5", None),
        ("conv1.kernel=sobel", r"there is no kernel 'sobel'; there are identity, .*and zero, times, noise"),
        ("conv1.kernel=[[1,x]]", r"a kernel's numbers read \[\[1,0,-1\]"),
        ("conv1.kernel[1,2,3]=blur", r"\[1,2,3\] has 3 numbers; here it reads \[output\] or \[output, input\]"),
        ("conv1.weight[0]=half", r"conv1.weight \(or zero, times, .*\) must be a number. Got 'half'"),
        ("conv1.weight=2", r"which number of conv1.weight\? Write conv1.weight\[3,0,1,1\]=2"),
        ("conv1.weight[a]=2", r"an index must be a whole number. Got 'a'"),
        ("conv1.weight=flip(sideways)", r"kernels flip left_right or up_down. Got 'sideways'"),
        ("conv1.weight[0,1]=bits(4)", r"weights are rounded by output channel; leave the input out"),
        ("conv1.weight=noise", r"the amount of noise must be a number. Got ''"),
        ("conv1.bias=nan", r"conv1.bias \(or times\(2\)\) must be a number. Got 'nan'"),
        ("conv1.swap=3", r"two channels are swapped, such as swap=3,5. Got '3'"),
        ("conv1.stride[2]=3", r"this setting of conv1 is one for the whole layer; leave \[2\] out"),
        ("conv1.stride=2x2x2", r"stride must be a whole number, or two for height and width such as 3x5. Got '2x2x2'"),
        ("conv1.stride=two", r"stride must be a whole number. Got 'two'"),
        ("conv1.activation=rellu", r"there is no activation 'rellu'; there are relu, relu6"),
        ("conv1.activation=3", r"there is no activation '3'"),
        ("bn1=gone", r"bn1 \(BatchNorm2d\) cannot be 'gone'; it can be removed, folded, frozen, thawed, reset, or set"),
        ("relu1=off", r"relu1 \(ReLU\) cannot be 'off'; it can be removed, an activation, or set relu1.activation"),
        ("flat=off", r"flat \(Flatten\) cannot be 'off'; it can be removed\.$"),
        ("input.sise=3", r"the input has no setting 'sise'; it has size, fit"),
        ("input.mean=a,b", r"input.mean must be a number. Got 'a'"),
        ("silence conv1", r"which channels of conv1\? Write conv1\[5,7\] or conv1\[0:4\]"),
        ("silence conv1[-1]", r"channels are whole numbers from 0, such as 5,7 or 0:4. Got '-1'"),
        ("silence conv1[4:4]", r"channels 4:4 hold none; 4:8 are 4 to 7"),
        ("scale conv1", r"by how much\? Write conv1=2"),
        ("insert conv1", r"insert what\? Write conv1=relu or conv1=MaxPool2d"),
        ("insert conv1=3", r"a layer reads KIND or KIND\(setting=value, ...\). Got '3'"),
        ("insert conv1=Conv2d(3, 4)", r"a layer's settings read NAME=VALUE, such as kernel_size=3. Got '3'"),
        ("rewire conv1", r"rewire to what\? Write conv1=OTHER"),
        ("together conv1.stride=2", r"edits that belong together are separated by ';'"),
        ("do {", r"this is no JSON"),
        ('do {"edit": "silenc"}', r"There is no edit 'silenc'; near: silence"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str | None) -> None:
    if said is None:
        assert read_edits(MODEL, [text])
        return
    with pytest.raises(BadInput, match=said) as refused:
        read_edits(MODEL, [text])
    assert str(refused.value).startswith(f"{text}: ")
    assert "\n" not in str(refused.value)


def test_no_layer_with_a_setting() -> None:
    bare = Model(trace(nn.Sequential(nn.Flatten(), nn.Linear(12, 2))), InputContract((2, 2)), ("a", "b"))
    with pytest.raises(BadInput, match="no layer has the setting 'kind'"):
        read_edits(bare, ["all.kind=avg"])


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadInput):
        read_edits(MODEL, [text])
