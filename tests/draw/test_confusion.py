"""The heatmap from 2 classes to 100."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from cutaway.draw.confusion import confusion_heatmap, worst

NS = "{http://www.w3.org/2000/svg}"


def cells(svg: str) -> list[ElementTree.Element]:
    return [g for g in ElementTree.fromstring(svg).iter(f"{NS}g") if g.get("class") == "cell"]


def test_cells_with_pictures_are_buttons_and_one_is_in_the_tab_order() -> None:
    svg = confusion_heatmap([[8, 2], [0, 5]], ["cat", "<dog>"], title="t", opens={"0,0", "0,1", "1,1"})
    made = cells(svg)
    assert len(made) == 4
    assert [g.get("data-cell") for g in made] == ["0,0", "0,1", None, "1,1"]
    assert [g.get("tabindex") for g in made] == ["0", "-1", None, "-1"]
    assert made[1].get("aria-label") == "2 of 10 “cat” answered “<dog>” (20.0 %)"
    assert ElementTree.fromstring(svg).get("role") == "group"


@pytest.mark.parametrize("k", [1, 2, 10, 30, 31, 100])
def test_any_number_of_classes_fits(k: int) -> None:
    matrix = [[20 if t == p else 1 if p == (t + 1) % k else 0 for p in range(k)] for t in range(k)]
    svg = confusion_heatmap(matrix, [f"class number {i}" for i in range(k)], title="t")
    root = ElementTree.fromstring(svg)
    width = float(root.get("viewBox", "").split()[2])
    assert width <= 521
    rects = [(float(r.get("x", 0)), float(r.get("width", 0))) for r in root.iter(f"{NS}rect")]
    assert all(x >= 0 and x + w <= width + 0.1 for x, w in rects)
    assert len(cells(svg)) == (k * k if k <= 30 else 2 * k)


def test_the_worst_confusion_in_words() -> None:
    assert worst([[8, 2], [3, 5]], ["cat", "dog"]) == "3 of “dog” answered “cat”"
    assert worst([[8, 0], [0, 5]], ["cat", "dog"]) == "none"
