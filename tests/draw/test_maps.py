"""Feature maps: who is silent, who is shown, one scale for what shares it, whole factors, everything in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cutaway.draw.colours import Range, painted, sequential
from cutaway.draw.maps import (
    LayerValues,
    averaged,
    chosen_channels,
    faint_channels,
    maps_blocks,
    silent_channels,
    summary_of,
    tile_of,
)
from cutaway.draw.scene import Block, Line, Raster, Words
from cutaway.errors import BadInput


def layer(values: np.ndarray, name: str = "conv") -> LayerValues:
    return LayerValues(name, "Conv2d", values)


def words(block: Block) -> list[str]:
    return [m.text for m in block.marks if isinstance(m, Words)]


def tiles(block: Block) -> list[np.ndarray]:
    """What is drawn right of the labels."""
    return [m.pixels for m in block.marks if isinstance(m, Raster) and m.x >= 268]


def test_silent_is_zero_or_constant() -> None:
    values = np.zeros((5, 2, 2))
    values[1] = [[1, 0], [0, 0]]
    values[2] = 3
    values[3] = [[-1, -2], [-3, 0]]
    values[4] = [[np.nan, 0], [0, 0]]
    assert silent_channels(values).tolist() == [True, False, True, False, False]
    assert silent_channels(np.array([[[2.0]], [[-2.0]], [[0.0]]])).tolist() == [False, False, True], (
        "one place cannot be constant"
    )


def test_order_of_channels() -> None:
    values = np.array([[[1.0, 1.0]], [[0.0, 3.0]], [[9.0, 9.5]]])
    assert chosen_channels(values, 3, "contrast").tolist() == [1, 2, 0]
    assert chosen_channels(values, 2, "strength").tolist() == [2, 1]
    assert chosen_channels(values, 2, "index").tolist() == [0, 1]


@given(arrays(np.float32, (3, 7), elements=st.floats(-5, 5, width=32)), st.integers(1, 4))
def test_averages_are_means_of_squares(values: np.ndarray, merged: int) -> None:
    got = averaged(values, merged)
    for r in range(got.shape[0]):
        for c in range(got.shape[1]):
            square = values[r * merged : (r + 1) * merged, c * merged : (c + 1) * merged]
            assert got[r, c] == pytest.approx(square.astype(float).mean(), abs=1e-6)


def test_a_tile_is_a_whole_multiple_and_a_large_map_is_averaged() -> None:
    values = np.arange(49.0).reshape(7, 7)
    pixels, width, height, merged = tile_of(values, Range(48, False), 112)
    assert pixels.shape == (7, 7, 3)
    assert (width, height, merged) == (112, 112, 1)
    pixels, width, _, merged = tile_of(np.ones((448, 448)), Range(1, False), 112)
    assert pixels.shape == (224, 224, 3)
    assert (width, merged) == (112, 2)


def test_scale_of_a_channel_of_a_layer_of_the_network() -> None:
    values = np.array([[[0.0, 1.0]], [[0.0, 4.0]]])
    other = layer(np.array([[[0.0, 8.0]]]), "later")
    last = sequential()[-1].tolist()

    def ends(scale: str) -> list[list[int]]:
        first, _ = maps_blocks([layer(values), other], scale=scale, order="index")  # type: ignore[arg-type]
        return [tile[0, 1].tolist() for tile in tiles(first)]

    assert ends("channel") == [last, last]
    assert ends("layer") == [painted(np.array(1.0), Range(4, False)).tolist(), last]
    assert ends("network")[1] == painted(np.array(4.0), Range(8, False)).tolist()


def test_a_channel_far_below_the_others_is_faint_unless_it_is_silent() -> None:
    values = np.array([[[5.0, -9.0]], [[0.008, 0.0]], [[0.01, 0.0]], [[0.0, 0.0]], [[np.nan, 1e-4]], [[np.inf, 1.0]]])
    assert faint_channels(values).tolist() == [False, True, False, False, True, False]
    assert not faint_channels(np.zeros((2, 1, 3))).any()


def test_legend_numbers_silent_channels_and_what_is_left_out_are_written() -> None:
    values = np.zeros((30, 4, 4))
    values[:2, 0, 0] = (2.5, -1.25)
    (block,) = maps_blocks([layer(values)], most=4)
    told = words(block)
    assert {"conv", "Conv2d · 30 maps of 4 × 4", "−2.5", "2.5", "min −1.25", "max 2.5", "28 silent of 30"} <= set(told)
    assert "and 26 more" in told
    assert told.count("silent") == 2
    assert any(isinstance(m, Line) for m in block.marks), "silent maps are hatched"
    (own,) = maps_blocks([layer(values)], scale="channel", most=2)
    assert "each map's own ± largest value:" in words(own)
    assert "2.5" in words(own)


def test_a_constant_map_tells_its_value() -> None:
    (block,) = maps_blocks([layer(np.full((1, 3, 3), 0.43))], scale="channel")
    assert "= 0.43" in words(block)


def test_rows_of_numbers_and_matrices() -> None:
    bars, cells, matrix = maps_blocks(
        [layer(np.array([1.0, -2.0, 0.0])), layer(np.arange(1280.0)), layer(np.ones((50, 6)))]
    )
    assert "Conv2d · 3 numbers" in words(bars)
    (strip,) = tiles(cells)
    assert strip.shape[0] * strip.shape[1] >= 1280
    assert tiles(matrix)[0].shape == (6, 50, 3)


def test_values_that_are_not_finite_are_told() -> None:
    (block,) = maps_blocks([layer(np.array([[[1.0, np.nan]], [[np.inf, 2.0]]]))])
    assert "2 not finite" in words(block)
    told = summary_of(np.full((1, 2, 2), np.nan))
    assert told.not_finite == 4
    assert np.isnan(told.max)


def test_summary() -> None:
    told = summary_of(np.array([[[1.0, 3.0]], [[-1.0, -1.0]]]))
    assert (told.shape, told.min, told.max, told.mean, told.silent) == ((2, 1, 2), -1.0, 3.0, 0.5, (1,))


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(BadInput, match="scale must be channel, layer or network"):
        maps_blocks([], scale="all")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="order must be contrast, strength or index"):
        maps_blocks([], order="size")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="channels must be at least 1"):
        maps_blocks([], most=0)
    with pytest.raises(BadInput, match=r"the values of conv must be \(C, H, W\)"):
        maps_blocks([layer(np.zeros((1, 2, 3, 4)))])
