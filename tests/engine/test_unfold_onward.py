"""Onward against brute force: every cell of the steps that follow is unfolded, and those that read it are counted."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx, nn

from cutaway.engine.prepare import prepare
from cutaway.engine.trace import trace_steps
from cutaway.engine.unfold import Arithmetic, pixel_lines, readers, sentence, unfold
from cutaway.errors import BadInput
from cutaway.graph.build import GraphBuilder
from cutaway.graph.trace import trace
from cutaway.image import InputContract


def lone(module: nn.Module) -> fx.GraphModule:
    builder = GraphBuilder()
    return builder.finish(builder.layer("layer", module.eval(), builder.input())).eval()


def read(told: Arithmetic, step: str, cell: tuple[int, ...]) -> bool:
    boxes = [(s.step, s.axes) for s in told.leads_to] + [(w.step, w.axes) for w in told.windows]
    return any(s == step and all(c in axis for c, axis in zip(cell, axes, strict=True)) for s, axes in boxes)


def agree(graph: fx.GraphModule, x: torch.Tensor, step: str, after: str) -> None:
    """Some cells of `step`: what `readers` says of `after` is what unfolding all of its cells says."""
    kept = trace_steps(graph, x)
    shape = tuple(kept[step].shape[1:])
    cells = list(product(*(range(n) for n in shape)))
    told = {at: unfold(graph, kept, after, at) for at in product(*(range(n) for n in kept[after].shape[1:]))}
    for cell in cells[:: max(1, len(cells) // 5)]:
        (found,) = [r for r in readers(graph, kept, step, cell) if r.step == after]
        reading = {at for at, arithmetic in told.items() if read(arithmetic, step, cell)}
        if found.count is not None:
            assert found.count == len(reading), (cell, found)
        assert (found.index in reading) if reading else found.index == ()


LAYERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 7, 6)),
    (nn.Conv2d(4, 4, 3, groups=4, bias=False), (4, 5, 5)),
    (nn.Conv2d(4, 6, (1, 3), groups=2, dilation=(1, 2), padding=(0, 1)), (4, 3, 6)),
    (nn.Conv2d(1, 2, 1, stride=3), (1, 5, 5)),
    (nn.Conv1d(2, 3, 4, stride=3, padding=2), (2, 9)),
    (nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1), (2, 3, 4)),
    (nn.AvgPool2d(2, stride=2), (2, 5, 4)),
    (nn.AdaptiveAvgPool2d((2, 3)), (2, 5, 4)),
    (nn.Linear(6, 4), (6,)),
    (nn.Linear(5, 3), (4, 5)),
    (nn.Flatten(), (2, 3, 4)),
    (nn.ZeroPad2d((1, 0, 2, -1)), (1, 4, 3)),
    (nn.ReLU(), (2, 3, 3)),
    (nn.BatchNorm2d(2), (2, 3, 3)),
    (nn.Softmax(dim=1), (5,)),
    (nn.LayerNorm(4), (3, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: type(value).__name__)
def test_readers_are_the_cells_that_read(layer: nn.Module, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    graph = lone(layer)
    agree(graph, torch.randn(1, *shape), next(iter(trace_steps(graph, torch.randn(1, *shape)))), "layer")


class Joined(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        a, b = x * 2, x + 1
        both = torch.cat([a, b], 1)
        summed = both + both.mean((2, 3), keepdim=True)
        return summed.mean((2, 3))


def test_readers_of_sums_means_and_joined_maps() -> None:
    graph, x = trace(Joined()), torch.randn(1, 2, 3, 4)
    kept = trace_steps(graph, x)
    pairs = [(name, r.step) for name in kept for r in readers(graph, kept, name, (0,) * (kept[name].ndim - 1))]
    assert len(pairs) == 8
    for before, after in pairs:
        agree(graph, x, before, after)


def test_max_pool_offers_the_window_whether_it_was_largest_or_not() -> None:
    graph, x = lone(nn.MaxPool2d(2)), torch.arange(16.0).reshape(1, 1, 4, 4)
    (found,) = readers(graph, trace_steps(graph, x), "input_1", (0, 0, 0))
    assert (found.index, found.count) == ((0, 0, 0), 1)


def test_the_cell_a_dense_layer_weighs_most_is_offered() -> None:
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.1, 0, 0], [-2.0, 0, 0], [1.0, 0, 0]]))
    graph = lone(layer)
    (found,) = readers(graph, trace_steps(graph, torch.ones(1, 3)), "input_1", (0,))
    assert (found.index, found.count) == ((1,), 3)


def test_a_cell_that_is_not_there_is_refused() -> None:
    graph = lone(nn.ReLU())
    with pytest.raises(BadInput, match=r"input_1 has cells \[0\] to \[2\]"):
        readers(graph, trace_steps(graph, torch.ones(1, 3)), "input_1", (3,))


def told(layer: nn.Module, x: torch.Tensor, cell: tuple[int, ...]) -> str:
    graph = lone(layer)
    return sentence(unfold(graph, trace_steps(graph, x), "layer", cell))


def test_sentences() -> None:
    x = torch.tensor([[-0.5, 2.0, 3.0]])
    assert told(nn.ReLU(), x, (0,)) == "layer[0] = max(0, (−0.5)) = 0"
    assert told(nn.Tanh(), x, (0,)) == "layer[0] = tanh(−0.5) = −0.4621"
    assert told(nn.ReLU(), x, (1,)) == "layer[1] = max(0, 2) = 2"
    dense = nn.Linear(3, 1)
    with torch.no_grad():
        dense.weight.fill_(1.0), dense.bias.fill_(-0.25)
    assert told(dense, x, (0,)) == "layer[0] = 3 products, added up: 4.5, + bias (−0.25) = 4.25"
    assert told(nn.Flatten(), x[:, :, None], (2,)) == "layer[2] = 3, the same number as input_1[2, 0]"
    assert told(nn.MaxPool1d(3), x[None], (0, 0)) == "layer[0, 0] = the largest of 3 cells = 3"
    norm = nn.BatchNorm1d(3)
    assert told(norm, x, (1,)) == "layer[1] = (2 − 0) / √(1 + 1e-05) × 1 + 0 = 2"
    graph = lone(nn.ReLU())
    assert sentence(unfold(graph, trace_steps(graph, x), "input_1", (1,))) == "input_1[1] = 2"


CONTRACTS = [
    InputContract((4, 4)),
    InputContract((4, 4), scale=2.0, offset=-1.0),
    InputContract((4, 4), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    InputContract((4, 4), channels="BGR", mean=(0.1, 0.2, 0.3)),
    InputContract((4, 4), channels="gray"),
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: f"{c.channels}-{c.scale}-{c.mean[0]}")
def test_pixel_lines_end_at_what_the_network_gets(contract: InputContract) -> None:
    """float32 against float64: within 1e-6."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    x = prepare(pixels, contract)
    for channel in range(contract.in_channels):
        lines = pixel_lines(contract, [int(v) for v in pixels[0, 1, 2]], channel)
        assert lines[-1].value == pytest.approx(x[0, channel, 1, 2].item(), abs=1e-6)
        assert 0 <= lines[0].value <= 255
