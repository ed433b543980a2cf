"""The map's page, picture and sheets of small pictures: what they hold, escaped, and nothing asked of any network."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from html import unescape
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutaway.draw.atlas import SIDES, atlas, tile_side
from cutaway.draw.map_page import map_page
from cutaway.draw.map_picture import map_picture
from cutaway.draw.points import COLOURS, Points, unit_square
from cutaway.draw.svg import DARK, LIGHT

FIGURES = (("trustworthiness", "0.972", "of 1 at best"),)


def points(count: int = 40, classes: int = 3, labelled: bool = True, judged: bool = True) -> Points:
    rng = np.random.default_rng(0)
    label = rng.integers(0, classes, count)
    predicted = np.where(rng.random(count) < 0.2, (label + 1) % classes, label)
    names = tuple(f"class {k}/photo {i}.png" for i, k in enumerate(label))
    titles = tuple(f"class {k}" for k in range(classes))
    none = np.full(count, -1)
    return Points(
        names, rng.normal(size=(count, 2)) + 3 * label[:, None], titles, label if labelled else none, titles, predicted,
        rng.random(count), predicted != label if labelled and judged else None,
        rng.random(count) if labelled else np.full(count, np.nan), label if labelled else none,
    )  # fmt: skip


def page(made: Points, **more: Any) -> str:
    tiles = np.random.default_rng(1).integers(0, 255, (len(made.names), 48, 48, 3), dtype=np.uint8)
    given = {
        "title": "A map",
        "kicker": "Cutaway map",
        "lead": "40 photos.",
        "meaning": "Neighbours.",
        "figures": FIGURES,
    }
    return map_page(made, atlas(tiles), **{**given, **more})


def data_of(text: str) -> Any:
    return json.loads(re.findall(r'<script type="application/json" id="page-data">(.*?)</script>', text, re.S)[0])


def test_the_page_holds_everything_and_asks_for_nothing() -> None:
    text = page(points(), folder="../photos")
    assert "default-src 'none'; img-src data:;" in unescape(text)
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    data = data_of(text)
    assert (len(data["names"]), len(data["x"]), len(data["sheets"]), data["folder"]) == (40, 40, 1, "../photos")
    assert max(*data["x"], *data["y"]) == data["steps"] == 65535
    sheet = Image.open(io.BytesIO(base64.b64decode(data["sheets"][0].split(",")[1])))
    assert sheet.size == (50 * 48, 48)


def test_names_cannot_leave_their_place() -> None:
    made = points(6)
    hostile = "</script><script>alert(1)</script>.png"
    bad = dataclasses.replace(made, names=(hostile, *made.names[1:]), classes=("<b>", "b", "c"))
    text = page(bad, title="<img src=x>")
    assert data_of(text)["names"][0] == hostile
    assert "<script>alert" not in text
    assert "<img" not in text
    assert text.count("</script>") == 2


@pytest.mark.parametrize(("labelled", "judged", "ways"), [(True, True, 3), (True, False, 2), (False, False, 1)])
def test_only_what_is_known_can_be_coloured_by(labelled: bool, judged: bool, ways: int) -> None:
    text = page(points(labelled=labelled, judged=judged))
    assert text.count('name="by"') == ways
    assert ('id="strangers"' in text) is labelled
    assert data_of(text)["agree"][0] >= 0 if labelled else data_of(text)["agree"][0] == -1


def test_places_keep_their_proportions() -> None:
    square = unit_square(np.array([[0.0, 0.0], [10.0, 5.0]]))
    np.testing.assert_allclose(square, [[0, 0.75], [1, 0.25]])
    np.testing.assert_allclose(unit_square(np.ones((3, 2))), np.full((3, 2), 0.5))


def test_sheets_hold_every_tile_and_many_photos_get_small_ones() -> None:
    tiles = np.zeros((7, 800, 1000, 3), np.uint8)
    for i in range(7):
        tiles[i] = 30 * i
    made = atlas(tiles)
    assert (made.columns, made.width, made.height, len(made.sheets)) == (2, 1000, 800, 2)
    second = np.asarray(Image.open(io.BytesIO(made.sheets[1])))
    assert second.shape == (1600, 2000, 3)
    assert abs(int(second[1200, 500, 0]) - 180) <= 2  # the seventh
    assert (tile_side(10), tile_side(10_000), tile_side(10**6)) == (SIDES[0], 56, 48)


def test_colours_are_told_apart_from_both_grounds() -> None:
    for theme, palette in (("light", LIGHT), ("dark", DARK)):
        for colour in COLOURS[theme]:
            assert contrast(colour, palette["panel"]) >= 3, (theme, colour)


def contrast(one: str, other: str) -> float:
    """WCAG 2.1's contrast ratio."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    a, b = sorted((light(one), light(other)))
    return (b + 0.05) / (a + 0.05)


@pytest.mark.parametrize("classes", [2, 60])
def test_the_picture_names_its_classes_and_rings_mistakes(classes: int) -> None:
    made = points(300, classes)
    scene = map_picture(made, title="A map", lines=("300 photos.",), figures=FIGURES)
    said = [mark.text for mark in scene.marks if hasattr(mark, "text")]
    assert "ring: named wrongly by the model" in said
    assert ("class 1" in said) is True or classes == 60
    assert any(re.fullmatch(r"and \d+ classes more", words) for words in said) is (classes == 60)
    assert scene.png().startswith(b"\x89PNG")
