"""Charts: marks stand where the numbers say, text says the numbers, nothing breaks on odd input."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from cutaway.draw.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from cutaway.draw.charts import Interval, bar_chart, dot_whisker, histogram, reliability_diagram
from cutaway.draw.curves import Line, line_chart
from cutaway.draw.scale import percent
from cutaway.draw.scatter import Point, pareto, scatter

NS = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def words(svg: str) -> list[str]:
    return [e.text or "" for e in parsed(svg).iter(f"{NS}text")]


def titles(svg: str) -> list[str]:
    return [e.text or "" for e in parsed(svg).iter(f"{NS}title")]


def test_line_chart_places_points_and_marks_the_best_epoch() -> None:
    svg = line_chart(
        [Line("training", [1, 2, 3], [0.0, 0.5, 1.0]), Line("validation", [1, 2, 3], [0.0, 0.25, 0.5], 2, True)],
        title="Accuracy", x_label="epoch", y_label="accuracy", write=percent, best=(2, "kept: epoch 2"),
        phases=[(1, 2, "head"), (2, 3, "all")],
    )  # fmt: skip
    dots = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in parsed(svg).iter(f"{NS}circle")]
    middle = (LEFT + WIDTH - RIGHT) / 2
    assert dots[0] == (LEFT, HEIGHT - BOTTOM)
    assert dots[1] == (middle, (TOP + HEIGHT - BOTTOM) / 2)
    assert dots[2] == (WIDTH - RIGHT, TOP)
    assert {"kept: epoch 2", "head", "all", "epoch", "accuracy", "100 %", "training", "validation"} <= set(words(svg))
    assert "training, epoch 2: 50 %" in titles(svg)
    assert "line s2 dash" in svg
    assert "training ends at 100 %" in parsed(svg).get("aria-label", "")


def test_a_gap_in_a_curve_is_a_gap() -> None:
    svg = line_chart([Line("a", [1, 2, 3, 4, 5], [1, 2, math.nan, 2, 1])], title="t", x_label="x", y_label="y")
    assert len(list(parsed(svg).iter(f"{NS}path"))) == 2
    assert "nan" not in svg.split("aria-label")[1].split(">", 1)[1]


@pytest.mark.parametrize(
    "svg",
    [
        line_chart([], title="t", x_label="x", y_label="y"),
        line_chart([Line("a", [1], [math.nan])], title="t", x_label="x", y_label="y"),
        dot_whisker([], title="t"),
        bar_chart([], [], title="t", x_label="x"),
        histogram([math.inf], title="t", x_label="x"),
        scatter([], title="t", x_label="x"),
    ],
)
def test_nothing_to_draw_is_said(svg: str) -> None:
    assert words(svg) == ["nothing measured"]


def test_one_epoch_is_one_dot() -> None:
    svg = line_chart([Line("a", [1], [0.5])], title="t", x_label="epoch", y_label="y")
    assert len(list(parsed(svg).iter(f"{NS}circle"))) == 1


def test_dot_whisker_spans_the_interval() -> None:
    svg = dot_whisker([Interval("CNN", 0.5, 0.0, 1.0, strong=True), Interval("HOG", 0.4, 0.2, 0.6)], title="t")
    whisker = next(e for e in parsed(svg).iter(f"{NS}line") if "whisker" in e.get("class", ""))
    assert (whisker.get("x1"), whisker.get("x2")) == ("18", f"{WIDTH - 22:g}")
    assert "50.0 %  (0.0 % to 100.0 %)" in words(svg)


def test_reliability_diagram_says_each_bin_and_skips_empty_ones() -> None:
    svg = reliability_diagram([0, 4], [0.0, 0.9], [0.0, 0.75], title="t")
    assert titles(svg) == ["4 pictures: sure to 90.0 %, right in 75.0 %"]


def test_histogram_counts_every_finite_value_once() -> None:
    svg = histogram([0, 0, 1, 2, 10, math.nan], title="t", x_label="weight", bins=5)
    counts = [int(t.rsplit(": ", 1)[1]) for t in titles(svg)]
    assert counts == [3, 1, 0, 0, 1]
    assert "1 not finite" in svg


@pytest.mark.parametrize("values", [[0.0, 1e-13], [5.0, 5.0], [1e6, 1e6 + 1e-6], [-1e300, 1e300]])
def test_histogram_of_hardly_differing_and_of_huge_values(values: list[float]) -> None:
    counts = [int(t.rsplit(": ", 1)[1]) for t in titles(histogram(values, title="t", x_label="weight"))]
    assert sum(counts) == 2


def test_bar_chart() -> None:
    svg = bar_chart(["cat", "a name that is much too long"], [2, 4], title="t", x_label="pictures")
    bars = [float(e.get("width", 0)) for e in parsed(svg).iter(f"{NS}rect")]
    assert bars[1] == pytest.approx(2 * bars[0], abs=0.02)
    assert "a name that is much too long: 4" in titles(svg)
    assert "a name that is mu…" in words(svg)


def test_the_pareto_front_is_what_nothing_cheaper_beats() -> None:
    rows = {"dear": (9, 0.9), "cheap": (1, 0.5), "worse": (2, 0.4), "good": (3, 0.8), "tie": (4, 0.8), "top": (8, 0.95)}
    points = [Point(name, x, y, y - 0.05, min(1, y + 0.05)) for name, (x, y) in rows.items()]
    assert [points[i].name for i in pareto(points)] == ["cheap", "good", "top"]
    svg = scatter(points, title="t", x_label="seconds")
    assert len(list(parsed(svg).iter(f"{NS}circle"))) == 6 + 2  # and two in the legend
    assert "best for their cost: cheap 50.0 %, good 80.0 %, top 95.0 %" in parsed(svg).get("aria-label", "")


def test_a_trial_without_a_cost_is_left_out() -> None:
    good = Point("a", 1, 0.5, 0.4, 0.6)
    svg = scatter([good, Point("b", 0, 0.5, 0.4, 0.6), Point("c", math.nan, 0.5, 0.4, 0.6)], title="t", x_label="x")
    assert parsed(svg).get("aria-label", "").startswith("t. 1 trials")
