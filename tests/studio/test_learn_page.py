"""The lessons in a real browser: each opens on the reader's own picture; what one does there changes its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cutaway.dataset.loose import open_pictures
from cutaway.engine.lesson.picture import brightest
from cutaway.image.fit import fit_picture
from cutaway.verbs.find import find_model
from tests.studio import kit

pytestmark = pytest.mark.browser
MODEL = "zoo:tutorial-cifar"
LESSONS = ("pixels", "1d-convolution", "2d-convolution", "stride-padding", "activation", "pooling-shift")


@pytest.fixture(scope="module")
def learn(browser: Any, server: kit.Studio) -> Iterator[Any]:
    """Lesson's name -> the open page with that lesson on it, always the same window."""
    with kit.visit(browser, server, "#/learn", color_scheme="light") as page:

        def open_(name: str) -> Any:
            page.evaluate("(hash) => { location.hash = hash }", f"#/learn?lesson={name}")
            page.locator("article.lesson").wait_for()
            page.get_by_role("heading", name="Where this is in your network").wait_for()
            page.wait_for_load_state("networkidle")
            return page

        yield open_


def until_text(page: Any, text: str) -> None:
    page.locator("main").get_by_text(text).first.wait_for()


def test_contents_words_and_the_way_through_the_lessons(page: Any) -> None:
    page.get_by_role("link", name="Learn", exact=True).click()
    page.get_by_role("heading", name="Learn").wait_for()
    kit.axe(page)
    page.get_by_role("searchbox", name="Find a word").fill("stride")
    assert page.locator("dt").all_inner_texts()[0] == "stride"
    page.get_by_role("link", name="Begin: A picture is a table of numbers").click()
    page.get_by_role("link", name="A kernel slides along a row").click()
    heading = page.get_by_role("heading", level=1, name="A kernel slides along a row")
    heading.wait_for()
    assert heading.evaluate("(node) => node === document.activeElement")  # keys go on from here
    assert "model=zoo:tutorial-cifar&picture=sample:cat" in page.url
    page.go_back()
    page.get_by_role("heading", level=1, name="A picture is a table of numbers").wait_for()
    page.get_by_role("link", name="Learn", exact=True).first.click()
    until_text(page, "Lesson 1 · opened")


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_can_be_used_by_everyone(learn: Any, name: str) -> None:
    page = learn(name)
    kit.axe(page)
    for width in (768, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 768})
        kit.no_sideways_scroll(page)
    link = page.locator("section.where").get_by_role("link", name="in the machine")
    assert link.get_attribute("href").startswith("#/machine?model=zoo:tutorial-cifar&picture=sample:cat&layer=")


def test_pixels_the_frame_finds_the_brightest_one(learn: Any) -> None:
    page = learn("pixels")
    contract = find_model(MODEL).contract
    fitted = fit_picture(open_pictures(("sample:cat",)).read(0), contract)
    until_text(page, f"has red {fitted[16, 16, 0]}, green {fitted[16, 16, 1]}, blue {fitted[16, 16, 2]}")
    row, column, level = brightest(fitted)
    frame = page.get_by_role("button", name="The picture at the network’s size")
    frame.focus()
    for key, steps in (("ArrowDown", row - 16), ("ArrowRight", column - 16)):
        for _ in range(abs(steps)):
            page.keyboard.press(key if steps > 0 else {"ArrowDown": "ArrowUp", "ArrowRight": "ArrowLeft"}[key])
    until_text(page, f"That is it: row {row}, column {column}, brightness {level} of 255.")
    page.get_by_label("Pixels along the longer side").fill("4")
    until_text(page, "48 numbers are left of 3")
    until_text(page, "With 4 pixels it says")


def test_a_kernel_typed_along_the_row(learn: Any) -> None:
    page = learn("1d-convolution")
    until_text(page, "Place 1 of 15: 0 × 1 + 0 × (−1) = 0")
    page.get_by_label("Place of the window").fill("2")
    until_text(page, "Place 2 of 15: 0 × 1 + 1 × (−1) = −1")
    page.get_by_role("button", name="cell 2: 0").click()
    until_text(page, "Place 2 of 15: 1 × 1 + 1 × (−1) = 0")
    page.get_by_label("weight, row 1, column 1").fill("-1")
    page.get_by_label("weight, row 1, column 1").press("ArrowRight")
    page.keyboard.type("1")
    until_text(page, "Turned round, the same two weights find the opposite change")
    page.get_by_role("button", name="Play").click()
    until_text(page, "Place 3 of 15")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="A row of your picture").click()
    until_text(page, "Place 3 of 23")


def test_a_kernel_typed_over_the_picture(learn: Any) -> None:
    page = learn("2d-convolution")
    until_text(page, "vertical edge: 3")
    middle = page.get_by_label("weight, row 2, column 2")
    middle.fill("9")
    until_text(page, "The weights add up to 9")
    page.get_by_role("button", name="horizontal edge").click()
    until_text(page, "each column adds up to the same")
    cell = page.get_by_role("button", name="The feature map")
    cell.focus()
    page.keyboard.press("ArrowRight")
    until_text(page, "the cell at row 16, column 17")
    page.get_by_label("Filter of conv1").fill("5")
    page.get_by_role("link", name="conv1[5]").wait_for()


def test_windows_counted_and_drawn(learn: Any) -> None:
    page = learn("stride-padding")
    until_text(page, "⌊(12 + 2 · 1 − 3) / 2⌋ + 1 = 6")
    until_text(page, "4 of 9 weights lie on the picture")
    page.get_by_label("Kernel", exact=True).fill("5")
    page.get_by_label("Stride", exact=True).fill("1")
    page.get_by_label("Padding", exact=True).fill("2")
    until_text(page, "Right: 2 cells on each side")
    page.get_by_label("Padding", exact=True).fill("0")
    page.get_by_label("Dilation", exact=True).fill("4")
    until_text(page, "A window of 17 cells does not fit into 12 cells with a padding of 0")


def test_slopes_and_the_vanishing_gradient(learn: Any) -> None:
    page = learn("activation")
    until_text(page, "0.1966")
    until_text(page, "5.5 × 10⁻⁶")
    page.get_by_label("x, the sum that goes in").fill("-2")
    page.get_by_role("button", name="ReLU", exact=True).click()
    until_text(page, "the gradient stops here")
    page.get_by_label("x, the sum that goes in").fill("2")
    until_text(page, "Yes: ReLU with weight 1 has a slope near 1")
    page.get_by_role("heading", name="How much of your network is silent on this picture").wait_for()


def test_pooling_and_the_networks_answer_follow_the_move(learn: Any) -> None:
    page = learn("pooling-shift")
    until_text(page, "moved by 3 px")
    page.get_by_label("Window and stride").fill("16")
    until_text(page, "16 × 16 does it")
    change = page.locator("section").filter(has_text="And your network?").locator(".change")
    change.first.wait_for()
    page.get_by_label("Move the picture to the right").first.fill("0")
    change.first.wait_for(state="detached")
    page.get_by_role("button", name="Measure its translation invariance").click()
    until_text(page, "1 would mean that no probability ever changes")
