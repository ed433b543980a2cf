"""Channels silenced, kept alone, scaled: what everything after the step sees, on layers, functions and the input."""

from __future__ import annotations

import math
import typing
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.engine.trace import trace_steps
from cutaway.engine.unfold import unfold
from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model
from cutaway.model.export import export_model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.channels import channel_axis
from cutaway.surgery.edits import KeepOnly, ScaleChannels, SetActivation, Silence
from cutaway.surgery.patient import Patient


class Branches(nn.Module):
    """A residual sum, a concatenation, a row of features that lie last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.side = nn.Conv2d(3, 4, 1)
        self.mix = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.relu(self.bn(self.conv(x))), self.side(x)
        both = torch.cat([a + b, a], 1)
        rows = self.norm(self.mix(both.permute(0, 2, 3, 1)) * 1.5)
        maps = rows.permute(0, 3, 1, 2) + both
        return typing.cast(torch.Tensor, self.fc(self.pool(maps).flatten(1)))


def network() -> Model:
    torch.manual_seed(0)
    model = Branches().eval()
    nn.init.uniform_(model.bn.bias)
    return Model(trace(model), InputContract((6, 6)), ("a", "b", "c"))


X = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
AXES = {
    "x": (3, 1), "conv": (4, 1), "bn": (4, 1), "relu": (4, 1), "side": (4, 1), "add": (4, 1), "cat": (8, 1),
    "mix": (8, -1), "mul": (8, -1), "norm": (8, -1), "add_1": (8, 1), "pool": (8, 1), "flatten": (8, 1), "fc": (3, -1),
}  # fmt: skip


def test_every_step_knows_its_channels_and_their_axis() -> None:
    patient = Patient(network())
    steps = [n for n in names_of(patient.graph) if not n.startswith("permute")]
    assert {name: channel_axis(patient, name) for name in steps} == AXES


@pytest.mark.parametrize("name", AXES)
def test_readers_see_zeros_and_the_step_stays(name: str) -> None:
    before = network()
    after = apply(before, [Silence(name, (0, 2))])
    old, new = trace_steps(before.graph, X), trace_steps(after.graph, X)
    assert torch.equal(new[name], old[name])
    mask = torch.ones(AXES[name][0]).index_fill(0, torch.tensor([0, 2]), 0)
    axis = AXES[name][1] % old[name].ndim
    seen = new[f"{name}_channels"]
    assert torch.equal(seen, old[name] * mask.view([-1 if d == axis else 1 for d in range(old[name].ndim)]))
    readers = [n for n in names_of(after.graph).values() if n.all_input_nodes and n.name != f"{name}_channels"]
    behind = names_of(after.graph)[f"{name}_channels"]
    assert not any(names_of(after.graph)[name] in n.all_input_nodes for n in readers if n is not behind)


def test_a_channel_silenced_before_its_normalisation_comes_back_as_its_shift() -> None:
    before = network()
    found = trace_steps(apply(before, [Silence("conv", (1,))]).graph, X)["bn"][:, 1]
    norm = typing.cast(nn.BatchNorm2d, before.graph.get_submodule("bn"))
    torch.testing.assert_close(found, norm.bias[1].expand_as(found), atol=1e-5, rtol=0)


def test_edits_of_one_step_gather_in_one_layer() -> None:
    edits = [
        Silence("conv", (0,)),
        ScaleChannels("conv", 3.0, (1, 2)),
        ScaleChannels("conv", 0.5),
        Silence("conv", (2,)),
    ]
    after = apply(network(), edits)
    layer = after.graph.get_submodule("conv_channels")
    assert repr(layer) == "ScaleChannels(factors=(0.0, 1.5, 0.0, 0.5), dim=1)"
    assert sum(isinstance(m, extra.ScaleChannels) for m in after.graph.modules()) == 1
    assert repr(apply(after, [Silence("conv", (3,))]).graph.conv_channels).startswith(
        "ScaleChannels(factors=(0.0, 1.5, 0"
    )
    assert repr(after.graph.conv_channels) == "ScaleChannels(factors=(0.0, 1.5, 0.0, 0.5), dim=1)"


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 3), min_size=1))
def test_keeping_some_is_silencing_the_others(kept: set[int]) -> None:
    before = network()
    rest = tuple(sorted({0, 1, 2, 3} - kept))
    a = apply(before, [KeepOnly("relu", tuple(kept))])
    b = apply(before, [Silence("relu", rest)]) if rest else before
    assert torch.equal(a.graph(X), b.graph(X))


def test_a_channel_that_is_no_number_is_silenced_all_the_same() -> None:
    before = network()
    conv = typing.cast(nn.Conv2d, before.graph.get_submodule("conv"))
    assert conv.bias is not None
    conv.bias.data[1] = math.nan
    assert before.graph(X).isnan().all()
    assert apply(before, [Silence("conv", (1,))]).graph(X).isfinite().all()


def test_saved_exported_and_unfolded(tmp_path: Path) -> None:
    row = OrderedDict(conv=nn.Conv2d(3, 4, 3), relu=nn.ReLU(), flat=nn.Flatten(), fc=nn.Linear(64, 6))
    before = Model(trace(nn.Sequential(row)), InputContract((6, 6)), tuple("abcdef"))
    after = apply(before, [Silence("relu", (0, 3)), ScaleChannels("fc", 2.0, (1,)), SetActivation("conv", "sigmoid")])
    wanted = after.graph(X)
    again = open_model(export_model(after, tmp_path / "edited.safetensors"))
    assert torch.equal(again.graph(X), wanted)
    torch.testing.assert_close(
        open_model(export_model(after, tmp_path / "e.onnx")).graph(X), wanted, atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        open_model(export_model(after, tmp_path / "e.pt2")).graph(X), wanted, atol=1e-5, rtol=1e-5
    )
    kept = trace_steps(after.graph, X)
    for name, index in (("relu_channels", (0, 1, 1)), ("relu_channels", (1, 2, 3)), ("fc_channels", (1,))):
        told = unfold(after.graph, kept, name, index)
        assert told.unfolded
        assert told.difference <= 1e-6
    assert unfold(after.graph, kept, "relu_channels", (0, 1, 1)).formula == "0: the channel is silenced"


REFUSED = [
    (Silence("conv", (4,)), r"silence conv\[4\]: conv has 4 channels, 0 to 3. Got 4"),
    (Silence("conv", (-1,)), "conv has 4 channels, 0 to 3. Got -1"),
    (Silence("conv", ()), "no channel of conv was named; give at least one"),
    (KeepOnly("conv", ()), "no channel of conv was named"),
    (KeepOnly("conv", (7,)), "conv has 4 channels, 0 to 3. Got 7"),
    (ScaleChannels("add", 2.0, (4,)), "add has 4 channels, 0 to 3. Got 4"),
    (Silence("permute", (0,)), "permute only moves or holds numbers; name the layer whose channels are meant"),
    (Silence("kern", (0,)), "The network has no layer 'kern'"),
]


@pytest.mark.parametrize(("edit", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_does_not_fit_is_said(edit: typing.Any, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        operated(network(), [edit])


def test_a_step_without_channels() -> None:
    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1) + x.mean()

    model = Model(trace(Mean()), InputContract((2, 2)), ())
    with pytest.raises(BadInput, match="mean gives no channels"):
        operated(model, [Silence("mean", (0,))])


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (Silence("conv", (5, 7)), "silence conv[5,7]"),
        (KeepOnly("conv", (1,)), "keep only conv[1]"),
        (ScaleChannels("conv", 0.5), "multiply conv by 0.5"),
        (ScaleChannels("conv", 2.0, (3,)), "multiply conv[3] by 2"),
    ],
)
def test_sentences(edit: typing.Any, text: str) -> None:
    assert edit.sentence == text
