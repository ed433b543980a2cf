"""Which layers hold bfloat16, and that the graph it came from stays as it was."""

from __future__ import annotations

import torch
from torch import nn

from cutaway.explanation.covering.halved import halved
from cutaway.graph.trace import trace


def test_all_but_the_last_pool_and_what_follows() -> None:
    torch.manual_seed(0)
    graph = trace(
        nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
        ).eval()
    )
    half = halved(graph)
    types = {name.split(".")[0]: p.dtype for name, p in half.named_parameters()}
    assert types == {"0": torch.bfloat16, "1": torch.bfloat16, "5": torch.float32}
    assert all(p.dtype == torch.float32 for p in graph.parameters())
    x = torch.randn(2, 3, 9, 9)
    with torch.inference_mode():
        found, exact = half(x.to(torch.bfloat16)), graph(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=0.02, rtol=0.02)


def test_a_network_that_is_all_ending_stays_in_float32() -> None:
    graph = trace(nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).eval())
    half = halved(graph)
    x = torch.randn(1, 3, 2, 2).to(torch.bfloat16)
    with torch.inference_mode():
        torch.testing.assert_close(half(x), graph(x.float()))
