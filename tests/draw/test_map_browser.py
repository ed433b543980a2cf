"""The map's page in a real browser: no request, no complaint; pointer, wheel, keys and colours do what they say."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutaway.draw.atlas import atlas
from cutaway.draw.map_page import map_page
from cutaway.draw.points import Points

pytestmark = pytest.mark.browser
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
COUNT = 10_000
# Three photos stand alone where a test finds them; the others fill two classes below.
ALONE = {0: (0.0, 10.0), 1: (10.0, 10.0), 2: (5.0, 10.0)}


def make(count: int) -> str:
    rng = np.random.default_rng(0)
    label = np.arange(count) % 2
    xy = np.column_stack([rng.uniform(0, 10, count), rng.uniform(0, 5, count)])
    for i, place in ALONE.items():
        xy[i] = place
    predicted = label.copy()
    predicted[:5] = 1 - predicted[:5]
    among = label.copy()
    among[3] = 1 - among[3]
    names = tuple(f"{'cats' if k == 0 else 'dogs'}/{i:05d} <b>.jpg" for i, k in enumerate(label))
    tiles = rng.integers(0, 255, (count, 3, 3, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
    classes = ("cats", "dogs")
    made = Points(names, xy, classes, label, classes, predicted, np.full(count, 0.875), predicted != label,
                  np.where(among == label, 0.9, 0.1), among)  # fmt: skip
    return map_page(made, atlas(tiles), title="A map", kicker="", lead="", meaning="", figures=(), folder="../photos")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as p:
        started = p.chromium.launch(executable_path=chromium, args=ARGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "map.html"
    path.write_text(make(COUNT), encoding="utf-8")
    assert path.stat().st_size < 25e6
    return path.as_uri()


def visit(browser: Any, address: str, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    wrong: list[str] = []
    page.on("request", lambda r: wrong.append(r.url) if r.url != address and not r.url.startswith("data:") else None)
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.goto(address)
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    yield from visit(browser, address)


def place(page: Any, i: int) -> tuple[float, float]:
    """A photo that stands alone -> where it is in the canvas while all are shown."""
    box = page.locator("#map").bounding_box()
    scale = 0.92 * min(box["width"], box["height"])  # the map is as wide as it is high
    x, y = ALONE[i]
    return box["width"] / 2 + (x / 10 - 0.5) * scale, box["height"] / 2 + (0.5 - y / 10) * scale


def colour(page: Any, x: float, y: float) -> tuple[int, int, int]:
    """A place in the canvas -> what the screen shows there."""
    box = page.locator("#map").bounding_box()
    clip = {"x": round(box["x"] + x), "y": round(box["y"] + y), "width": 1, "height": 1}
    with Image.open(io.BytesIO(page.screenshot(clip=clip))) as shot:
        return shot.convert("RGB").getpixel((0, 0))  # type: ignore[return-value]


def settle(page: Any) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_pointer_finds_a_photo_and_opens_it(opened: Any) -> None:
    x, y = place(opened, 2)
    opened.locator("#map").hover(position={"x": x, "y": y})
    tip = opened.locator(".tip")
    assert tip.is_visible()
    assert tip.locator("p").inner_text().splitlines() == [
        "cats/00002 <b>.jpg", "class: cats", "prediction: dogs, 87.5 %", "answer: wrong",
        "neighbours: 90 % share its class",
    ]  # fmt: skip
    opened.locator("#map").click(position={"x": x, "y": y})
    dialog = opened.locator("#photo")
    assert dialog.is_visible()
    assert dialog.locator("h2").inner_text() == "cats/00002 <b>.jpg"
    assert dialog.locator("a").get_attribute("href") == "../photos/cats/00002%20%3Cb%3E.jpg"
    opened.wait_for_function(
        "(() => { const c = document.querySelector('#photo canvas');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 < 3 && v > 0); })()"
    )
    dialog.locator(".close").click()
    assert not dialog.is_visible()


def test_a_drag_moves_the_map_and_opens_nothing(opened: Any) -> None:
    x, y = place(opened, 2)
    box = opened.locator("#map").bounding_box()
    opened.mouse.move(box["x"] + 300, box["y"] + 300)
    opened.mouse.down()
    opened.mouse.move(box["x"] + 350, box["y"] + 330, steps=4)
    opened.mouse.up()
    settle(opened)
    assert not opened.locator("#photo").is_visible()
    opened.locator("#map").hover(position={"x": x + 50, "y": y + 30})
    assert "00002" in opened.locator(".tip p").inner_text()


def test_the_wheel_zooms_where_the_pointer_is_and_photos_appear(opened: Any) -> None:
    x, y = place(opened, 2)
    at = opened.locator("#map")
    at.hover(position={"x": x, "y": y})
    for _ in range(4):  # 14 times as close
        opened.mouse.wheel(0, -300)
    settle(opened)
    opened.wait_for_timeout(250)
    opened.mouse.move(0, 0)
    at.hover(position={"x": x, "y": y})
    assert "00002" in opened.locator(".tip p").inner_text()
    before = colour(opened, x + 20, y + 20)  # inside the photo that stands for the mark now
    opened.locator("#photos").uncheck()
    settle(opened)
    assert colour(opened, x + 20, y + 20) != before
    opened.locator("[data-zoom=all]").click()
    settle(opened)
    at.hover(position={"x": x, "y": y})
    assert "00002" in opened.locator(".tip p").inner_text()


def test_who_zoomed_into_the_void_is_told_the_way_back(opened: Any) -> None:
    x, y = place(opened, 2)
    opened.locator("#map").hover(position={"x": x + 60, "y": y})
    assert not opened.locator(".lost").is_visible()
    for _ in range(7):
        opened.mouse.wheel(0, -300)
    settle(opened)
    assert opened.locator(".lost").inner_text() == "No photo lies here; All or the key 0 shows all of them."
    opened.keyboard.press("0")  # after the wheel the keys are the map's
    settle(opened)
    assert not opened.locator(".lost").is_visible()


def test_keys_alone_do_everything(opened: Any) -> None:
    at = opened.locator("#map")
    at.focus()
    opened.keyboard.press("n")
    first = opened.locator(".tip p").inner_text()
    assert opened.locator(".shown").inner_text().startswith(first.splitlines()[0])
    opened.keyboard.press("n")
    assert opened.locator(".tip p").inner_text() != first
    opened.keyboard.press("p")
    assert opened.locator(".tip p").inner_text() == first
    opened.keyboard.press("Enter")
    assert opened.locator("#photo").is_visible()
    opened.keyboard.press("Escape")
    assert not opened.locator("#photo").is_visible()
    assert opened.evaluate("document.activeElement.id") == "map"
    opened.keyboard.press("Escape")
    assert not opened.locator(".tip").is_visible()
    assert opened.locator(".shown").inner_text() == "10,000 photos"
    x, y = place(opened, 2)
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowDown")
    settle(opened)
    at.hover(position={"x": x - 60, "y": y - 60} if y > 60 else {"x": x - 60, "y": 1})
    opened.keyboard.press("0")
    settle(opened)
    opened.mouse.move(0, 0)
    at.hover(position={"x": x, "y": y})
    assert "00002" in opened.locator(".tip p").inner_text()


def test_colours_follow_class_prediction_and_error(opened: Any) -> None:
    opened.mouse.move(0, 0)
    x, y = place(opened, 2)
    settle(opened)
    seen = {}
    for way in ("label", "predicted", "wrong"):
        opened.locator(f"input[value={way}]").check()
        settle(opened)
        seen[way] = colour(opened, x, y)
    assert seen == {"label": (11, 98, 176), "predicted": (194, 78, 6), "wrong": (176, 72, 3)}
    assert opened.locator("#legend button").all_inner_texts() == ["wrong\n5", "right\n9,995"]


def test_a_class_or_a_name_is_shown_alone(opened: Any) -> None:
    x, y = place(opened, 2)
    opened.locator("#legend button", has_text="dogs").click()
    assert opened.locator(".shown").inner_text() == "5,000 of 10,000 photos"
    settle(opened)
    assert min(colour(opened, x, y)) > 200  # faded
    opened.locator("#legend button", has_text="dogs").click()
    opened.locator("#find").fill("00002")
    assert opened.locator(".shown").inner_text() == "1 of 10,000 photos"
    opened.locator("#find").fill("CATS")
    assert opened.locator(".shown").inner_text() == "5,000 of 10,000 photos"
    assert opened.locator("#legend button").count() == 1
    opened.locator("#find").fill("no such thing")
    assert opened.locator(".shown").inner_text() == "0 of 10,000 photos"
    opened.locator("#map").focus()
    opened.keyboard.press("n")  # nothing to go to
    assert not opened.locator(".tip").is_visible()


def test_photos_among_another_class_are_listed(opened: Any) -> None:
    summary = opened.locator("#strangers summary")
    assert summary.inner_text() == "1 photo among another class"
    summary.click()
    button = opened.locator("#strangers li button")
    button.wait_for()
    assert button.get_attribute("aria-label") == "dogs/00003 <b>.jpg: dogs among cats"
    button.click()
    assert opened.locator("#photo h2").inner_text() == "dogs/00003 <b>.jpg"


def test_light_and_dark(browser: Any, address: str) -> None:
    for page in visit(browser, address, scheme="dark"):
        settle(page)
        assert colour(page, 3, 400) == (27, 31, 35)
        page.locator(".theme").click()
        settle(page)
        assert colour(page, 3, 400) == (255, 255, 255)
        page.evaluate("localStorage.clear()")


@pytest.mark.parametrize("width", [380, 768])
def test_nothing_runs_off_the_side(browser: Any, address: str, width: int) -> None:
    for page in visit(browser, address, width):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#map").focus()
        page.keyboard.press("n")
        page.keyboard.press("Enter")
        assert page.evaluate("document.querySelector('dialog').scrollWidth") <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_window_that_grows_is_filled(opened: Any) -> None:
    opened.set_viewport_size({"width": 1600, "height": 900})
    opened.wait_for_function("document.querySelector('#map').width > 1200")
    x, y = place(opened, 1)
    opened.locator("#map").hover(position={"x": x, "y": y})
    assert "00001" in opened.locator(".tip p").inner_text()


def test_few_photos_and_none_labelled(browser: Any, tmp_path: Path) -> None:
    made = Points(
        ("a.jpg", "b.jpg"), np.array([[0.0, 0.0], [0.0, 0.0]]), (), np.array([-1, -1]), ("x",), np.array([0, 0]),
        np.array([1.0, 0.5]), None, np.array([np.nan, np.nan]), np.array([-1, -1]),
    )  # fmt: skip
    path = tmp_path / "two.html"
    tiles = np.full((2, 8, 8, 3), 200, np.uint8)
    path.write_text(
        map_page(made, atlas(tiles), title="t", kicker="", lead="", meaning="", figures=()), encoding="utf-8"
    )
    for page in visit(browser, path.as_uri()):
        page.locator("#map").focus()
        page.keyboard.press("n")
        assert page.locator(".tip p").inner_text() == "a.jpg\nprediction: x, 100.0 %"
        page.keyboard.press("Enter")
        assert page.locator("#photo a").count() == 0
