"""The page of explanations: how many stand in a line, shared scales, the strip of what was measured, long words."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.draw.explain import MapCell, PictureMaps, left_out_block, picture_block
from cutaway.draw.scene import MARGIN, PAGE_WIDTH, Block, Line, Raster, Words, page, width_of
from cutaway.draw.trust_strip import Curve, Level, Trust, trust_block, verdict_sign, wrapped

RANDOM = np.random.default_rng(0)
LONG = "a class whose name is longer than any column of this page could ever hold without being cut somewhere"
WIDE = PAGE_WIDTH - 2 * MARGIN


def words(block: Block) -> list[str]:
    return [m.text for m in block.marks if isinstance(m, Words)]


def photo(shape: tuple[int, int]) -> np.ndarray:
    return RANDOM.integers(0, 255, (*shape, 3), dtype=np.uint8)


def trust(level: Level = "fails") -> Trust:
    down, up = tuple(np.linspace(1, 0, 9)), tuple(np.linspace(0, 1, 9))
    curves = (Curve("deletion", down, down, 0.25, 0.5, 0.41), Curve("insertion", up, up, 0.75, 0.5, 0.55))
    return Trust(curves, (("ρ 0.93", "random weights"),), level, "It draws edges, not reasons.", ("Fewer samples.",))


def cell(number: int, shape: tuple[int, int] = (28, 28), **more: object) -> MapCell:
    return MapCell(f"Method {number}", RANDOM.normal(size=shape), "What it says.", "layer conv", **more)  # type: ignore[arg-type]


def block_of(count: int, shape: tuple[int, int] = (28, 28), **more: object) -> Block:
    lines = [[cell(i, shape, **more)] for i in range(count)]
    return picture_block(PictureMaps("7.png", photo(shape), [("7", 0.9), ("1", 0.1)], 10, "Explained: 7", lines))


def titles(block: Block) -> list[tuple[float, float]]:
    return [(m.x, m.y) for m in block.marks if isinstance(m, Words) and m.text.startswith("Method")]


@pytest.mark.parametrize(("count", "in_a_line"), [(1, 1), (2, 2), (3, 3), (6, 3), (7, 4), (16, 4)])
@pytest.mark.parametrize("shape", [(28, 28), (32, 128), (96, 24)])
def test_as_many_in_a_line_as_can_be_read(count: int, in_a_line: int, shape: tuple[int, int]) -> None:
    block = block_of(count, shape, trust=trust())
    places = titles(block)
    assert len(places) == count
    assert len({x for x, _ in places}) == min(count, in_a_line)
    for mark in block.marks:
        if isinstance(mark, Words):
            reach = width_of(mark.text, mark.size, mark.strong)
            left = mark.x - {"start": 0.0, "middle": reach / 2, "end": reach}[mark.anchor]
            assert left >= -1
            assert left + reach <= WIDE + 1, mark.text
        if isinstance(mark, Raster):
            assert mark.x + mark.width <= WIDE + 1
            assert mark.width / mark.height == pytest.approx(shape[1] / shape[0], rel=0.02) or mark.height == 9
            assert mark.y + mark.height <= block.height
    assert page("title", ["line"], [block]).svg().count("<image") == 3 * count + 1


def test_maps_of_a_line_stand_at_one_height_and_so_do_their_curves() -> None:
    lines = [[cell(0, trust=trust())], [cell(1, notes=("A note of its own.",), trust=trust())]]
    block = picture_block(PictureMaps("7.png", photo((28, 28)), [("7", 0.9)], 10, "Explained: 7", lines))
    assert len({round(m.y) for m in block.marks if isinstance(m, Raster) and m.x > 200 and m.height > 20}) == 1
    assert len({m.y for m in block.marks if isinstance(m, Words) and m.text == "deletion"}) == 1
    assert "A note of its own." in words(block)


def test_classes_of_one_method_share_a_scale() -> None:
    line = [MapCell("Grad-CAM", np.full((8, 8), value), of=f"for {value}") for value in (1.0, -4.0)]
    own = picture_block(PictureMaps("a", photo((8, 8)), [("x", 1.0)], 2, "Explained", [[c] for c in line]))
    both = picture_block(PictureMaps("a", photo((8, 8)), [("x", 1.0)], 2, "Explained", [line], shared=True))
    assert {"0", "1", "−4", "4"} <= set(words(own))
    assert words(both).count("−4") == words(both).count("4") == 2
    assert "one scale for 2; nothing is" in " ".join(words(both))
    assert "for -4.0" in words(both)


def test_what_is_clipped_is_said_with_the_numbers() -> None:
    values = np.full((100, 100), 1.0)
    values[0, :10] = 30.0
    block = picture_block(PictureMaps("a", photo((100, 100)), [("x", 1.0)], 2, "Q", [[MapCell("M", values)]]))
    assert "clipped at 99.5 %; largest 30" in words(block)
    nothing = picture_block(PictureMaps("a", photo((9, 9)), [("x", 1.0)], 2, "Q", [[MapCell("M", np.zeros((9, 9)))]]))
    assert "zero everywhere" in words(nothing)


def test_long_names_are_cut_and_many_classes_counted() -> None:
    lines = [[MapCell(LONG, RANDOM.normal(size=(9, 9)), LONG * 2, LONG, LONG, (LONG * 5,), trust())]] * 4
    block = picture_block(PictureMaps(LONG, photo((9, 9)), [(LONG, 0.5), ("b", 0.1)], 1000, LONG * 3, lines))
    assert "and 998 more classes" in words(block)
    assert all(width_of(text, 12) < WIDE for text in words(block))
    left = left_out_block([("lime", LONG * 9), ("shap", "Not installed.")])
    assert words(left)[0] == "Left out"
    assert sum(text.endswith("…") for text in words(left)) == 1


def test_the_verdict_is_told_by_word_and_by_shape() -> None:
    strips = {level: trust_block(trust(level), 300) for level in ("passes", "doubtful", "fails")}  # type: ignore[arg-type]
    for level, strip in strips.items():
        assert level in words(strip)
        assert {"0.25", "0.75", "random 0.50, edges 0.41"} <= set(words(strip)) | {"random 0.50, edges 0.41"}
        assert "Fewer samples." in words(strip)
        assert sum(isinstance(m, Line) for m in strip.marks) >= 32
    shapes = {level: [(type(m).__name__, getattr(m, "to_y", 0)) for m in verdict_sign(level)] for level in strips}  # type: ignore[arg-type]
    assert len({str(shape) for shape in shapes.values()}) == 3


def test_a_narrow_strip_puts_the_controls_below_each_other() -> None:
    strip = trust_block(trust(), 240)
    assert {"random 0.50", "edges 0.41"} <= set(words(strip))
    assert trust_block(Trust((), (), "passes", "Good."), 240).height < 60


def test_a_sentence_is_broken_at_its_words() -> None:
    said = "what a map says about a network is worth as much as what was measured of it"
    lines = wrapped(said, 120, 12.5, 9)
    assert " ".join(lines) == said
    assert all(width_of(line, 12.5) <= 120 for line in lines)
    short = wrapped(said, 120, 12.5, 2)
    assert len(short) == 2
    assert short[1].endswith("…")
    assert wrapped("", 120, 12.5, 2) == []
