"""The number of threads is measured, on a copy: the network that will be trained is left as it was."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from cutaway.training import threads
from cutaway.training.device import World
from cutaway.training.loop import Job
from cutaway.training.recipe import recipe_for
from cutaway.training.source import VectorSource


def job() -> Job:
    source = VectorSource(torch.randn(8, 3), torch.zeros(8, dtype=torch.long))
    return Job(source, source, recipe_for("frozen", precision="float32"), 1, World(0, 1, torch.device("cpu")))


@pytest.fixture
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("alone", "best"), [(0.5, 1), (0.89, 1), (0.95, 2), (2.0, 2)])
def test_fewer_threads_only_where_they_are_clearly_faster(
    alone: float, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_seconds", lambda _, n: alone if n == 1 else 1.0)
    assert threads.fastest_threads(nn.Linear(3, 2), job()) == best
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_the_network_and_its_gradients_are_untouched() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    before = copy.deepcopy(network.state_dict())
    assert threads.fastest_threads(network, job()) in (1, 2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def test_one_thread_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(threads, "_seconds", lambda *_: pytest.fail("nothing to choose"))
    assert threads.fastest_threads(nn.Linear(3, 2), job()) == 1
