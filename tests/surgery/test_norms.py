"""Normalisation: folded without a trace, removed, frozen, reset, another epsilon."""

from __future__ import annotations

import typing
from collections import OrderedDict

import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.kinds import kind_class
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edits import FoldNorm, FreezeStatistics, RemoveNorm, ResetStatistics, SetEpsilon, Silence

X = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))


class Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.bn = nn.BatchNorm2d(4, eps=1e-3)
        self.up = nn.ConvTranspose2d(4, 4, 2, groups=2)
        self.bn_up = nn.BatchNorm2d(4, affine=False)
        self.gn = nn.GroupNorm(2, 4)
        self.lrn = nn.LocalResponseNorm(3)
        self.std = kind_class("StdConv2d")(4, 4, 1)
        self.bn_std = nn.BatchNorm2d(4)
        self.fork = nn.Conv2d(4, 4, 1)
        self.bn_fork = nn.BatchNorm2d(4)
        self.bn_sum = nn.BatchNorm2d(4)
        self.bare = nn.BatchNorm2d(4, track_running_stats=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 5)
        self.bn_fc = nn.BatchNorm1d(5)
        self.out = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn_up(self.up(self.bn(self.conv(x))))
        x = self.bn_std(self.std(self.lrn(self.gn(x))))
        a = self.fork(x)
        x = self.bare(self.bn_sum(self.bn_fork(a) + a))
        return typing.cast(torch.Tensor, self.out(self.bn_fc(self.fc(self.pool(x).flatten(1)))))


def network() -> Model:
    torch.manual_seed(0)
    module = Norms()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.running_mean is not None:
            assert layer.running_var is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.1, 3)
            if layer.affine:
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias)
    return Model(trace(module.eval()), InputContract((6, 6)), ("a", "b", "c"))


def layer(model: Model, name: str) -> typing.Any:
    return model.graph.get_submodule(name)


def test_folding_changes_no_answer() -> None:
    """Two roundings of float32: 1e-6 of the largest answer, measured 2e-7."""
    before = network()
    after = apply(before, [FoldNorm("bn"), FoldNorm("bn_up"), FoldNorm("bn_fc")])
    wanted = before.graph(X)
    torch.testing.assert_close(after.graph(X), wanted, rtol=0, atol=2e-6 * wanted.abs().max().item())
    assert all(isinstance(layer(after, name), nn.Identity) for name in ("bn", "bn_up", "bn_fc"))
    assert layer(after, "conv").bias is not None
    assert "untrained" not in after.card


def test_a_frozen_norm_folds_too() -> None:
    before = network()
    after = apply(before, [FreezeStatistics("bn"), FoldNorm("bn")])
    torch.testing.assert_close(after.graph(X), before.graph(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "heals"), [("bn", "conv"), ("bn_fc", "fc"), ("bn_sum", "fc"), ("gn", "up")])
def test_removal_leaves_a_layer_that_must_learn_again(name: str, heals: str) -> None:
    before = network()
    after = apply(before, [RemoveNorm(name)])
    assert isinstance(layer(after, name), nn.Identity)
    assert not torch.allclose(after.graph(X), before.graph(X))
    assert after.card["untrained"] == f'{{"{heals}": "its normalisation {name} was removed"}}'


@pytest.mark.parametrize("name", ["bn", "bn_fc", "bn_up"])
def test_frozen_answers_are_the_same_and_stay_in_training(name: str) -> None:
    before = network()
    frozen = apply(before, [FreezeStatistics(name)])
    assert torch.equal(frozen.graph(X), before.graph(X))
    assert type(layer(frozen, name)).__name__ == f"Frozen{type(layer(before, name)).__name__}"
    assert layer(frozen, name).running_mean.data_ptr() == layer(before, name).running_mean.data_ptr()
    kept = layer(before, name).running_mean.clone()
    layer(frozen, name).train()(torch.randn(8, layer(before, name).num_features, *[3] * 2 * ("fc" not in name)))
    assert torch.equal(layer(before, name).running_mean, kept)
    thawed = apply(apply(before, [FreezeStatistics(name)]), [FreezeStatistics(name, frozen=False)])
    assert type(layer(thawed, name)) is type(layer(before, name))
    assert torch.equal(thawed.graph(X), before.graph(X))
    assert layer(thawed, name).eps == layer(before, name).eps


def test_reset_statistics_are_a_new_layers() -> None:
    before = network()
    after = apply(before, [ResetStatistics("bn")])
    assert layer(after, "bn").running_mean.tolist() == [0] * 4
    assert layer(after, "bn").running_var.tolist() == [1] * 4
    assert torch.equal(layer(after, "bn").weight, layer(before, "bn").weight)
    assert after.card["untrained"] == '{"bn": "its statistics were reset"}'


def test_epsilon() -> None:
    before = network()
    after = apply(before, [SetEpsilon("bn", 0.5), SetEpsilon("gn", 0.1)])
    norm = layer(before, "bn")
    x = torch.randn(1, 4, 3, 3)
    wanted = nn.functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=0.5)
    assert torch.equal(layer(after, "bn")(x), wanted)
    assert norm.eps == 1e-3
    assert layer(after, "gn").eps == 0.1


REFUSED = [
    (
        RemoveNorm("conv"),
        "conv is a Conv2d, not a normalisation. Normalisations are bn, bn_up, gn, lrn, bn_std and 4 more",
    ),
    (FoldNorm("gn"), "gn is a GroupNorm that stores no statistics; it uses those of each picture"),
    (FoldNorm("bare"), "bare is a BatchNorm2d that stores no statistics"),
    (FoldNorm("bn_std"), "bn_std follows std, a StdConv2d; it can be folded into a convolution or dense layer only"),
    (FoldNorm("bn_sum"), "bn_sum follows add, a function; it can be folded into"),
    (FoldNorm("bn_fork"), "fork feeds other steps besides bn_fork; they would get folded numbers too"),
    (ResetStatistics("gn"), "gn is a GroupNorm that stores no statistics"),
    (FreezeStatistics("lrn"), "lrn is a LocalResponseNorm that stores no statistics"),
    (SetEpsilon("lrn", 0.1), "lrn is a LocalResponseNorm, which has no epsilon"),
    (SetEpsilon("bn", 0.0), "epsilon must be above 0 and below 1e6. Got 0"),
    (SetEpsilon("bn", -1.0), "epsilon must be above 0 and below 1e6. Got -1"),
]


@pytest.mark.parametrize(("edit", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else v.kind)
def test_what_does_not_fit_is_said(edit: typing.Any, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        operated(network(), [edit])


def test_between_conv_and_norm_something_else() -> None:
    with pytest.raises(BadInput, match="bn follows conv_channels, a ScaleChannels; it can be folded"):
        operated(network(), [Silence("conv", (0,)), FoldNorm("bn")])


def test_a_network_without_norms() -> None:
    model = Model(trace(nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 1, 1)))), InputContract((2, 2)), ())
    with pytest.raises(BadInput, match=r"conv is a Conv2d, not a normalisation. The network has none"):
        operated(model, [RemoveNorm("conv")])


def test_a_norm_before_everything_marks_what_comes_after() -> None:
    body = OrderedDict(bn=nn.BatchNorm2d(3), relu=nn.ReLU(), conv=nn.Conv2d(3, 2, 1), flat=nn.Flatten())
    patient = operated(Model(trace(nn.Sequential(body)), InputContract((2, 2)), ()), [RemoveNorm("bn")])
    assert list(patient.untrained) == ["conv"]
    alone = OrderedDict(bn=nn.BatchNorm2d(3), relu=nn.ReLU())
    assert not operated(Model(trace(nn.Sequential(alone)), InputContract((2, 2)), ()), [RemoveNorm("bn")]).untrained


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (RemoveNorm("bn"), "remove the normalisation bn"),
        (FoldNorm("bn"), "fold bn into the layer before it"),
        (FreezeStatistics("bn"), "freeze bn's statistics"),
        (FreezeStatistics("bn", frozen=False), "thaw bn's statistics"),
        (ResetStatistics("bn"), "reset bn's statistics"),
        (SetEpsilon("bn", 1e-3), "set bn's epsilon to 0.001"),
    ],
)
def test_sentences(edit: typing.Any, text: str) -> None:
    assert edit.sentence == text
