"""The network's first convolution: the lesson's sums are the layer's own map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.engine.lesson.first import first_convolution
from cutaway.engine.lesson.window import over
from cutaway.engine.trace import trace_steps
from cutaway.graph.trace import trace


def _first(net: nn.Module):  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    graph = trace(net.eval())
    run = trace_steps(graph, torch.randn(1, 3, 12, 10))
    return first_convolution(graph, run), run


def test_the_sums_are_the_layers_own_map() -> None:
    net = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())
    first, run = _first(net)
    assert (first.name, first.step.stride, first.stack.shape) == ("1", 2, (3, 13, 11))
    for number in range(4):
        found = over(first.stack, first.weights[number], first.step, float(first.bias[number]))
        np.testing.assert_allclose(found.total, run["1"][0, number].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 4, 3, stride=(1, 2)), nn.Conv2d(3, 4, 3, padding="same"),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.MaxPool2d(2),
    ],
)  # fmt: skip
def test_what_a_lesson_cannot_show(layer: nn.Module) -> None:
    assert _first(nn.Sequential(layer))[0] is None
