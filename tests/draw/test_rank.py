"""The charts of a ranking: one line a channel at its cost, bars as long as the costs, zero in its place."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from cutaway.draw.rank import Bar, Strip, bars_chart, signed, strips_chart
from cutaway.draw.scene import BLUE, Box, Line, Scene, Words


def texts(scene: Scene) -> list[str]:
    return [m.text for m in scene.marks if isinstance(m, Words)]


def test_one_line_a_channel_at_its_cost() -> None:
    scene = strips_chart([Strip("conv1", [0.0, 0.5, 1.0]), Strip("conv2", [0.25])], title="t", words=["w"])
    lines = [m for m in scene.marks if isinstance(m, Line) and m.colour == BLUE and m.thick == 0.6]
    xs = sorted(m.x for m in lines)
    assert len(xs) == 4
    assert xs[2] - xs[0] == pytest.approx((xs[3] - xs[0]) / 2)
    assert xs[1] - xs[0] == pytest.approx((xs[3] - xs[0]) / 4)
    assert {"conv1", "conv2", "3", "1", "2  (+1)", "0  (+0.25)"} <= set(texts(scene))
    assert "the loss is lower without it" not in texts(scene)


def test_costs_below_zero_have_their_colour_and_word() -> None:
    scene = strips_chart([Strip("a", [-0.5, 1.0])], title="t", words=["w"])
    assert "the loss is lower without it" in texts(scene)
    assert sum(isinstance(m, Line) and m.colour == (10, 118, 86) for m in scene.marks) == 2, "the legend's and the one"


def test_bars_start_at_zero_and_are_as_long_as_the_costs() -> None:
    rows = [Bar("a", 0.2, 1.0), Bar("b", 0.1, -0.5), Bar("c", 0.0, 0.0)]
    scene = bars_chart(rows, title="t", words=["w"])
    blue = [m for m in scene.marks if isinstance(m, Box) and m.fill == BLUE]
    green = [m for m in scene.marks if isinstance(m, Box) and m.fill == (10, 118, 86)]
    accuracy, loss = [m for m in blue if m.x < 800], [m for m in blue if m.x > 800]
    assert accuracy[0].width == pytest.approx(2 * accuracy[1].width)
    assert green[0].width == pytest.approx(loss[0].width / 2)
    assert green[0].x + green[0].width == pytest.approx(loss[0].x)
    assert {"+20", "+10", "0", "−0.5", "accuracy lost, points"} <= set(texts(scene))
    other = bars_chart(rows, title="t", words=["w"], unlabelled=True)
    assert "answers changed, points" in texts(other)


def test_many_rows_take_two_columns_and_both_files_open() -> None:
    scene = strips_chart([Strip(f"layer{i}", [0.1, 0.2]) for i in range(40)], title="t", words=["w"])
    assert len({m.x for m in scene.marks if isinstance(m, Words) and m.text.startswith("layer")}) == 2
    with Image.open(io.BytesIO(scene.png())) as picture:
        assert picture.width == 3200
    assert scene.svg().startswith("<?xml")
    assert "layer39" in bars_chart([Bar(f"layer{i}", 0.1, 0.2) for i in range(40)], title="t", words=["w"]).svg()


@pytest.mark.parametrize(("value", "said"), [(0.1234, "+0.123"), (-2.0, "−2"), (0.00004, "0"), (12.0, "+12")])
def test_costs_have_a_sign(value: float, said: str) -> None:
    assert signed(value) == said
