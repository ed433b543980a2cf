"""Learning rates by hand, and which weights share one."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cutaway.training.muon import MuonAdamW
from cutaway.training.recipe import Recipe
from cutaway.training.schedule import make_optimizer, one_cycle, set_rate, weight_groups


def test_one_cycle_by_hand() -> None:
    """100 steps, a quarter of warm-up: 1/25 at first, 1 at step 25, half way down at 62.5, almost 0 at the end."""
    assert one_cycle(0, 100, 0.25) == pytest.approx(0.04)
    assert one_cycle(10, 100, 0.25) == pytest.approx(0.04 + 0.96 * 10 / 25)
    assert one_cycle(25, 100, 0.25) == 1.0
    assert one_cycle(50, 100, 0.25) == pytest.approx(0.75)  # cos(60 degrees) = 1/2
    assert one_cycle(99, 100, 0.25) == pytest.approx(0.5 * (1 + math.cos(math.pi * 74 / 75)))
    assert one_cycle(99, 100, 0.25) < 0.001


@given(total=st.integers(1, 400), warmup=st.floats(0, 0.99))
def test_the_rate_climbs_then_falls_and_stays_positive(total: int, warmup: float) -> None:
    rates = [one_cycle(step, total, warmup) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.norm1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, bias=False)
        self.head = nn.Sequential()
        self.head.add_module("dense", nn.Linear(4, 2))


def rates(groups: list[dict[str, object]], network: nn.Module) -> dict[str, tuple[float, float]]:
    """Weight's name -> (factor, decay)."""
    names = {id(p): name for name, p in network.named_parameters()}
    return {names[id(p)]: (g["factor"], g["weight_decay"]) for g in groups for p in g["params"]}  # type: ignore[attr-defined, misc]


def test_biases_and_norms_do_not_decay() -> None:
    network = Deep()
    found = rates(weight_groups(network, Recipe(weight_decay=0.3), layered=False), network)
    decays = {name: decay for name, (_, decay) in found.items()}
    assert {name for name, decay in decays.items() if decay == 0.3} == {
        "conv1.weight",
        "conv2.weight",
        "head.dense.weight",
    }
    assert {name for name, decay in decays.items() if decay == 0} == {
        *("conv1.bias", "norm1.weight", "norm1.bias", "head.dense.bias")
    }
    assert {factor for factor, _ in found.values()} == {1.0}


def test_early_layers_learn_slower_in_equal_ratios_and_the_head_at_full_rate() -> None:
    network = Deep()
    groups = weight_groups(network, Recipe(lr=0.1, early_lr=0.01), layered=True)
    found = rates(groups, network)
    assert found["head.dense.weight"][0] == found["head.dense.bias"][0] == 1.0
    body = [found[name][0] for name, _ in network.named_parameters() if not name.startswith("head.")]
    assert body[0] == pytest.approx(0.01)
    assert body == pytest.approx([0.01 ** (1 - i / 6) for i in range(5)], abs=5e-5)  # 7 weights, 2 of them the head's
    assert all(g["lr"] == pytest.approx(0.1 * g["factor"]) for g in groups)


def test_weights_that_are_not_trained_are_left_out() -> None:
    network = Deep()
    network.conv1.requires_grad_(False)
    found = rates(weight_groups(network, Recipe(), layered=False), network)
    assert not any(name.startswith("conv1") for name in found)


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD), ("muon", MuonAdamW)]
)
def test_set_rate_keeps_the_ratios(name: str, kind: type) -> None:
    network = Deep()
    recipe = Recipe(optimizer=name)  # type: ignore[arg-type]
    optimizer = make_optimizer(weight_groups(network, recipe, layered=True), recipe)
    assert type(optimizer) is kind
    set_rate(optimizer, 0.5)
    assert all(g["lr"] == pytest.approx(0.5 * g["factor"]) for g in optimizer.param_groups)
    assert max(g["lr"] for g in optimizer.param_groups) == 0.5
