"""The report in a real browser: no request, no console error, cells open by pointer and by keys, fits a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cutaway.draw.page import report_page
from cutaway.draw.sweep import Trial, sweep_page

pytestmark = pytest.mark.browser
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


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
def address(digits_run: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_page(digits_run.report, digits_run.thumbnails, digits_run.pictures), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    yield from visit(browser, address, width=1280)


def visit(browser: Any, address: str, width: int, scheme: str = "light") -> Iterator[Any]:
    """A page whose requests and complaints are collected and must be none when the test ends."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    wrong: list[str] = []
    page.on("request", lambda r: wrong.append(r.url) if r.url != address and not r.url.startswith("data:") else None)
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.goto(address)
    yield page
    page.close()
    assert wrong == []


def test_pictures_are_shown(opened: Any) -> None:
    opened.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert opened.locator("#mistakes img").count() > 10


def test_a_click_opens_the_pictures_of_the_cell(opened: Any, digits_run: Any) -> None:
    key, names = next((k, n) for k, n in digits_run.report.test.cells.items() if k[0] != k[2])
    opened.locator(f'[data-cell="{key}"]').click()
    dialog = opened.locator("dialog")
    assert dialog.is_visible()
    assert dialog.locator(".file").all_inner_texts() == list(names)
    assert dialog.locator("img").count() == len(names)
    dialog.locator(".close").click()
    assert not dialog.is_visible()


def test_the_matrix_is_used_by_keys_alone(opened: Any) -> None:
    focused = "document.activeElement.dataset.cell"
    opened.locator('[data-cell="0,0"]').focus()
    assert opened.locator('[data-cell][tabindex="0"]').count() == 1
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate(focused) == "0,4"  # the next cell of that row that holds pictures
    opened.keyboard.press("ArrowDown")
    assert opened.evaluate(focused) == "1,4"
    opened.keyboard.press("Enter")
    heading = opened.locator("dialog h2")
    assert heading.inner_text() == "1 of “1”, answered “4”"
    opened.keyboard.press("ArrowRight")
    assert heading.inner_text() == "4 of “1”, answered “8”"
    opened.keyboard.press("ArrowLeft")
    assert heading.inner_text() == "1 of “1”, answered “4”"
    opened.keyboard.press("Escape")
    assert not opened.locator("dialog").is_visible()
    assert opened.evaluate(focused) == "1,4"
    opened.keyboard.press(" ")
    assert opened.locator("dialog").is_visible()


def test_light_and_dark(browser: Any, address: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    for page in visit(browser, address, 1280, scheme="dark"):
        assert page.evaluate(ground) == "rgb(20, 23, 26)"
        toggle = page.locator(".theme")
        assert toggle.inner_text() == "Light"
        toggle.click()
        assert page.evaluate(ground) == "rgb(252, 252, 250)"
        assert toggle.inner_text() == "Dark"
        page.reload()
        assert page.evaluate(ground) == "rgb(252, 252, 250)"
        page.emulate_media(media="print", color_scheme="dark")
        toggle.evaluate("b => { document.documentElement.dataset.theme = 'dark' }")
        assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--bg')") == "#fcfcfa"
        page.evaluate("localStorage.clear()")


@pytest.mark.parametrize("width", [380, 768, 1280])
def test_nothing_runs_off_the_side(browser: Any, address: str, width: int) -> None:
    for page in visit(browser, address, width):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = page.evaluate(
            "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
        )
        assert cut == 0 or width < 768, "tables that are cut off"
        page.locator("[data-cell]").first.click()
        assert page.evaluate("document.querySelector('dialog').scrollWidth") <= width


def test_a_command_can_be_copied(opened: Any, digits_run: Any) -> None:
    button = opened.locator("#verdict .copy").first
    opened.evaluate("navigator.clipboard.writeText = async (words) => { window.copied = words }")
    button.click()
    opened.wait_for_function("window.copied")
    assert opened.evaluate("window.copied") == digits_run.report.diagnoses[0].next
    assert button.inner_text() == "Copied"


def test_tables_sort_by_number_and_say_so(browser: Any, tmp_path: Path) -> None:
    trials = [
        Trial({"depth": d}, a, 0.0, 1.0, s, 10) for d, a, s in (("10", 0.5, 2.0), ("9", 0.7, 11.0), ("2", 0.6, 3.0))
    ]
    path = tmp_path / "sweep.html"
    path.write_text(sweep_page(trials, title="s", photos=9), encoding="utf-8")
    for page in visit(browser, path.as_uri(), 380):
        first = "[...document.querySelectorAll('#trials tbody td:first-child')].map(c => c.textContent).join()"
        head = page.locator("#trials th").first
        head.locator("button").click()
        assert page.evaluate(first) == "2,9,10"
        assert head.get_attribute("aria-sort") == "ascending"
        head.locator("button").click()
        assert page.evaluate(first) == "10,9,2"
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
