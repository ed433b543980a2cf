"""Peaks over a data set: the one place that excites a unit, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.engine.prepare import prepare
from cutaway.engine.stream import stream
from cutaway.errors import BadModel
from cutaway.explanation.patches import (
    ClassMean,
    Liveliest,
    PeakFinder,
    Peaks,
    clipped,
    place_of,
    seen_window,
)
from cutaway.explanation.unit import Unit, unit_named
from cutaway.graph.receptive import ReceptiveField, receptive_fields
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract

SIZE = (12, 10)


def edges(stride: int = 1) -> nn.Module:
    """Channel 0 of layer 1 fires at dark-to-bright edges from left to right, channel 1 at bright-to-dark ones."""
    net = nn.Sequential(nn.Conv2d(3, 2, 3, stride, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        net[0].weight[:] = 0
        net[0].weight[0, :, :, 0], net[0].weight[0, :, :, 2] = -1 / 9, 1 / 9
        net[0].weight[1] = -net[0].weight[0]
    return net.eval()


def asked(typed: str, net: nn.Module) -> tuple[Unit, ReceptiveField | None]:
    graph = trace(net)
    shapes = shapes_of(graph, (3, *SIZE))
    unit = unit_named(typed, graph, shapes, ())
    return unit, receptive_fields(graph, shapes).get(unit.layer.node)


def photos() -> np.ndarray:
    """Six grey photos; number 4 alone has an edge: bright from column 6 on, in rows 5 to 7."""
    pixels = np.full((6, *SIZE, 3), 100, np.uint8)
    pixels[4, 5:8, 6:8] = 200
    return pixels


def found(net: nn.Module, units: list[Unit], pixels: np.ndarray, batch: int = 2) -> tuple[Peaks, ...]:
    finder = PeakFinder(units)
    x = prepare(pixels, InputContract(SIZE))
    for _ in stream(trace(net), x.split(batch), list({u.layer.source for u in units}), finder):
        pass
    assert finder.pictures == len(pixels)
    return finder.found()


def test_the_photo_with_the_edge_is_found_at_its_place() -> None:
    net = edges()
    pixels = photos()
    pixels[[0, 1, 2, 3, 5]] = 0  # black: no edge at the border either
    unit, field = asked("1[0]", net)
    (peaks,) = found(net, [unit], pixels)
    assert peaks.strongest(9, 0.0).tolist() == [4]
    # rows 5 to 7 bright from column 6 on: the middle of the kernel lies on row 6, column 5 or 6
    row, column = peaks.high_at[4].tolist()
    assert (row, column) in {(6, 5), (6, 6)}
    window = seen_window(field, (row, column), SIZE)
    assert window == (row - 1, column - 1, row + 1, column + 1)
    assert peaks.high[4] == pytest.approx(100 / 255, rel=1e-5)  # 9 weights of 1/9 over a step of 100 levels


def test_a_window_over_the_padding_is_cut_for_the_photo() -> None:
    _, field = asked("0[0]", edges(stride=2))
    assert seen_window(field, (0, 0), SIZE) == (-1, -1, 1, 1)
    assert clipped((-1, -1, 1, 1), SIZE) == (0, 0, 1, 1)
    assert seen_window(field, (5, 4), SIZE) == (9, 7, 11, 9)


def test_a_window_that_covers_the_photo_is_none() -> None:
    net = nn.Sequential(nn.Conv2d(3, 1, 31, padding=15), nn.AdaptiveAvgPool2d(1)).eval()
    _, field = asked("0[0]", net)
    assert seen_window(field, (6, 5), SIZE) is None
    _, pooled = asked("1[0]", net)
    assert seen_window(pooled, (0, 0), SIZE) is None
    assert seen_window(None, (0, 0), SIZE) is None


def test_the_place_under_a_cell() -> None:
    unit, field = asked("0[0]", edges(stride=2))
    assert place_of(unit, field, (2, 1), SIZE) == (4, 2, 4, 2)  # 2 pixels wide around pixel (4, 2): no half pixels
    pooled, none = asked("3[0]", edges())
    assert place_of(pooled, none, (0, 0), SIZE) is None
    assert place_of(unit, None, (5, 0), SIZE) == (10, 0, 11, 1)  # without a field: an even share of the photo


def test_peaks_are_those_of_all_maps_at_once() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3)).eval()
    unit, _ = asked("1[2]", net)
    pixels = np.random.default_rng(0).integers(0, 256, (7, *SIZE, 3), dtype=np.uint8)
    (peaks,) = found(net, [unit], pixels, batch=3)
    with torch.no_grad():
        maps = net(prepare(pixels, InputContract(SIZE)))[:, 2]
    np.testing.assert_allclose(peaks.high, maps.amax((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(peaks.low, maps.amin((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(peaks.mean, maps.mean((1, 2)), rtol=1e-5, atol=1e-6)
    for i in range(7):
        assert maps[i][tuple(peaks.high_at[i])] == maps[i].max()
        assert maps[i][tuple(peaks.low_at[i])] == maps[i].min()
    assert peaks.strongest(3).tolist() == np.argsort(-peaks.high)[:3].tolist()
    assert peaks.weakest(3, below=np.inf).tolist() == np.argsort(peaks.low)[:3].tolist()


def peaks_of(high: list[float], mean: list[float] | None = None, low: list[float] | None = None) -> Peaks:
    at = np.zeros((len(high), 2), np.int32)
    values = [np.array(v, np.float32) for v in (high, low or high, mean or high)]
    return Peaks(values[0], at, values[1], at, values[2])


def test_of_equal_photos_the_larger_mean_comes_first_then_the_earlier() -> None:
    peaks = peaks_of([6, 6, 2, 6], [1, 3, 5, 3])
    assert peaks.strongest(4).tolist() == [1, 3, 0, 2]
    assert peaks.strongest(4, above=2.0).tolist() == [1, 3, 0]
    assert peaks_of([0.0, 0.0]).strongest(5, above=0.0).tolist() == []
    assert peaks_of([1, 1, 1], low=[-1, 0, -3]).weakest(5).tolist() == [2, 0]


def test_means_by_class_with_their_errors() -> None:
    rows = peaks_of([1, 3, 10, 5]).by_class([0, 0, 1, None], ("a", "b", "c"))
    assert rows == (ClassMean("b", 10.0, 1, np.inf), ClassMean("a", 2.0, 2, pytest.approx(1.0)))  # std 1.414 / root 2
    assert not rows[0].beats(rows[1])
    assert ClassMean("a", 5.0, 9, 1.0).beats(ClassMean("b", 2.0, 9, 1.0))
    assert not ClassMean("a", 4.8, 9, 1.0).beats(ClassMean("b", 2.0, 9, 1.0))


def test_the_most_active_channels() -> None:
    unit, _ = asked("0[0]", edges())
    counter = Liveliest(unit.layer)
    counter({"0": torch.tensor([[[[0.0, 1]], [[5, 0]]], [[[0, 1]], [[0, 0]]]])})
    assert counter.channels(5) == (1, 0)
    assert counter.channels(1) == (1,)


def test_values_that_are_not_finite_are_told() -> None:
    unit, _ = asked("0[0]", edges())
    finder = PeakFinder([unit])
    finder({"0": torch.tensor([[[[1.0]], [[1.0]]], [[[torch.nan]], [[1.0]]]])})
    with pytest.raises(BadModel, match=r"0\[0\] gives values that are not finite on 1 of 2 pictures; `cutaway watch`"):
        finder.found()
