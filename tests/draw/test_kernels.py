"""Kernels: the look that fits them, zero in the middle, the strongest where there are too many."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.draw.kernels import in_colour, kernels_block, look_of, strengths, strongest
from cutaway.draw.scene import Block, Raster, Words
from cutaway.errors import BadInput


def rasters(block: Block) -> list[Raster]:
    return [m for m in block.marks if isinstance(m, Raster) and not m.smooth]


def told(block: Block) -> str:
    return " | ".join(m.text for m in block.marks if isinstance(m, Words))


@pytest.mark.parametrize(
    ("shape", "sees", "look"),
    [
        ((8, 3, 3, 3), True, "colour"),
        ((8, 3, 3, 3), False, "grid"),
        ((8, 1, 3, 3), False, "one"),
        ((8, 4, 1, 1), False, "matrix"),
        ((8, 3, 1, 1), True, "matrix"),
    ],
)
def test_look(shape: tuple[int, ...], sees: bool, look: str) -> None:
    assert look_of(np.zeros(shape), sees_colours=sees) == look


def test_colours_are_scaled_round_grey_by_the_largest_weight_of_all() -> None:
    weights = np.zeros((2, 3, 1, 2))
    weights[0, 0, 0, 0], weights[1, 2, 0, 1] = 2.0, -1.0
    drawn = in_colour(weights)
    assert drawn.shape == (2, 1, 2, 3)
    assert drawn[0, 0, 0].tolist() == [255, 128, 128]
    assert drawn[1, 0, 1].tolist() == [128, 128, 64]  # 128 - 63.5, rounded to even
    assert (in_colour(np.zeros((1, 3, 2, 2))) == 128).all()


def test_strength_is_the_root_of_the_sum_of_squares() -> None:
    weights = np.array([3.0, 4.0, 1.0, 0.0]).reshape(2, 1, 1, 2)
    assert strengths(weights).tolist() == [5.0, 1.0]
    assert strongest(weights[::-1]).tolist() == [1, 0]


def test_every_kernel_has_a_tile_and_a_number_and_dead_ones_are_marked() -> None:
    weights = np.ones((20, 1, 3, 3))
    weights[7] = 0.001
    block = kernels_block(weights)
    assert len(rasters(block)) == 20
    assert told(block).count("≈ 0") == 1
    assert "19" in told(block)
    assert rasters(block)[0].width * 2 % 3 == 0, "a whole number of dots for each weight"


def test_too_many_kernels_leave_the_strongest() -> None:
    weights = np.linspace(1, 2, 300)[:, None, None, None] * np.ones((1, 1, 3, 3))
    block = kernels_block(weights)
    assert len(rasters(block)) == 256
    assert "the 256 strongest of 300" in told(block)
    assert " | 43" not in told(block)
    grid = kernels_block(np.ones((64, 48, 3, 3)))
    assert len(rasters(grid)) == 16 * 32
    assert "the 16 strongest of 64 outputs, 32 of 48 inputs" in told(grid)


def test_a_matrix_has_one_dot_per_weight_and_lies_across() -> None:
    (drawn,) = rasters(kernels_block(np.ones((96, 16, 1, 1))))
    assert drawn.pixels.shape == (16, 96, 3)
    assert "output 0 to 95" in told(kernels_block(np.ones((96, 16, 1, 1))))
    big = kernels_block(np.ones((4, 4096, 1, 1)))
    assert "a dot is the mean of 2 × 2 weights" in told(big)
    assert rasters(big)[0].pixels.shape == (2, 2048, 3)


def test_what_is_no_kernel_is_said() -> None:
    with pytest.raises(BadInput, match=r"kernels must be an array \(O, I, kH, kW\)"):
        kernels_block(np.zeros((3, 3)))
    with pytest.raises(BadInput, match=r"kernels must be finite numbers\. Got '1 that are not'"):
        kernels_block(np.array([np.nan, 1.0]).reshape(1, 1, 1, 2))


def test_outputs_over_few_inputs_stand_side_by_side() -> None:
    few = kernels_block(np.random.default_rng(0).normal(size=(16, 6, 5, 5)))
    assert told(few).count("input channel") == 3
    assert len(rasters(few)) == 16 * 6
    assert max(m.x + m.width for m in rasters(few)) <= 1520
    many = kernels_block(np.random.default_rng(0).normal(size=(16, 32, 3, 3)))
    assert told(many).count("input channel") == 1
    assert few.height < many.height
