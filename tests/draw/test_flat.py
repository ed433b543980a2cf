"""Rows of numbers and probabilities: one mark for each, lengths that are the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.draw.colours import Range
from cutaway.draw.flat import flat_block, probabilities_block
from cutaway.draw.scene import BLUE, Box, Raster, Words


def test_bars_are_as_long_as_their_numbers() -> None:
    block = flat_block(np.array([2.0, -1.0, 0.0]), Range(2.0, True), 400)
    bars = [m for m in block.marks if isinstance(m, Box)]
    assert [round(b.height, 2) for b in bars] == [35, 17.5], "no bar for zero"
    assert bars[0].y + bars[0].height == pytest.approx(bars[1].y) == 36


def test_many_numbers_fit_as_cells_in_reading_order() -> None:
    for n in (129, 512, 1280, 25088):
        block = flat_block(np.arange(float(n)), Range(float(n), False), 1252)
        (strip,) = [m for m in block.marks if isinstance(m, Raster)]
        assert strip.width <= 1252
        assert strip.height <= 72
        assert strip.pixels.shape[0] * strip.pixels.shape[1] >= n
        assert str(n - 1) in [m.text for m in block.marks if isinstance(m, Words)]


def test_probabilities_name_classes_and_the_rest() -> None:
    block = probabilities_block([("cat", 0.75), ("dog", 0.2)], 3, 1000, 200)
    told = [m.text for m in block.marks if isinstance(m, Words)]
    assert told == ["cat", "75.0 %", "dog", "20.0 %", "and 3 more classes, each less likely"]
    full, first = (m for m in block.marks if isinstance(m, Box) and m.y == 1)
    assert first.fill == BLUE
    assert first.width == pytest.approx(0.75 * full.width)
