"""Operate in Chromium: sliders, kernel cells, undo, a refusal's remedy, branches, brush; by keyboard."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cutaway.image.write import to_png
from tests.studio import kit

MODEL = "zoo:tutorial-cifar"


def at(layer: str = "conv1", edits: list[Any] | None = None, model: str = MODEL, **more: str) -> str:
    text = base64.urlsafe_b64encode(json.dumps(edits or []).encode()).decode().rstrip("=")
    rest = "".join(f"&{k}={v}" for k, v in more.items())
    return f"#/machine?model={model}&picture=sample:cat&layer={layer}&panel=operate{rest}" + (
        f"&edits={text}" if edits else ""
    )


def edits_of(page: Any) -> list[Any]:
    """The list of edits as the address holds it."""
    found = re.search(r"edits=([\w-]+)", page.evaluate("location.hash"))
    if found is None:
        return []
    text = found[1] + "=" * (-len(found[1]) % 4)
    return list(json.loads(base64.urlsafe_b64decode(text)))


def answer(page: Any) -> str:
    """The exact probabilities, as the newest frame brought them."""
    return str(page.locator(".answer").first.inner_text())


def answered(page: Any, text: str, *, same: bool) -> None:
    kit.until(page, f"(document.querySelector('.answer').innerText === {json.dumps(text)}) === {json.dumps(same)}")


def at_rest(page: Any) -> None:
    """Waits until the drawing and the answer are those of what the page shows now."""
    kit.until(page, "!document.querySelector('.busy') && document.querySelector('.answer')?.ariaBusy === 'false'")


def settled(page: Any, count: int) -> None:
    """Waits until so many edits are listed, drawn, answered and in the address."""
    kit.until(page, f"document.querySelectorAll('.edits ol li').length === {count}")
    kit.becomes(page, lambda: len(edits_of(page)), count)
    at_rest(page)


@pytest.fixture(scope="module")
def opened(browser: Any, server: kit.Studio) -> Iterator[Any]:
    with kit.visit(browser, server, at()) as page:
        page.get_by_role("heading", name="Operate on conv1").wait_for()
        assert page.get_by_role("heading", name="Edits", exact=True).count() == 0  # no strip where none was made
        yield page


def go(page: Any, server: kit.Studio, hash_: str) -> None:
    page.goto("about:blank")
    page.goto(server.at(hash_))
    page.get_by_role("heading", name="Operate on").wait_for()
    page.locator(".operate .control").first.wait_for()
    at_rest(page)


def test_a_slider_by_keyboard_moves_the_answer_and_undo_brings_it_back(opened: Any, server: kit.Studio) -> None:
    go(opened, server, at())
    before = answer(opened)
    slider = opened.get_by_label("Times, all filters", exact=True)
    slider.focus()
    for _ in range(5):
        opened.keyboard.press("ArrowLeft")
    moved = [("scale_weights", 0.75)]  # several moves, one edit
    kit.becomes(opened, lambda: [(e["edit"], e["factor"]) for e in edits_of(opened)], moved)
    at_rest(opened)
    after = answer(opened)
    assert after != before
    opened.keyboard.press("Control+z")
    settled(opened, 0)
    assert answer(opened) == before
    assert slider.input_value() == "1"
    opened.keyboard.press("Control+Shift+Z")
    settled(opened, 1)
    assert answer(opened) == after
    opened.get_by_role("button", name="reset").first.click()
    settled(opened, 0)  # an edit that says nothing is none


def test_a_held_slider_changes_the_answer_before_it_is_let_go(opened: Any, server: kit.Studio) -> None:
    go(opened, server, at())
    before = answer(opened)
    slider = opened.get_by_label("Times, all filters", exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2, steps=5)
    answered(opened, before, same=False)
    assert edits_of(opened) == []  # it is only tried out
    opened.mouse.up()
    settled(opened, 1)
    assert edits_of(opened)[0]["factor"] < 0


def test_typing_into_the_kernel(opened: Any, server: kit.Studio) -> None:
    go(opened, server, at())
    cell = opened.get_by_label("row 2, column 2", exact=True)
    cell.focus()
    opened.keyboard.type("0,5")
    opened.keyboard.press("Enter")
    settled(opened, 1)
    (edit,) = edits_of(opened)
    assert (edit["edit"], edit["channel"], edit["input"], edit["to"][1][1]) == ("set_kernel", 0, 0, 0.5)
    assert opened.evaluate("document.activeElement.getAttribute('aria-label')") == "row 3, column 2"
    opened.keyboard.press("ArrowUp")
    opened.keyboard.press("PageUp")
    kit.becomes(opened, lambda: [edit["to"][1][1] > 0.5 for edit in edits_of(opened)], [True])  # the same edit goes on


def test_a_refusal_is_mended_by_its_remedy(opened: Any, server: kit.Studio) -> None:
    go(opened, server, at("layer1.0.conv1", model="zoo:resnet18"))
    opened.get_by_label("Cells", exact=True).first.select_option("2")
    notice = (
        opened.locator(".operate").get_by_role("alert").filter(has_text="values that are added must be of one size")
    )
    notice.wait_for()
    kit.becomes(opened, lambda: [edit.get("stride") for edit in edits_of(opened)], [2])
    notice.get_by_role("button").first.click()
    notice.wait_for(state="detached")
    kit.becomes(opened, lambda: [edit["edit"] for edit in edits_of(opened)], ["together"])
    settled(opened, 1)
    kit.until(opened, "document.querySelector('.answer').innerText.includes('%')")


def test_list_branches_and_class_names(opened: Any, server: kit.Studio) -> None:
    silence = {"edit": "silence", "layer": "conv1", "channels": [1]}
    scale = {"edit": "scale_weights", "layer": "conv2", "factor": 2.0, "channels": [], "inputs": []}
    go(opened, server, at("", [silence, scale]))
    settled(opened, 2)
    assert "silence conv1[1]" in opened.locator(".edits ol").inner_text()
    opened.get_by_role("button", name="Branches").click()
    opened.get_by_label("Name", exact=True).fill("soft")
    opened.get_by_role("button", name="Keep these edits").click()
    opened.keyboard.press("Escape")
    opened.get_by_role("button", name="Remove: silence conv1[1]").click()
    settled(opened, 1)
    assert [e["edit"] for e in edits_of(opened)] == ["scale_weights"]
    opened.get_by_role("button", name="Branches (1)").click()
    opened.get_by_role("button", name="Switch to").click()
    opened.keyboard.press("Escape")
    settled(opened, 2)
    opened.get_by_role("button", name="Clear").click()
    settled(opened, 0)
    names = opened.get_by_label("One class a line")
    lines = names.input_value().split("\n")
    names.fill("\n".join(["an aircraft", *lines[1:]]))
    opened.get_by_role("button", name="Rename").click()
    settled(opened, 1)
    assert edits_of(opened)[0]["names"][0] == "an aircraft"


def test_a_click_on_a_map_means_its_channel_and_the_panel_leads_to_its_parts(opened: Any, server: kit.Studio) -> None:
    go(opened, server, at())
    maps = opened.locator(".operate .maps")
    box = maps.bounding_box()
    maps.click(position={"x": 5, "y": 5})
    field = opened.get_by_label("Channels", exact=True)
    assert field.input_value() == "0"
    maps.click(position={"x": box["width"] - 25, "y": 5})
    assert re.fullmatch(r"0, \d", field.input_value())
    maps.click(position={"x": 5, "y": 5})
    chosen = int(field.input_value())
    opened.get_by_role("button", name=f"Silence channel {chosen}").click()
    settled(opened, 1)
    assert edits_of(opened)[0]["channels"] == [chosen]
    opened.get_by_role("button", name="The whole network").click()
    kit.until(opened, "document.activeElement.textContent === 'The whole network'")
    assert opened.evaluate("scrollY") == 0  # the panel moves, not the window


def test_the_picture_is_turned_and_painted(opened: Any, server: kit.Studio) -> None:
    go(opened, server, at(tools="1"))
    before = answer(opened)
    opened.get_by_label("Turn", exact=True).focus()
    opened.keyboard.press("ArrowRight")
    answered(opened, before, same=False)
    opened.get_by_role("button", name="Reset").click()
    answered(opened, before, same=True)
    opened.get_by_role("button", name="Paint").click()
    sheet = opened.get_by_role("button", name=re.compile("The picture: paint"))
    kit.until(opened, "document.querySelector('dialog canvas').width === 32")
    sheet.focus()
    opened.keyboard.press("Space")
    kit.until(opened, "location.hash.includes('upload:')")
    opened.get_by_role("button", name="Undo a stroke").click()
    kit.axe(opened)
    opened.get_by_role("button", name="Done").click()
    answered(opened, before, same=True)  # exact pixels


def test_the_edits_come_as_a_file_and_go_back(opened: Any, server: kit.Studio, tmp_path: Path) -> None:
    go(opened, server, at("conv1", [{"edit": "silence", "layer": "conv1", "channels": [1]}]))
    with opened.expect_download() as coming:
        opened.get_by_role("button", name="Save the edits").click()
    coming.value.save_as(tmp_path / "edits.json")
    opened.get_by_role("button", name="Clear").click()
    settled(opened, 0)
    opened.get_by_label("Load edits").set_input_files(tmp_path / "edits.json")
    settled(opened, 1)
    assert edits_of(opened) == [{"edit": "silence", "layer": "conv1", "channels": [1]}]


def test_a_measured_accuracy_outlives_a_reload(opened: Any, server: kit.Studio, tmp_path: Path) -> None:
    for name in ("class 0", "class 1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "grey.png").write_bytes(to_png(np.full((32, 32, 3), 90, np.uint8)))
    go(opened, server, at())
    opened.get_by_label("Labelled photos").fill(str(tmp_path))
    opened.get_by_role("button", name="Measure", exact=True).click()
    opened.get_by_text("2 photos, with no edit made.").wait_for()
    kit.until(opened, "location.hash.includes('accuracy=')")
    opened.reload()
    opened.get_by_text("2 photos, with no edit made.").wait_for()
    opened.get_by_label("Times, all filters", exact=True).focus()
    opened.keyboard.press("ArrowLeft")
    opened.get_by_text("The edits have changed since.").wait_for()


def test_everyone_can_use_it(opened: Any, server: kit.Studio) -> None:
    randomised = {"edit": "randomise_weights", "layer": "conv2", "channels": [], "inputs": [], "seed": 0}
    go(opened, server, at("conv1", [randomised], tools="1"))
    opened.get_by_role("heading", name="Heal").wait_for()
    for summary in opened.locator(".operate summary").all():
        summary.click()
    kit.axe(opened)
    kit.no_sideways_scroll(opened)
