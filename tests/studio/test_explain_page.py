"""The page Explain in a real browser: maps with their verdicts, another class, one mark on all maps, units, trust."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.studio import kit

pytestmark = pytest.mark.browser
MODEL = "zoo:tutorial-cifar"
ABOUT = f"#/explain?model={MODEL}&picture=sample:cat"
TOPS = """[...document.querySelectorAll("article .curves")].map((one) =>
  [one.closest("article"), one].map((box) => Math.round(box.getBoundingClientRect().top)))"""
VERDICT = re.compile("^(passes|doubtful|fails)$")


def card(page: Any, title: str) -> Any:
    return page.get_by_role("article", name=title, exact=True)


def test_instant_methods_appear_with_their_verdicts_and_another_class_is_explained(
    browser: Any, server: kit.Studio
) -> None:
    with kit.visit(browser, server, ABOUT, color_scheme="light") as page:
        for title in ("Saliency", "Grad-CAM", "Eigen-CAM"):
            card(page, title).locator("canvas").wait_for()
        for title in ("Saliency", "Grad-CAM", "Eigen-CAM"):
            card(page, title).get_by_text(VERDICT).wait_for()
            sentence = card(page, title).locator(".verdict[aria-live]").inner_text()
            assert re.search(f"{re.escape(title)}|tests? ", sentence), sentence
        kit.no_sideways_scroll(page)
        rows: dict[float, set[float]] = {}
        for top, curves in page.evaluate(TOPS):
            rows.setdefault(top, set()).add(curves)
        assert all(len(tops) == 1 for tops in rows.values()), rows  # neighbours' curves stand side by side
        kit.axe(page)
        page.get_by_label("Find a class").fill("class 3")
        page.get_by_role("button", name="class 3", exact=True).click()
        page.get_by_role("heading", name="Why class 3?").wait_for()
        rather = page.get_by_label("Rather than")
        assert "class 3" not in rather.inner_text().split("\n")  # a class is not compared with itself
        rather.select_option("class 4")
        page.get_by_role("heading", name="Why class 3 rather than class 4?").wait_for()
        assert "class=class%203" in page.url
        card(page, "Grad-CAM").get_by_role("button", name="Grad-CAM for class 3 rather than class 4").wait_for()
        page.reload()
        page.get_by_role("heading", name="Why class 3 rather than class 4?").wait_for()


def test_one_mark_on_all_maps_by_keys_and_a_slow_method_on_demand(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{ABOUT}&checks=off", color_scheme="dark") as page:
        first = card(page, "Saliency").get_by_role("button", name="Saliency for")
        high = card(page, "Saliency").bounding_box()["height"]
        first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        assert "at row 15, column 17" in first.get_attribute("aria-label")
        assert card(page, "Saliency").bounding_box()["height"] == high  # nothing jumps while one points
        other = card(page, "Layer-CAM").get_by_role("button", name="Layer-CAM for")
        assert "at row 15, column 17" in other.get_attribute("aria-label")
        card(page, "Layer-CAM").get_by_text("here, in units of the score").wait_for()
        page.keyboard.press("Escape")
        assert "Arrow keys" in other.get_attribute("aria-label")
        card(page, "Occlusion").get_by_role("button", name="Make Occlusion").click()
        card(page, "Occlusion").locator("canvas").wait_for()
        assert "also=occlusion" in page.url
        card(page, "Occlusion").get_by_text("Settings and source").click()
        window = card(page, "Occlusion").get_by_label("window")
        window.fill("none")
        window.press("Enter")
        card(page, "Occlusion").get_by_text("window of Occlusion must be a whole number. Got 'none'.").wait_for()
        page.get_by_role("button", name="Map alone").click()
        page.get_by_label("What speaks").select_option("only against")
        kit.until(page, "location.hash.includes('show=map') && location.hash.includes('sign=against')")


def test_a_slow_method_is_stopped_and_does_not_come_back_with_the_next(browser: Any, server: kit.Studio) -> None:
    masks = base64.urlsafe_b64encode(json.dumps({"rise": {"masks": "1000000"}}).encode()).decode().rstrip("=")
    with kit.visit(browser, server, f"{ABOUT}&checks=off&knobs={masks}", color_scheme="light") as page:
        card(page, "RISE").get_by_role("button", name="Make RISE").click()
        page.get_by_text("Makes RISE (0 of 1 measured)").wait_for()
        page.get_by_role("button", name="Stop", exact=True).click()
        card(page, "RISE").get_by_role("button", name="Make RISE").wait_for()
        kit.until(page, "!location.hash.includes('also=')")  # a reload would begin it anew
        card(page, "Occlusion").get_by_role("button", name="Make Occlusion").click()
        card(page, "Occlusion").locator("canvas").wait_for()
        assert card(page, "RISE").get_by_role("button", name="Make RISE").is_visible()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for i in range(4):
        levels = random.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(levels).resize((40, 40), Image.Resampling.NEAREST).save(folder / f"photo{i}.png")
    return folder


def test_what_a_unit_looks_for_and_its_neighbour(browser: Any, server: kit.Studio, photos: Path) -> None:
    hash_ = f"#/explain?model={MODEL}&picture=sample:cat&unit=conv2[3]&data={photos}&steps=32"
    with kit.visit(browser, server, hash_, color_scheme="light") as page:
        page.get_by_role("heading", name="conv2[3]", exact=True).wait_for()
        page.get_by_text("A picture made to excite it, in 32 steps").wait_for()
        assert page.get_by_role("img", name=re.compile("What it sees of .*photo")).count() == 8
        kit.until(page, "[...document.querySelectorAll('svg image')].length >= 9")
        kit.axe(page)
        page.get_by_role("link", name="Next channel: conv2[4]").click()
        page.get_by_role("heading", name="conv2[4]", exact=True).wait_for()
        page.get_by_label("Unit", exact=True).fill("conv2[64]")
        page.get_by_role("button", name="Search", exact=True).click()
        page.get_by_text("conv2 has 64 channels, 0 to 63; there is no conv2[64].").wait_for()


def test_which_methods_can_be_believed_on_photos(browser: Any, server: kit.Studio, photos: Path) -> None:
    with kit.visit(browser, server, f"#/explain?model={MODEL}&tab=trust", color_scheme="light") as page:
        page.get_by_label("Photos, with or without labels").fill(str(photos))
        page.get_by_label("At most").fill("2")
        page.get_by_role("button", name="Measure").click()
        page.get_by_role("row", name=re.compile("Grad-CAM ")).wait_for()
        assert page.get_by_role("row").count() == 13
        kit.no_sideways_scroll(page)
        kit.axe(page)
        page.reload()
        page.get_by_role("row", name=re.compile("Grad-CAM ")).wait_for()


def test_without_a_model_or_a_picture_it_says_what_to_do(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, "#/explain", color_scheme="light") as page:
        page.get_by_text("Choose a model first").wait_for()
        kit.axe(page)
    with kit.visit(browser, server, f"#/explain?model={MODEL}", color_scheme="light") as page:
        page.get_by_role("button", name="Take the sample of a cat").click()
        card(page, "Grad-CAM").locator("canvas").wait_for()
