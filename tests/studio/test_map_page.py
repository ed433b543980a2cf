"""The Map page in a real browser: a map is made, walked by mouse and keys, a part taken, a photo opened."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.studio import kit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(trained: Path) -> Iterator[kit.Studio]:
    kit.built()
    with kit.studio(trained, "runs/digits-1") as running:
        yield running


@pytest.fixture(scope="module")
def made(browser: Any, served: kit.Studio) -> str:
    """The address of a map that was made by its button: a run's own photos are what it begins with."""
    with kit.visit(browser, served, "#/map?method=pca") as page:
        page.get_by_role("button", name="Make the map").first.click()
        page.get_by_role("application").wait_for()
        assert page.get_by_role("heading", level=1).inner_text() == "PCA map of digits by digits-1"
    return "#/map?method=pca&data=digits"


@pytest.fixture
def page(browser: Any, served: kit.Studio, made: str) -> Iterator[Any]:
    with kit.visit(browser, served, made, color_scheme="light") as opened:
        opened.get_by_role("application").wait_for()
        kit.until(opened, "document.querySelector('canvas')?.dataset.ms")
        yield opened


def middle(page: Any) -> tuple[float, float, float, float]:
    box = page.get_by_role("application").bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def mark_under(page: Any) -> tuple[float, float]:
    """Where a mark is: the first coloured pixel in the middle of the canvas, in pixels of the window."""
    found = page.evaluate(
        """() => {
          const canvas = document.querySelector('canvas'), pen = canvas.getContext('2d');
          const {width: w, height: h} = canvas, box = canvas.getBoundingClientRect();
          const data = pen.getImageData(0, 0, w, h).data;
          for (let y = Math.round(h * .3); y < h * .9; y++) for (let x = Math.round(w * .3); x < w * .9; x++) {
            const o = 4 * (y * w + x);
            if (Math.max(data[o], data[o+1], data[o+2]) - Math.min(data[o], data[o+1], data[o+2]) > 80)
              return [box.left + x * box.width / w, box.top + y * box.height / h];
          }
        }"""
    )
    return float(found[0]), float(found[1]) + 2


def test_the_map_comes_back_by_its_address_with_its_figures(page: Any) -> None:
    assert page.get_by_text("trustworthiness").is_visible()
    assert page.get_by_text("How to read it.").is_visible()
    assert page.get_by_role("button", name="Made").is_disabled()
    assert float(page.locator("canvas").first.get_attribute("data-ms")) < 1000


def test_axe_finds_nothing_wrong(page: Any) -> None:
    page.get_by_role("button", name=re.compile("^Errors")).click()
    page.get_by_role("application").press("n")
    page.get_by_role("button", name="Open in Machine").wait_for()
    kit.axe(page)
    kit.shot(page, "map")


@pytest.mark.parametrize("width", [1280, 768])
def test_nothing_lies_beside_the_window(browser: Any, served: kit.Studio, made: str, width: int) -> None:
    with kit.visit(browser, served, f"{made}&subset=wrong&photo=3", width=width, height=1024) as opened:
        opened.get_by_role("application").wait_for()
        kit.no_sideways_scroll(opened)


def test_resting_on_a_mark_shows_its_photo_and_clicking_opens_it(page: Any) -> None:
    x, y = mark_under(page)
    page.mouse.move(x, y)
    page.locator(".tip").wait_for()
    name = page.locator(".tip b").inner_text()
    assert re.fullmatch(r"digits\[\d+\]", name)
    page.get_by_role("heading", name=name).wait_for()  # looked at, with its neighbours
    assert page.get_by_role("heading", name="Nearest in the layer").is_visible()
    page.mouse.click(x, y)
    page.wait_for_url(re.compile("#/machine"))
    assert "picture=upload:" in page.url
    page.go_back()
    page.get_by_role("heading", name=name).wait_for()


def test_keys_alone_walk_zoom_take_a_part_and_open_a_photo(page: Any) -> None:
    app = page.get_by_role("application")
    app.focus()
    for key in ("n", "n", "p", "+", "ArrowLeft", "-", "0"):
        page.keyboard.press(key)
    page.wait_for_url(re.compile("photo="))
    page.keyboard.press("Shift+ArrowRight")
    for _ in range(12):
        page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Inside the outline").wait_for()
    assert "subset=lasso:" in page.url
    page.get_by_text(re.compile(r"\d+ photos: ")).wait_for()
    app.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("#/machine"))


def test_a_lasso_by_mouse_is_a_list_that_can_be_saved(page: Any, tmp_path: Path) -> None:
    left, top, wide, high = middle(page)
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(left + 0.06 * wide + 60, top + 8)
    page.mouse.down()
    for x, y in ((0.98, 0.02), (0.98, 0.97), (0.02, 0.97), (0.12, 0.1)):
        page.mouse.move(left + x * wide, top + y * high, steps=8)
    page.mouse.up()
    counts = page.get_by_text(re.compile(r"^\d+ photos: "))
    counts.wait_for()
    number = int(re.match(r"\d+", counts.inner_text())[0])  # type: ignore[index]
    assert number > 100
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    saved.value.save_as(tmp_path / "photos.csv")
    with (tmp_path / "photos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == number
    assert {row["class"] for row in rows} <= set("0123456789")
    page.reload()
    page.get_by_text(re.compile(rf"^{number} photos: ")).wait_for()  # the part is in the address


def test_a_part_is_measured_and_mapped_alone(page: Any) -> None:
    page.get_by_role("combobox", name="A class").select_option("3")
    counts = page.get_by_text(re.compile(r"^\d+ photos: "))
    number = int(re.match(r"\d+", counts.inner_text())[0])  # type: ignore[index]
    page.get_by_role("button", name="Measure accuracy on these").click()
    page.get_by_role("heading", name="Accuracy on my data").wait_for()
    assert page.get_by_label("Labelled photos").input_value() == "part-of-digits.zip"
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_text(f"{number} photos, with no edit made.").wait_for()
    page.go_back()
    page.get_by_role("button", name="Map these alone").click()
    page.get_by_role("button", name="Make the map").click()
    page.get_by_role("application").wait_for()
    assert page.get_by_role("application").get_attribute("aria-label") == f"Map of {number} photos"


def test_colours_classes_and_words_choose_what_is_lit(page: Any) -> None:
    shown = page.locator(".shown")
    page.get_by_role("list", name="Show only").get_by_role("button").first.click()
    assert re.match(r"\d+ of \d+ photos", shown.inner_text())
    page.get_by_role("radio", name="error").check()
    assert page.get_by_role("button", name=re.compile("^wrong")).is_visible()
    assert re.match(r"\d+ photos", shown.inner_text())
    page.get_by_label("Find a class or a file").fill("digits[1")
    assert re.match(r"\d+ of \d+ photos", shown.inner_text())


def test_without_a_map_the_page_says_what_to_do(browser: Any, served: kit.Studio) -> None:
    with kit.visit(browser, served, "#/map?data=faces") as opened:
        assert (
            opened.get_by_text("This map has not been made yet.").is_visible()
            or opened.get_by_role("button", name="Make the map").first.is_enabled()
        )
    with kit.visit(browser, served, "#/map?data=nowhere") as opened:
        opened.get_by_text("no data set by name").wait_for()
