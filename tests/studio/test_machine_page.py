"""Machine in a real browser: the drawing is painted, keys alone choose a layer and a cell, axe finds nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import cutaway as ca
from tests.studio import kit
from tests.studio.conftest import MODEL, PICTURE

pytestmark = pytest.mark.browser
HASH = f"#/machine?model={MODEL}&picture={PICTURE}"
# How many of the canvases that are there show more than a few colours.
PAINTED = """(where) => [...document.querySelectorAll(where)].filter((c) => {
  const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(c, 0, 0);
  const d = copy.getImageData(0, 0, c.width, c.height).data;
  return new Set(new Uint32Array(d.buffer)).size > 3;
}).length"""


def painted(page: Any, where: str, least: int) -> None:
    kit.until(page, f"({PAINTED})('{where}') >= {least}")


def test_the_machine_is_drawn_with_its_maps(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, HASH) as page:
        page.get_by_role("heading", level=1, name="tutorial-cifar").wait_for()
        page.locator(".plate").first.wait_for()
        painted(page, ".plate canvas", 5)
        told = ca.open(MODEL)
        assert f"{told.parameters / 1e3:.3g}" in page.locator("header dl").inner_text()
        boxes = page.locator(".plate").count()
        assert boxes == len(told.rows) + 1 or boxes < len(told.rows)
        assert page.locator(".plate img").first.get_attribute("src").startswith("blob:")
        kit.no_sideways_scroll(page)
        kit.axe(page)


def test_keys_alone_choose_a_layer_and_unfold_a_cell(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, HASH) as page:
        page.locator(".plate").first.wait_for()
        page.locator("[data-box][tabindex='0']").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.get_by_role("heading", level=2, name="conv1").wait_for()
        assert "layer=conv1" in page.evaluate("location.hash")
        painted(page, ".maps canvas", 1)
        cell = page.get_by_role("gridcell").first
        cell.focus()
        page.keyboard.press("ArrowRight")
        kit.until(page, "document.activeElement?.textContent === 'Channel 1'")
        kit.axe(page)
        cell.page.get_by_role("gridcell", name="Channel 1", exact=True).press("Enter")
        kit.until(page, "decodeURIComponent(location.hash).includes('cell=conv1[1,')")
        page.reload()
        page.get_by_role("heading", level=2, name="conv1[1,").first.wait_for()


def test_a_cell_under_the_pointer_shows_its_value_and_what_it_sees(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"{HASH}&layer=conv1") as page:
        painted(page, ".maps canvas", 1)
        page.locator(".maps").scroll_into_view_if_needed()
        box = page.locator(".maps .all").bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        page.get_by_text("channel 0, row").wait_for()
        page.locator(".frame svg rect").first.wait_for(state="attached")
        seen = page.locator(".frame svg .over")
        assert int(seen.get_attribute("width")) == ca.open(MODEL, layer="conv1").layer.row.receptive.size[1]
        page.mouse.click(box["x"] + 20, box["y"] + 20)
        kit.until(page, "decodeURIComponent(location.hash).includes('cell=conv1[0,')")


def test_outline_finds_a_layer_and_walks_by_keys(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"#/machine?model=zoo:resnet18&picture={PICTURE}&outline=1") as page:
        page.get_by_placeholder("Find one of 69 layers").fill("layer3.0.conv2")
        page.get_by_role("treeitem").first.click()
        page.get_by_role("heading", level=2, name="layer3.0.conv2").wait_for()
        page.get_by_placeholder("Find one of 69 layers").fill("")
        line = page.get_by_role("treeitem", selected=True)
        line.focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        kit.until(page, "document.activeElement?.getAttribute('aria-expanded') === 'false'")
        page.keyboard.press("Escape")
        page.get_by_role("tree").wait_for(state="detached")


def test_a_block_opens_and_what_lies_before_it_stays(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"#/machine?model=zoo:resnet18&picture={PICTURE}") as page:
        place = ".plate:has([data-box='maxpool'])"
        page.locator(place).wait_for()
        before = page.locator(place).get_attribute("style")
        page.locator("[data-box='layer1.0']").focus()
        page.keyboard.press("o")
        page.locator("[data-box='layer1.0.conv1']").wait_for()
        kit.until(page, "document.activeElement?.dataset.box === 'layer1.0.conv1'")
        assert page.locator(place).get_attribute("style") == before
        assert "open=layer1.0" in page.evaluate("location.hash")
        page.get_by_role("button", name="Close layer1.0").click()
        kit.until(page, "document.activeElement?.dataset.box === 'layer1.0'")


def test_before_after_difference_and_scales(browser: Any, server: kit.Studio) -> None:
    edits = [{"edit": "scale_weights", "layer": "conv1", "factor": 2.0}]
    packed = base64.urlsafe_b64encode(json.dumps(edits).encode()).decode().rstrip("=")
    with kit.visit(browser, server, f"{HASH}&edits={packed}&layer=conv1") as page:
        painted(page, ".maps canvas", 1)
        page.get_by_role("button", name="Difference").click()
        kit.until(page, "location.hash.includes('view=difference')")
        page.get_by_role("group", name="Colours by").get_by_role("button", name="network").click()
        kit.until(page, "location.hash.includes('scale=network')")
        painted(page, ".maps canvas", 1)
        page.get_by_role("button", name="Before").click()
        kit.until(page, "location.hash.includes('view=before')")


def test_without_a_model_and_without_a_picture_it_says_what_to_do(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, "#/machine") as page:
        page.get_by_text("Choose a model and a picture").wait_for()
        kit.axe(page)
        page.get_by_role("button", name=f"Open {MODEL.removeprefix('zoo:')}").click()
        painted(page, ".plate canvas", 3)
    with kit.visit(browser, server, f"#/machine?model={MODEL}") as page:
        page.get_by_role("button", name="Take a sample").click()
        painted(page, ".plate canvas", 3)


def test_a_file_of_bare_weights_is_listed(browser: Any, server: kit.Studio, tmp_path: Path) -> None:
    save_file({f"part{i}.weight": np.zeros((3, 4), np.float32) for i in range(3)}, tmp_path / "w.safetensors")
    with kit.visit(browser, server, f"#/machine?model={tmp_path / 'w.safetensors'}") as page:
        page.get_by_role("row").filter(has_text="part2").wait_for()
        page.get_by_text("weights without a network").wait_for()
        kit.axe(page)


def test_a_tablet_stacks_it_and_brings_what_is_opened_into_sight_without_motion(
    browser: Any, server: kit.Studio
) -> None:
    place = f"{HASH}&layer=conv1"
    with kit.visit(browser, server, place, width=768, height=1024, reduced_motion="reduce") as page:
        painted(page, ".maps canvas", 1)
        kit.no_sideways_scroll(page)
        page.locator(".maps").click(position={"x": 20, "y": 20})
        opened = page.get_by_role("region", name="Unfold")
        opened.get_by_role("heading", level=2).wait_for()
        kit.until(
            page, "document.querySelector('section[aria-label=Unfold]').getBoundingClientRect().top < innerHeight"
        )
        assert opened.get_by_label("Pace").input_value() == "slow"
        kit.until(page, "document.getAnimations().every((a) => a.playState !== 'running')")
