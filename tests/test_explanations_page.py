"""docs/explanations.md's tables are those of its figures, and the figures hold what the page promises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutaway.explanation.verdict import UNCHANGED
from scripts import explain_table as page

RESULTS: dict[str, Any] = json.loads(page.RESULTS.read_text(encoding="utf-8"))
RECOMMENDED = ("gradcam", "integrated-gradients", "occlusion")


def test_the_page_is_made_of_the_figures() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.page(text, RESULTS)


@pytest.mark.parametrize("name", list(page.SETS))
def test_what_knows_nothing_of_the_network_lost(name: str) -> None:
    rows = {row["method"]: row for row in RESULTS["rows"][name]}
    assert {rows[c.name]["verdict"] for c in page.CONTROLS} == {"fails"}


@pytest.mark.parametrize("name", list(page.SETS))
def test_every_method_has_its_row_and_what_we_recommend_changes_with_the_weights(name: str) -> None:
    rows = {row["method"]: row for row in RESULTS["rows"][name]}
    assert set(rows) == {*page.METHODS, *(c.name for c in page.CONTROLS)}
    for method in RECOMMENDED:
        assert rows[method]["randomised"] < 0.6
    assert max(rows[method].get("randomised", 0.0) for method in page.METHODS) < UNCHANGED


def test_a_method_that_cannot_has_a_row_too() -> None:
    rows = [{"method": "m", "title": "M", "refused": "no"}, {"method": "n", "title": "N", "pointing": 0.5}]
    assert list(page.table(rows[:1]))[2] == "| M |" + " – |" * 6 + " cannot |  |"
