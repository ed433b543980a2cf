"""The chart of silent channels: bars as long as the shares, one scale for all, PNG and SVG."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from cutaway.draw.scene import BLUE, PAGE_WIDTH, Box, Words
from cutaway.draw.silence import Row, silence_chart

ROWS = [Row("conv1_relu", 16, 4, 0), Row("block_1_relu", 200, 0, 10), Row("gate", 8, 0, None)]


def bars(rows: list[Row]) -> list[float]:
    """Widths of the bars for what never fires, without the legend's box."""
    scene = silence_chart(rows, title="t", pictures=7, data="photos")
    return [m.width for m in scene.marks if isinstance(m, Box) and m.fill == BLUE][1:]


def test_bars_are_as_long_as_the_shares() -> None:
    tracks = [m for m in silence_chart(ROWS, title="t", pictures=7, data="p").marks if isinstance(m, Box)]
    wide = max(t.width for t in tracks)
    assert bars(ROWS) == [pytest.approx(wide * (4 / 16) / 0.5)], "a quarter on a scale that ends at a half"
    one, two = bars([Row("a", 100, 40, 0), Row("b", 100, 20, 0)])
    assert one == pytest.approx(2 * two)


@pytest.mark.parametrize(("silent", "end"), [(0, "5 %"), (4, "5 %"), (8, "10 %"), (30, "50 %"), (100, "100 %")])
def test_the_scale_ends_on_a_round_share(silent: int, end: str) -> None:
    scene = silence_chart([Row("a", 100, silent, 0)], title="t", pictures=1, data="p")
    assert any(f"a full bar is {end} of" in m.text for m in scene.marks if isinstance(m, Words))


def test_words_say_what_was_counted() -> None:
    said = [m.text for m in silence_chart(ROWS, title="t", pictures=7, data="photos").marks if isinstance(m, Words)]
    assert "4 of 224 channels never fire on 7 pictures of photos." in said
    assert "4 of 16" in said
    assert "conv1_relu" in said


@pytest.mark.parametrize(("layers", "columns"), [(1, 1), (24, 1), (25, 2), (49, 3), (120, 3)])
def test_many_layers_stand_in_columns(layers: int, columns: int) -> None:
    scene = silence_chart([Row(f"relu{i}", 8, i % 3, 0) for i in range(layers)], title="t", pictures=2, data="p")
    ends = {round(m.x) for m in scene.marks if isinstance(m, Words) and m.text.endswith(" of 8")}
    assert len(ends) == columns
    assert max(ends) <= PAGE_WIDTH


def test_it_becomes_png_and_svg() -> None:
    scene = silence_chart([Row("<a&b>", 4, 1, 1)], title="Silent <b>", pictures=1, data="p")
    with Image.open(io.BytesIO(scene.png())) as picture:
        assert picture.size == (2 * PAGE_WIDTH, 2 * scene.height)
    assert "&lt;a&amp;b&gt;" in scene.svg()
