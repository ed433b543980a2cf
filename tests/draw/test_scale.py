"""Round numbers on axes and units in words."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cutaway.draw.scale import Axis, log_ticks, percent, plain, rounded_out, seconds, short_count, ticks, whole_ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.88, 0.98, [0.88, 0.90, 0.92, 0.94, 0.96, 0.98]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (3, 3, [3]),
        (math.nan, 1, []),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
@example(879609.9999999999, 1e-06)  # narrower than float64 can write round numbers in
@example(0.0, 1e-13)
def test_ticks_lie_inside_and_are_few(low: float, width: float) -> None:
    made = ticks(low, low + width)
    assert 1 <= len(made) <= 12
    assert all(low - width * 1e-6 <= t <= low + width * (1 + 1e-6) for t in made)
    outer = rounded_out(low, low + width)
    assert outer[0] <= low + width * 1e-6
    assert outer[1] >= low + width * (1 - 1e-6)


def test_log_ticks_and_whole_ticks() -> None:
    assert log_ticks(3, 60) == pytest.approx([5, 10, 20, 50])
    assert log_ticks(1, 1e9) == pytest.approx([1, 1e2, 1e4, 1e6, 1e8])
    assert log_ticks(6.1, 6.9) == [6.1, 6.9]
    assert whole_ticks(1, 3) == [1, 2, 3]
    assert whole_ticks(0.2, 0.4) == [1]


def test_axis() -> None:
    assert Axis(0, 10, 100, 0).at(2.5) == 75
    assert Axis(1, 100, 0, 200, log=True).at(10) == pytest.approx(100)
    assert Axis(0, 1, 0, 10).at(7) == 10
    assert Axis(2, 2, 0, 10).at(2) == 5


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (percent(0.973), "97.3 %"), (percent(0.5), "50 %"), (percent(0.5, 1), "50.0 %"), (percent(math.nan), "–"),
        (plain(1200000), "1,200,000"), (plain(0.25), "0.25"), (plain(math.inf), "–"), (plain(123.456), "123.5"),
        (seconds(0.25), "0.25 s"), (seconds(45), "45 s"), (seconds(90), "1.5 min"), (seconds(7200), "2 h"),
        (seconds(180000), "2.08 d"), (short_count(122570), "123k"), (short_count(25.6e6), "25.6M"),
        (short_count(12), "12"),
    ],
)  # fmt: skip
def test_words(got: str, words: str) -> None:
    assert got == words
