"""What holds for every edit: the original untouched, the rest shared, JSON there and back, undone to the bit, saved."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.digest import digest
from cutaway.graph.document import tensors_of
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model, save_model
from cutaway.surgery import edits as all_edits
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import KINDS, Edit, edit_of
from cutaway.surgery.edits import (
    AddNoise,
    FlipKernels,
    FoldNorm,
    FreezeStatistics,
    KeepOnly,
    RandomiseWeights,
    RemoveNorm,
    ResetStatistics,
    RotateKernels,
    RoundWeights,
    ScaleBias,
    ScaleChannels,
    ScaleWeights,
    SetActivation,
    SetBias,
    SetClasses,
    SetDropout,
    SetEpsilon,
    SetInput,
    SetInputSize,
    SetKernel,
    SetWeight,
    Silence,
    SwapChannels,
    ZeroWeights,
)

HERE = ("kernels", "weights", "channels", "activations", "norms", "dropout", "inputs")
X = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))

# Each edit, and the arrays that may be others afterwards.
EDITS: list[tuple[Edit, set[str]]] = [
    (SetKernel("conv", 1, "sobel_x"), {"conv.weight"}),
    (SetKernel("up", 1, ((1, 2), (3, 4)), input=0), {"up.weight"}),
    (RotateKernels("conv", 30.0), {"conv.weight"}),
    (FlipKernels("conv", "up_down", (1,)), {"conv.weight"}),
    (SetWeight("conv", (0, 1, 2, 2), 3.0), {"conv.weight"}),
    (SetWeight("bn", (1,), 3.0, "running_var"), {"bn.running_var"}),
    (ScaleWeights("fc", 2.0, (1,), (0, 3)), {"fc.weight"}),
    (ZeroWeights("up"), {"up.weight"}),
    (AddNoise("conv", 0.5, 3), {"conv.weight"}),
    (RandomiseWeights("fc", 3), {"fc.weight"}),
    (RoundWeights("deep", 3), {"deep.weight"}),
    (SwapChannels("conv", 0, 1), {"conv.weight"}),
    (SetBias("conv", 1.0), {"conv.bias"}),
    (ScaleBias("fc", 2.0), {"fc.bias"}),
    (Silence("conv", (0, 2)), set()),
    (KeepOnly("bn", (1,)), set()),
    (ScaleChannels("input_1", 0.5), set()),
    (SetActivation("conv", "gelu"), set()),
    (SetActivation("act", "prelu", 0.1), {"act.weight"}),
    (RemoveNorm("bn"), {"bn"}),
    (FoldNorm("bn"), {"bn", "conv.weight", "conv.bias"}),
    (FreezeStatistics("bn"), set()),
    (ResetStatistics("bn"), {"bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}),
    (SetEpsilon("bn", 0.1), set()),
    (SetDropout("drop", 0.1), set()),
    (SetDropout("drop", 0.5, at_prediction=True), set()),
    (SetInputSize(10), set()),
    (SetInput(channels="BGR"), set()),
    (SetClasses(("x", "y", "z")), set()),
]
EACH = pytest.mark.parametrize(("edit", "touched"), EDITS, ids=lambda v: v.kind if isinstance(v, Edit) else "")


def network() -> Model:
    torch.manual_seed(0)
    body = OrderedDict(
        conv=nn.Conv2d(3, 4, 3, bias=False),
        bn=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        deep=nn.Conv2d(4, 4, 3, groups=4),
        act=nn.ReLU6(),
        up=nn.ConvTranspose2d(4, 4, 2),
        pool=nn.AdaptiveAvgPool2d(2),
        flat=nn.Flatten(),
        drop=nn.Dropout(0.3),
        fc=nn.Linear(16, 3),
    )
    module = nn.Sequential(body).eval()
    nn.init.uniform_(module.bn.running_mean)
    return Model(trace(module), InputContract((8, 8)), ("a", "b", "c"))


def places(model: Model) -> dict[str, tuple[int, tuple[int, ...]]]:
    return {name: (t.data_ptr(), tuple(t.shape)) for name, t in tensors_of(model.graph).items()}


def modes(model: Model) -> list[tuple[str, bool]]:
    return [(name, module.training) for name, module in model.graph.named_modules()]


def test_every_edit_of_these_files_is_here() -> None:
    here = {cls for cls in KINDS.values() if cls.__module__.rpartition(".")[2] in HERE}
    assert {type(edit) for edit, _ in EDITS} == here
    assert all(getattr(all_edits, cls.__name__) is cls for cls in here)


@EACH
def test_the_original_stays_and_the_rest_is_shared(edit: Edit, touched: set[str]) -> None:
    before = network()
    was, where, answers, state = digest(before.graph), places(before), before.graph(X), modes(before)
    layers = dict(before.graph.named_modules())
    card, contract, classes = dict(before.card), before.contract, before.classes
    after = apply(before, [edit])
    assert (digest(before.graph), places(before), modes(before)) == (was, where, state)
    assert all(before.graph.get_submodule(n) is m for n, m in layers.items() if n)
    assert torch.equal(before.graph(X), answers)
    assert (before.card, before.contract, before.classes) == (card, contract, classes)
    changed = {name for name, place in places(after).items() if where.get(name) != place} | set(where) - set(
        places(after)
    )
    assert {name if name in touched else name.partition(".")[0] for name in changed} <= touched
    assert changed or not touched
    assert json.loads(after.card["edits"]) == [edit.to_dict()]
    assert not after.graph.training


@EACH
def test_saved_and_opened_it_is_the_same(edit: Edit, touched: set[str], tmp_path: Path) -> None:
    del touched
    after = apply(network(), [edit])
    again = open_model(save_model(after, tmp_path / "edited.safetensors"))
    assert digest(again.graph) == digest(after.graph)
    assert torch.equal(again.graph(X), after.graph(X))
    assert (again.contract, again.classes, again.card) == (after.contract, after.classes, after.card)


@EACH
def test_it_is_said_in_one_line(edit: Edit, touched: set[str]) -> None:
    del touched
    assert edit.sentence.isprintable()
    assert "=" not in edit.sentence  # a sentence of its own, not the fields
    assert type(edit).__doc__
    assert not type(edit).__doc__.startswith(type(edit).__name__)
    layer = getattr(edit, "layer", None)
    assert edit.layers == ((layer,) if layer else ())


@EACH
def test_it_is_quick_because_little_is_copied(edit: Edit, touched: set[str]) -> None:
    """New memory: at most the arrays of the layer that is changed."""
    before = network()
    after = apply(before, [edit])
    known = {place for place, _ in places(before).values()}
    new = sum(t.numel() for t in tensors_of(after.graph).values() if t.data_ptr() not in known)
    mine = {name.partition(".")[0] for name in touched}
    assert new <= sum(t.numel() for n, t in tensors_of(before.graph).items() if n.partition(".")[0] in mine) + 4


def values_of(wanted: typing.Any) -> st.SearchStrategy[typing.Any]:
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(values_of, args))
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(values_of(args[0]), max_size=4).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, args))
    if origin is typing.Literal:
        return st.sampled_from(args)
    if wanted is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    return {int: st.integers(), str: st.text(max_size=9), bool: st.booleans(), type(None): st.none()}[wanted]


@st.composite
def any_edit(draw: st.DrawFn) -> Edit:
    cls = draw(st.sampled_from(sorted({type(e) for e, _ in EDITS}, key=lambda c: c.__name__)))
    hints = typing.get_type_hints(cls)
    return cls(**{f.name: draw(values_of(hints[f.name])) for f in dataclasses.fields(cls)})


@settings(max_examples=300, deadline=None)
@given(any_edit())
def test_json_there_and_back(edit: Edit) -> None:
    again = edit_of(json.loads(json.dumps(edit.to_dict())))
    assert again == edit
    assert type(again) is type(edit)
    assert isinstance(edit.sentence, str)


@settings(max_examples=80, deadline=None)
@given(any_edit(), st.sampled_from(["conv", "bn", "relu", "deep", "up", "flat", "drop", "fc", "input_1", "nowhere"]))
def test_whatever_is_asked_ends_in_a_model_or_in_one_sentence(edit: Edit, layer: str) -> None:
    before = network()
    was = digest(before.graph)
    if hasattr(edit, "layer"):
        edit = dataclasses.replace(edit, layer=layer)
    if isinstance(edit, SetInputSize):
        sides = (edit.size, edit.size) if isinstance(edit.size, int) else edit.size
        edit = SetInputSize((min(abs(sides[0]), 40), min(abs(sides[1]), 40)))  # 0 and small ones break: said so
    told = ""
    try:
        after = apply(before, [edit])
    except BadInput as error:
        told = str(error)
    else:
        assert after.logits(np.zeros((1, *after.contract.size, 3), np.uint8)).shape == (1, 3)
    assert "\n" not in told
    assert len(told) < 700
    assert digest(before.graph) == was


BAD = [
    ([], "An edit is an object with an entry 'edit' that names it; got '\\[\\]'"),
    ({"edit": 3}, "An edit is an object with an entry 'edit'"),
    ({"edit": "set_kernl"}, "There is no edit 'set_kernl'; near: set_kernel"),
    ({"edit": "silence", "layer": "conv", "channel": 2}, "silence has no entry 'channel'; it has layer, channels"),
    ({"edit": "silence", "layer": "conv"}, "The edit silence lacks 'channels'"),
    ({"edit": "silence", "layer": "conv", "channels": 2}, "silence.channels must be a list of whole numbers. Got '2'"),
    ({"edit": "silence", "layer": "conv", "channels": [1.5]}, "silence.channels must be whole number. Got '1.5'"),
    ({"edit": "silence", "layer": "conv", "channels": [True]}, "silence.channels must be whole number. Got 'True'"),
    ({"edit": "silence", "layer": 3, "channels": [1]}, "silence.layer must be text. Got '3'"),
    ({"edit": "set_input_size", "size": [1, 2, 3]}, "set_input_size.size must be whole number or 2 numbers"),
    ({"edit": "scale_weights", "layer": "a", "factor": math.inf}, "scale_weights.factor must be number. Got 'inf'"),
    (
        {"edit": "set_dropout", "layer": "a", "rate": 1, "at_prediction": 1},
        "at_prediction must be true or false. Got '1'",
    ),
    ({"edit": "flip_kernels", "layer": "a", "axis": "x"}, "axis must be one of left_right, up_down. Got 'x'"),
]


@pytest.mark.parametrize(("document", "text"), BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_json_that_is_no_edit(document: typing.Any, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        edit_of(document)


def test_python_values_are_checked_like_those_of_json() -> None:
    with pytest.raises(BadInput, match=r"set_bias.value must be number. Got 'two'"):
        SetBias("conv", "two")  # type: ignore[arg-type]
    assert Silence("conv", [np.int64(2)]) == Silence("conv", (2,))  # type: ignore[arg-type]
    assert SetBias("conv", np.float32(0.5)).to_dict()["value"] == 0.5


def test_an_edit_without_an_operation() -> None:
    with pytest.raises(NotImplementedError):
        Edit().operate(typing.cast(typing.Any, None))
    assert Edit().sentence == " ()"


def test_names_stay() -> None:
    """Edits keep the names of the steps, so that layers can be laid side by side afterwards."""
    before = list(names_of(network().graph))
    for edit, _ in EDITS:
        after = [n for n in names_of(apply(network(), [edit]).graph) if not n.endswith("_channels")]
        assert after == before, edit
