"""Histograms from counts and edges."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from cutaway.draw.histogram import counted_histogram, histogram_block
from cutaway.draw.scene import Box, Words
from cutaway.errors import BadInput


def test_svg_has_a_bar_for_each_count_and_zero_marked() -> None:
    root = ET.fromstring(counted_histogram([1, 5, 2], [-1.0, -0.5, 0.5, 2.0], title="weights", x_label="value"))
    bars = [e for e in root.iter() if e.get("class") == "f1"]
    assert [b[0].text for b in bars] == ["-1 to -0.5: 1", "-0.5 to 0.5: 5", "0.5 to 2: 2"]
    assert float(bars[1].get("height", 0)) == pytest.approx(5 * float(bars[0].get("height", 0)), rel=1e-3)
    assert len([e for e in root.iter() if e.get("class") == "ideal"]) == 1
    assert root.get("aria-label") == "weights. 8 values from -1 to 2."


def test_nothing_counted_is_said() -> None:
    assert "nothing measured" in counted_histogram([0], [0.0, 1.0], title="t", x_label="x")


def test_block_has_the_ends_in_numbers() -> None:
    block = histogram_block([0, 4], [-2.0, 0.0, 2.0], 400, 190, "all weights")
    assert [m.text for m in block.marks if isinstance(m, Words)] == ["all weights", "−2", "2", "0"]
    (bar,) = [m for m in block.marks if isinstance(m, Box)]
    assert (bar.x, bar.y, bar.y + bar.height) == (200, 26, 168)


def test_counts_and_edges_must_fit() -> None:
    with pytest.raises(BadInput, match="edges must be one more than the 2 counts"):
        counted_histogram([1, 2], [0.0, 1.0], title="t", x_label="x")
    with pytest.raises(BadInput, match="edges must be rising numbers"):
        histogram_block([1, 2], [0.0, 1.0, 1.0], 10, 100, "t")
