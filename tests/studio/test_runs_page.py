"""The Runs page in a real browser: table, a run with its pictures, comparison, a training watched and stopped."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.studio import kit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs to compare and one that another process seems to train."""
    folder = tmp_path_factory.mktemp("runs-page")
    shutil.copytree(trained / "runs", folder / "runs")
    for name, lr in (("digits-2", 0.5), ("going-on", 0.003)):
        run = folder / "runs" / name
        shutil.copytree(folder / "runs" / "digits-1", run)
        config = json.loads((run / "config.json").read_text())
        config["recipe"] |= {"lr": lr, "epochs": 5}
        (run / "config.json").write_text(json.dumps(config))
    (folder / "runs" / "going-on" / "report.json").unlink()
    (folder / "runs" / "going-on" / "report.html").unlink()
    return folder


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[kit.Studio]:
    kit.built()
    with kit.studio(home) as running:
        yield running


def test_the_table_leads_to_a_run_and_its_confused_photos_to_machine(browser: Any, served: kit.Studio) -> None:
    with kit.visit(browser, served, "#/runs", color_scheme="light") as page:
        page.get_by_role("link", name="digits-1").click()
        page.get_by_role("heading", name="small-cnn on digits").wait_for()
        assert page.locator(".shown").get_by_role("button").count() > 0  # the worst confusion, unasked
        cell = page.locator("[data-cell]").first
        cell.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("cell="))
        key = page.evaluate("document.activeElement.dataset.cell")
        truth, _answer = key.split(",")
        assert page.get_by_role("heading", name=re.compile(f"of “{truth}”, answered")).is_visible()
        photo = page.locator(".shown img").first
        photo.scroll_into_view_if_needed()
        kit.until(page, "document.querySelector('.shown img').naturalWidth > 0")
        page.locator(".shown").get_by_role("button").first.click()
        page.wait_for_url(re.compile("#/machine"))
        assert "digits-1" in page.url
        assert "picture=upload:" in page.url


@pytest.mark.parametrize(
    "hash_", ["#/runs", "#/runs?run=digits-1&cell=0,0", "#/runs?compare=digits-1,digits-2", "#/runs?train=1"]
)
def test_axe_finds_nothing_wrong(browser: Any, served: kit.Studio, hash_: str) -> None:
    with kit.visit(browser, served, hash_, color_scheme="light") as page:
        page.locator("table, form").first.wait_for()
        kit.axe(page)
        kit.shot(page, f"runs-{re.sub(r'[^a-z]+', '-', hash_)}")
        page.set_viewport_size({"width": 768, "height": 1024})
        kit.no_sideways_scroll(page)
        wide, there = page.evaluate(
            "(() => { const t = document.querySelector('table')?.parentElement; "
            "return t ? [t.scrollWidth, t.clientWidth] : [0, 0] })()"
        )
        assert wide <= there, f"the table is {wide} px wide in {there} px"


def test_the_full_report_opens_and_its_script_runs_locked_in(browser: Any, served: kit.Studio) -> None:
    with kit.visit(browser, served, "#/runs?run=runs/digits-1") as page:
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Full report").click()
        report = opened.value
        report.wait_for_load_state()
        report.locator("[data-cell]").first.click()
        assert report.locator("dialog[open]").is_visible()
        assert report.evaluate("window.origin") == "null"  # nobody: no cookie, no request in our name
        report.close()


def test_two_runs_are_ticked_and_stand_side_by_side(browser: Any, served: kit.Studio) -> None:
    with kit.visit(browser, served, "#/runs") as page:
        for name in ("digits-1", "digits-2"):
            page.get_by_role("checkbox", name=f"Compare {name}").check()
        page.get_by_role("button", name="Compare 2 runs").click()
        page.get_by_role("heading", name="2 runs side by side").wait_for()
        row = page.get_by_role("row", name=re.compile("^lr "))
        row.wait_for()
        assert row.get_by_role("cell").all_inner_texts()[1] == "0.5"


def test_curves_follow_a_training_that_goes_on_elsewhere(browser: Any, served: kit.Studio, home: Path) -> None:
    metrics = home / "runs" / "going-on" / "metrics.jsonl"
    row = json.loads(metrics.read_text().splitlines()[0])
    with kit.visit(browser, served, "#/runs?run=going-on") as page:
        page.get_by_text("1 epoch of 5 so far").wait_for()
        with metrics.open("a") as file:
            file.write(json.dumps(row | {"epoch": 2, "val_accuracy": 0.75}) + "\n")
        page.get_by_text("2 epochs of 5 so far").wait_for()
        page.get_by_text("validation 75.0").wait_for()


def test_a_training_is_begun_watched_and_stopped_here(browser: Any, served: kit.Studio) -> None:
    with kit.visit(browser, served, "#/runs") as page:
        page.set_default_timeout(40_000)
        page.get_by_role("button", name="Train a classifier").click()
        page.get_by_label("data").fill("digits")
        page.get_by_label("epochs").fill("300")
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_role("img", name=re.compile(r"Accuracy, [2-9]\d* epochs")).wait_for()
        page.reload()  # the job is in the address
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("It is done: digits-3.").wait_for()
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("button", name="Carry on with it").click()
        page.get_by_role("heading", name="Carry on with digits-3").wait_for()


def test_an_empty_folder_says_what_to_do(browser: Any, tmp_path: Path) -> None:
    kit.built()
    with kit.studio(tmp_path) as empty, kit.visit(browser, empty, "#/runs") as page:
        page.get_by_text("No training has been done").wait_for()
        page.get_by_role("button", name="Train on digits").click()
        assert page.get_by_label("data").input_value() == "digits"
