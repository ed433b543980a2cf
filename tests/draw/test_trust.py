"""The chart of trust: dots at their means, whiskers as long as intervals, the bad side tinted, verdicts in words."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from cutaway.draw.scene import BLUE, Box, Line, Scene, Words
from cutaway.draw.trust import Column, Dot, Row, trust_chart

COLUMNS = (Column("Gain", "high is good", 0.0, "below", -0.5, 0.5), Column("Kept", "low is good", 0.6, "above", 0, 1))
BAD = (249, 231, 220)


def chart(*rows: Row) -> Scene:
    return trust_chart(rows, COLUMNS, title="t", words=["w"])


def test_dots_and_whiskers_stand_where_the_numbers_are() -> None:
    scene = chart(Row("a", "passes", [Dot(0.0, -0.5, 0.5), Dot(1.0, None, None)]), Row("b", "fails", [None, None]))
    dots = [m for m in scene.marks if isinstance(m, Box) and m.fill == BLUE]
    bad = [m for m in scene.marks if isinstance(m, Box) and m.fill == BAD]
    whisker = next(m for m in scene.marks if isinstance(m, Line) and m.colour == BLUE and m.to_x - m.x > 50)
    assert dots[0].x + 5 == pytest.approx((whisker.x + whisker.to_x) / 2)
    assert bad[0].x + bad[0].width == pytest.approx(dots[0].x + 5), "the limit is zero, and so is the dot"
    assert bad[1].x + bad[1].width == pytest.approx(dots[1].x + 5), "one is the end of the axis"
    assert bad[1].width == pytest.approx(0.4 * (2 * bad[0].width), rel=1e-6)


def test_verdicts_are_told_by_word_and_what_is_missing_is_said() -> None:
    scene = chart(*(Row(level, level, [None, Dot(0.1, 0.0, 0.2)]) for level in ("passes", "doubtful", "fails")))
    texts = [m.text for m in scene.marks if isinstance(m, Words)]
    assert texts.count("not measured") == 3
    assert {"passes", "doubtful", "fails", "?", "Gain", "high is good"} <= set(texts)


def test_an_interval_beyond_the_usual_range_widens_the_axis() -> None:
    scene = chart(Row("a", "passes", [Dot(0.0, -1.0, 1.0), Dot(0.5, 0.4, 0.6)]))
    whisker = next(m for m in scene.marks if isinstance(m, Line) and m.colour == BLUE and m.to_x - m.x > 50)
    (bad, *_) = [m for m in scene.marks if isinstance(m, Box) and m.fill == BAD]
    assert whisker.x >= bad.x - 1e-6


def test_it_is_a_picture() -> None:
    png = chart(Row("x" * 300, "passes", [Dot(0.2, 0.1, 0.3)] * 2)).png()
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.width == 3200
