"""Muon: against torch's own on matrices, singular values by numpy, AdamW for the rest, state kept in checkpoints."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.training.muon import MOMENTUM, RATE, MuonAdamW, orthogonal
from cutaway.training.recipe import Recipe
from cutaway.training.schedule import make_optimizer, weight_groups


def stepped(network: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, steps: int = 3) -> None:
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        network(x).square().mean().backward()
        optimizer.step()


def convolutions() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(8 * 4, 3))


@pytest.mark.parametrize("shape", [(8, 27), (27, 8), (16, 16)])
def test_a_matrix_keeps_its_directions_and_loses_their_lengths(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, v = np.linalg.svd(matrix.numpy(), full_matrices=False)
    inside = u.T @ orthogonal(matrix).numpy() @ v.T  # diagonal in the matrix' own directions
    found = np.diag(inside)
    assert np.abs(inside - np.diag(found)).max() < 1e-4
    large = found[s > 0.3 * s.max()]  # three steps do not lift the smallest all the way
    assert large.min() > 0.5
    assert large.max() < 1.25
    assert not orthogonal(torch.zeros(shape)).any()


def test_steps_are_those_of_torchs_muon_within_bfloat16() -> None:
    torch.manual_seed(0)
    ours = nn.Linear(20, 12, bias=False)
    theirs, x = copy.deepcopy(ours), torch.randn(16, 20)
    before = ours.weight.detach().clone()
    stepped(ours, MuonAdamW([{"params": list(ours.parameters()), "muon": True}], lr=1e-3, weight_decay=0.1), x)
    peer = torch.optim.Muon(theirs.parameters(), lr=RATE * 1e-3, weight_decay=0.1 / RATE, momentum=MOMENTUM, ns_steps=3)
    stepped(theirs, peer, x)
    a, b = (after.weight.detach() - before for after in (ours, theirs))
    assert float((a - b).norm() / b.norm()) < 0.02  # torch iterates in bfloat16


def test_only_kernels_with_several_inputs_are_muons() -> None:
    network = convolutions()
    groups = weight_groups(network, Recipe(optimizer="muon"), layered=False)
    muon = [p for g in groups if g["muon"] for p in g["params"]]
    assert [p is network[0].weight for p in muon] == [True]  # depthwise, biases and the classifier are AdamW's
    assert not any(g["muon"] for g in weight_groups(network, Recipe(), layered=False))


def test_the_rest_is_stepped_as_adamw_does() -> None:
    torch.manual_seed(0)
    ours = nn.Linear(4, 2)  # a single matrix is the classifier
    theirs = copy.deepcopy(ours)
    for network, name in ((ours, "muon"), (theirs, "adamw")):
        recipe = Recipe(optimizer=name)  # type: ignore[arg-type]
        stepped(network, make_optimizer(weight_groups(network, recipe, layered=False), recipe), torch.ones(2, 4))
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


def test_its_state_goes_through_a_checkpoint() -> None:
    recipe, x, network = Recipe(optimizer="muon"), torch.randn(4, 3, 6, 6), convolutions()
    first = make_optimizer(weight_groups(network, recipe, layered=False), recipe)
    stepped(network, first, x)
    resumed = copy.deepcopy(network)
    second = make_optimizer(weight_groups(resumed, recipe, layered=False), recipe)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    stepped(network, first, x)
    stepped(resumed, second, x)
    for a, b in zip(network.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
