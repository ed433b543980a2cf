"""Compare in a real browser: two networks, and an edited one against itself."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

import cutaway as ca
from tests.studio import kit

pytestmark = pytest.mark.browser
MODEL = "zoo:tutorial-cifar"
EDIT = [{"edit": "scale_weights", "layer": "conv1", "factor": 2.0}]


def packed(edits: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(edits).encode()).decode().rstrip("=")


def test_an_edited_network_against_itself_parts_where_it_was_edited(browser: Any, server: kit.Studio) -> None:
    hash_ = f"#/compare?model={quote(MODEL)}&picture=sample:cat&edits={packed(EDIT)}"
    with kit.visit(browser, server, hash_) as page:
        page.get_by_text("On this picture their values part at conv1").wait_for()
        row = page.get_by_role("row").filter(has_text="parts here")
        assert row.get_by_role("link", name="conv1").get_attribute("href") == (
            f"#/machine?model=zoo:tutorial-cifar&picture=sample:cat&edits={packed(EDIT)}&layer=conv1"
        )
        assert "100.00" in row.inner_text()  # doubled: the difference is as large as the weights
        kit.axe(page)
        kit.no_sideways_scroll(page)


def test_two_networks_side_by_side(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"#/compare?model={MODEL}&picture=sample:cat", width=768) as page:
        page.get_by_label("Find a network by name").fill("lenet5")
        page.get_by_role("button", name="lenet5").first.click()
        page.get_by_role("heading", name="Layer by layer").wait_for()
        told = ca.compare(MODEL, "zoo:lenet5", ("sample:cat",)).to_dict()
        text = page.locator("main").inner_text()
        assert f"{told['settings']} differ" in text
        assert told["pictures"][0]["a"]["class"] in text
        kit.no_sideways_scroll(page)
        page.get_by_role("button", name="Swap").click()
        page.wait_for_function(
            "location.hash.includes('model=zoo:lenet5') && location.hash.includes('other=zoo:tutorial')"
        )
        page.get_by_role("heading", name="lenet5").wait_for()


def test_a_second_network_that_is_not_there_is_told(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, f"#/compare?model={MODEL}&other=zoo:lenet55") as page:
        page.get_by_role("alert").filter(has_text="lenet5").wait_for()
        page.get_by_role("button", name="Choose another").click()
        page.get_by_role("heading", name="The second network").wait_for()


def test_without_a_network_it_leads_home(browser: Any, server: kit.Studio) -> None:
    with kit.visit(browser, server, "#/compare") as page:
        page.get_by_role("link", name="Choose a network").click()
        page.wait_for_url(lambda address: "#/home" in address)
