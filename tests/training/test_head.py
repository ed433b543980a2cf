"""A head learns on standardised vectors and is the same function of raw ones afterwards."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cutaway.training.head import Standardised, make_head
from cutaway.training.recipe import recipe_for


def vectors(n: int = 64, features: int = 10) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    raw = torch.randn(n, features, generator=generator) * torch.logspace(-2, 2, features) + torch.arange(features)
    raw[:, 3] = 7.0  # a feature that never changes
    return raw


@pytest.mark.parametrize("hidden", [0, 16])
def test_folding_keeps_the_function(hidden: int) -> None:
    raw = vectors()
    network = Standardised(raw, 3, recipe_for("frozen", hidden=hidden)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))
        before = network(raw)
        after = network.folded()(raw)
    assert (before - after).abs().max() < 1e-5 * before.abs().max()


def test_the_head_sees_mean_0_and_deviation_1() -> None:
    raw = vectors()
    network = Standardised(raw, 3, recipe_for("frozen"))
    seen: list[torch.Tensor] = []
    network.head.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network(raw)
    mean, std = seen[0].mean(0), seen[0].std(0, correction=0)
    assert mean.abs().max() < 1e-4
    assert torch.allclose(std[[0, 1, 2, *range(4, 10)]], torch.ones(9), atol=1e-4)
    assert std[3] < 1e-4  # the constant one stays 0, not infinite


def test_every_class_starts_equally_likely() -> None:
    logits = Standardised(vectors(), 5, recipe_for("frozen")).eval()(vectors())
    loss = nn.functional.cross_entropy(logits, torch.zeros(64, dtype=torch.int64))
    assert loss.item() == pytest.approx(math.log(5))


@pytest.mark.parametrize(
    ("dropout", "hidden", "names"),
    [(0.0, 0, ["dense"]), (0.3, 0, ["dropout", "dense"]), (0.3, 8, ["dropout", "hidden", "relu", "dense"])],
)
def test_what_a_head_is_made_of(dropout: float, hidden: int, names: list[str]) -> None:
    head = make_head(10, 4, recipe_for("frozen", dropout=dropout, hidden=hidden))
    assert [name for name, _ in head.named_children()] == names
    assert head(torch.zeros(2, 10)).shape == (2, 4)


def test_the_seed_decides_the_hidden_layer() -> None:
    def first(seed: int) -> torch.Tensor:
        weight: torch.Tensor = Standardised(vectors(), 3, recipe_for("frozen", hidden=4, seed=seed)).head.hidden.weight
        return weight

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))
