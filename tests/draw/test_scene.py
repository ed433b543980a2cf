"""A page: the same marks as PNG and SVG, text kept inside its place, everything escaped."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from cutaway.draw.scene import (
    INK,
    MARGIN,
    PAGE_WIDTH,
    Block,
    Box,
    Line,
    Raster,
    Scene,
    Words,
    cut,
    cut_middle,
    hatched,
    moved,
    number,
    page,
    width_of,
)
from cutaway.errors import BadInput

DOTS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)


def read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_pixels_are_enlarged_by_whole_factors_without_smoothing() -> None:
    drawn = read(Scene(20, 10, "t", (Raster(1, 2, 4, 4, DOTS),)).png())
    assert drawn.shape == (20, 40, 3)
    part = drawn[4:12, 2:10]
    assert (part == DOTS.repeat(4, 0).repeat(4, 1)).all()
    assert (drawn[12:] == 255).all()


def test_boxes_and_lines_lie_where_they_should() -> None:
    drawn = read(
        Scene(10, 10, "t", (Box(1, 1, 3, 2, INK), Line(0, 8, 10, 8, INK, 0.5), Box(5, 5, 0.2, 0.1, INK))).png()
    )
    assert (drawn[2:6, 2:8] == INK).all()
    assert (drawn[16, :] == INK).all()


def test_svg_holds_the_same_marks_and_is_escaped() -> None:
    marks = (
        Words(1, 2, "a<b> & c", strong=True),
        Box(0, 0, 1, 1, None, INK),
        Line(0, 0, 1, 1),
        Raster(0, 0, 2, 2, DOTS),
    )
    root = ET.fromstring(Scene(9, 9, "x < y", marks).svg())
    names = [child.tag.split("}")[1] for child in root]
    assert names == ["title", "rect", "text", "rect", "line", "image"]
    assert root[0].text == "x < y"
    assert root[2].text == "a<b> & c"
    assert root[5].get("style") == "image-rendering:pixelated"
    assert root[5].get("href", "").startswith("data:image/png;base64,")


def test_text_is_cut_to_its_place() -> None:
    assert cut("short", 100, 13) == "short"
    shown = cut("a very long name indeed", 60, 13)
    assert shown.endswith("…")
    assert width_of(shown, 13) <= 60
    assert width_of("", 13) == 0


def test_letters_that_no_font_has_are_still_drawn() -> None:
    assert width_of("가위 → dog", 13) > 0
    assert read(Scene(80, 20, "t", (Words(40, 15, "가위", anchor="middle"),)).png()).min() < 200


def test_hatching_stays_inside_its_box() -> None:
    for line in hatched(10, 20, 30, 12):
        assert isinstance(line, Line)
        assert {line.x >= 10, line.to_x <= 40, line.to_y >= 20, line.y <= 32} == {True}


def test_page_stacks_blocks_and_moves_lines_with_them() -> None:
    block = Block(30, (Line(0, 0, 5, 5), Box(0, 0, 5, 5)))
    scene = page("Title", ("below",), [block, block])
    lines = [m for m in scene.marks if isinstance(m, Line)]
    assert scene.width == PAGE_WIDTH
    assert lines[1].y - lines[0].y == 48
    assert (lines[0].x, lines[0].to_x) == (MARGIN, MARGIN + 5)
    assert moved([Box(1, 1, 1, 1)], 2, 3) == [Box(3, 4, 1, 1)]


def test_numbers() -> None:
    assert [number(v) for v in (3.14159, -0.0001234, 0.0)] == ["3.14", "−0.000123", "0"]


def test_a_long_name_keeps_both_ends() -> None:
    name = "features.denseblock2.denselayer12.relu2"
    shown = cut_middle(name, 150, 16, strong=True)
    start, end = shown.split("…")
    assert name.startswith(start)
    assert name.endswith(end)
    assert abs(len(start) - len(end)) <= 1
    assert width_of(shown, 16, strong=True) <= 150
    assert cut_middle("conv1", 150, 16) == "conv1"
    assert cut_middle("conv1", 1, 16) == "…"


def test_a_very_long_page_has_one_pixel_to_a_point_and_a_longer_one_is_told() -> None:
    assert Scene(1600, 20_000, "long", ()).image().size == (1600, 20_000)
    with pytest.raises(BadInput, match=r"The picture would have 1,600 x 90,000 px, more than most programs open; show"):
        Scene(1600, 90_000, "longer", ()).png()
