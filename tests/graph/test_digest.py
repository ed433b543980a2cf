"""The digest of a graph: equal for equal graphs, another for every change of a weight, a setting or a connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from cutaway.graph.build import GraphBuilder
from cutaway.graph.digest import digest
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.trace import trace


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


def test_it_is_the_same_for_the_same_network() -> None:
    assert digest(trace(network())) == digest(trace(network()))
    assert len(digest(trace(network()))) == 64


def test_it_survives_saving_and_opening() -> None:
    graph = trace(network())
    assert digest(from_document(to_document(graph), tensors_of(graph))) == digest(graph)


def test_the_order_in_memory_does_not_matter() -> None:
    graph = trace(network())
    before = digest(graph)
    assert digest(graph.to(memory_format=torch.channels_last)) == before
    assert digest(graph.train()) == before


def weight(n: nn.Sequential) -> None:
    n[0].weight.data[0, 0, 0, 0] += 1e-7


def last_bit(n: nn.Sequential) -> None:
    n[4].bias.data[0] = torch.nextafter(n[4].bias.data[0], torch.tensor(9.0))


def sign_of_zero(n: nn.Sequential) -> None:
    n[1].running_mean[0] = -0.0


def counter(n: nn.Sequential) -> None:
    n[1].num_batches_tracked += 1


def setting(n: nn.Sequential) -> None:
    n[1].eps = 1e-4


def another_layer(n: nn.Sequential) -> None:
    n[2] = nn.ReLU6()


def precision(n: nn.Sequential) -> None:
    n.double()


@pytest.mark.parametrize("change", [weight, last_bit, sign_of_zero, counter, setting, another_layer, precision])
def test_any_change_is_another_digest(change: Callable[[nn.Sequential], None]) -> None:
    changed = network()
    change(changed)
    assert digest(trace(changed)) != digest(trace(network()))


def test_another_connection_is_another_digest() -> None:
    def built(first: bool) -> str:
        builder = GraphBuilder()
        x = builder.input()
        y = builder.layer("relu", nn.ReLU(), x)
        z = builder.layer("tanh", nn.Tanh(), y)
        return digest(builder.finish(y if first else z))

    assert built(True) != built(False)


def test_a_weight_without_numbers_counts_too() -> None:
    """Empty tensors and single numbers have bytes of their own kind."""
    graph = trace(network())
    graph.register_buffer("empty", torch.zeros(0))
    with_empty = digest(graph)
    graph.register_buffer("empty", torch.zeros(0, 2))
    assert digest(graph) != with_empty
