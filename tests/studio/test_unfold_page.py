"""Unfold and Kernels in a real browser: the real server, a small network, a real photo; keys alone and the pointer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.studio import kit

pytestmark = pytest.mark.browser
START = "#/machine?model=zoo:tutorial-cifar&picture=sample:cat"
ASK = """async ([layer, cell]) => {
  const body = {model: 'zoo:tutorial-cifar', picture: 'sample:cat', layer, cell};
  const headers = {'Content-Type': 'application/json'};
  return (await fetch('/api/unfold', {method: 'POST', headers, body: JSON.stringify(body)})).json();
}"""


def drawer(page: Any) -> Any:
    return page.get_by_role("region", name="Unfold")


def at(page: Any, spot: str) -> None:
    """Waits until this cell is named and its numbers have come."""
    drawer(page).get_by_role("heading", name=spot, exact=True).wait_for()
    drawer(page).locator(".sentence", has_text=f"{spot} =").wait_for()


def test_a_convolution_is_unfolded_in_its_true_numbers(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=conv1&cell=conv1[3,10,12]") as page:
        at(page, "conv1[3, 10, 12]")
        told = page.evaluate(ASK, ["conv1", [3, 10, 12]])
        first = told["steps"][0]
        drawer(page).get_by_text(first["sentence"]).wait_for()
        kernels = drawer(page).get_by_role("table", name="kernel")
        assert kernels.count() == 3
        shown = kernels.first.get_by_role("cell").first.inner_text()
        assert float(shown.replace("−", "-")) == pytest.approx(first["patches"][0]["weights"][0][0], abs=6e-4)
        for patch in first["patches"]:
            assert drawer(page).get_by_role("group", name=patch["label"], exact=True).count() == 1
        assert page.get_by_text(f"of {told['size'][0]} × {told['size'][1]} px").count() == 1
        kit.axe(page)
        kit.no_sideways_scroll(page)


def test_keys_move_the_cell_and_the_address_follows(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=conv1&cell=conv1[3,10,12]") as page:
        at(page, "conv1[3, 10, 12]")
        drawer(page).get_by_role("button", name="conv1, channel 3").focus()
        for key, spot in (
            ("ArrowRight", "conv1[3, 10, 13]"),
            ("ArrowDown", "conv1[3, 11, 13]"),
            ("PageDown", "conv1[4, 11, 13]"),
            ("[", "conv1[3, 11, 13]"),
        ):
            page.keyboard.press(key)
            at(page, spot)
        kit.until(page, "location.hash.includes('conv1[3,11,13]') || location.hash.includes('conv1%5B3,11,13%5D')")
        page.reload()
        at(page, "conv1[3, 11, 13]")
        drawer(page).get_by_label("row", exact=True).fill("5")
        page.keyboard.press("Tab")
        at(page, "conv1[3, 5, 13]")
        drawer(page).get_by_role("button", name="Largest").click()
        told = page.evaluate(ASK, ["conv1", None])
        at(page, f"conv1[{', '.join(map(str, told['cell']))}]")


def test_the_way_back_to_the_picture_and_on_again(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=conv2&cell=conv2[1,5,5]") as page:
        at(page, "conv2[1, 5, 5]")
        told = page.evaluate(ASK, ["conv2", [1, 5, 5]])
        patch = told["steps"][0]["patches"][0]
        value = drawer(page).get_by_role("group", name=patch["label"], exact=True).get_by_role("button")
        value.first.focus()
        page.keyboard.press("ArrowRight")  # inside the patch the keys move over its cells
        page.keyboard.press("ArrowDown")
        at(page, "conv2[1, 5, 5]")
        page.keyboard.press("Enter")
        centre = [axis[1 if len(axis) > 1 else 0] for axis in patch["axes"]]
        at(page, f"{patch['step']}[{', '.join(map(str, centre))}]")
        page.get_by_role("navigation", name="The way here").get_by_role("button", name="conv2[1, 5, 5]").click()
        at(page, "conv2[1, 5, 5]")
        assert page.get_by_role("navigation", name="The way here").count() == 0
        spot = "conv2[1, 5, 5]"
        for _ in range(12):  # all the way back, by the keyboard
            back = drawer(page).locator("dl button", has_text="←").first
            if not back.count():
                break
            to = back.inner_text().removeprefix("← ")
            back.focus()
            page.keyboard.press("Enter")
            at(page, to)
            spot = to
        assert spot.startswith(told["input"])
        drawer(page).get_by_text("level of the pixel, 0 to 255").first.wait_for()
        kit.axe(page)
        drawer(page).locator("dl button", has_text="→").first.click()
        drawer(page).get_by_text("patch × kernel").first.wait_for()


def test_the_window_slides_and_the_output_fills(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=conv1&cell=conv1[0,0,0]") as page:
        at(page, "conv1[0, 0, 0]")
        drawer(page).get_by_role("button", name="Step").click()
        at(page, "conv1[0, 0, 1]")
        drawer(page).get_by_role("button", name="Play").click()
        third = "Number(document.querySelector('section[aria-label=Unfold] h2').textContent.split(',')[2].slice(0, -1))"
        kit.until(page, f"{third} > 3")
        drawer(page).get_by_role("button", name="Pause").click()
        drawer(page).get_by_role("button", name="Play").wait_for()
        channel, row, column = re.findall(r"\d+", drawer(page).get_by_role("heading", level=2).inner_text())[1:]
        drawer(page).get_by_role("button", name="Step").click()
        at(page, f"conv1[{channel}, {row}, {int(column) + 1}]")


def test_a_slide_of_it_and_a_file(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=conv1&cell=conv1[0,4,4]") as page:
        at(page, "conv1[0, 4, 4]")
        drawer(page).get_by_role("button", name="Enlarge", exact=True).click()
        box = drawer(page).bounding_box()
        assert (box["x"], box["y"], box["width"]) == (0, 0, 1280)
        kit.axe(page)
        with page.expect_download() as saved:
            drawer(page).get_by_role("button", name="SVG").click()
        assert saved.value.suggested_filename == "conv1_0,4,4_.svg"
        assert saved.value.path().read_text().startswith("<?xml")
        drawer(page).get_by_role("button", name="Animate as GIF").click()
        save = drawer(page).get_by_role("link", name="Save conv1-0.gif")
        save.wait_for(timeout=60_000)
        with page.expect_download() as film:
            save.click()
        assert film.value.path().read_bytes().startswith(b"GIF89a")
        page.keyboard.press("Escape")
        assert drawer(page).bounding_box()["x"] > 0
        drawer(page).get_by_role("button", name="Close").click()
        assert drawer(page).count() == 0


def test_what_is_not_there_is_told_with_a_way_on(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=conv1&cell=conv1[0,999,0]") as page:
        page.get_by_text("Got [0, 999, 0]").wait_for()
        page.get_by_role("button", name="Open the largest instead").click()
        drawer(page).get_by_text("patch × kernel").first.wait_for()
        assert page.get_by_text("Got [0, 999, 0]").count() == 0


def test_kernels_are_chosen_and_read(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=conv1&panel=kernels") as page:
        tiles = page.get_by_role("group", name="Filters of conv1").get_by_role("button")
        tiles.first.wait_for()
        pictures = "[...document.querySelectorAll('[aria-label=\"Filters of conv1\"] img')]"
        kit.until(page, f"{pictures}.length === 32 && {pictures}.every((one) => one.naturalWidth > 0)")
        assert not tiles.locator("canvas").count()  # 64 canvases that change at once stop the page
        tiles.first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        kit.until(page, "location.hash.includes('channel=1')")
        sheet = page.get_by_role("region", name="Filter 1")
        assert sheet.get_by_role("table").count() == 3
        kit.axe(page)
        page.get_by_role("combobox").filter(has_text="by number").select_option("norm")

        def strengths() -> list[float]:
            names = [name or "" for name in tiles.evaluate_all("all => all.map(one => one.ariaLabel)")]
            return [float(name.split("strength ")[1].split(",")[0]) for name in names]

        kit.becomes(page, strengths, sorted(strengths(), reverse=True))
        kit.no_sideways_scroll(page)


def test_a_layer_without_kernels_says_what_to_do(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{START}&layer=pool1&panel=kernels") as page:
        page.get_by_text("has no weights").wait_for()
