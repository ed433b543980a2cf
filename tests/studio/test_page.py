"""The page's frame, in a real browser against the real server: navigation, colours, keys, the address."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.studio import kit

pytestmark = pytest.mark.browser


def test_the_first_page_opens_without_its_token_in_the_address(page: Any, server: kit.Studio) -> None:
    assert page.title() == "Home · Cutaway"
    assert page.url.split("#")[0] == f"{server.origin}/"


def test_axe_finds_nothing_wrong(page: Any) -> None:
    kit.axe(page)


@pytest.mark.parametrize("width", [1280, 768])
def test_nothing_lies_beside_the_window(browser: Any, server: kit.Studio, width: int) -> None:
    with kit.visit(browser, server, width=width, height=720) as page:
        kit.no_sideways_scroll(page)


def test_the_first_key_leads_past_the_navigation(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_chosen_colours_stay_after_a_reload_and_are_there_before_the_first_paint(page: Any) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    page.get_by_label("Colours").select_option("Dark")
    dark = background()
    assert dark != light
    page.reload(wait_until="domcontentloaded")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.wait_for_selector("h1")
    assert background() == dark
    page.get_by_label("Colours").select_option("As the system")
    assert background() == light


def test_an_unknown_page_says_so_and_leads_home(page: Any, server: kit.Studio) -> None:
    page.goto(server.origin + "/#/cellar?model=x")
    page.get_by_role("heading", name="No such page").wait_for()
    page.get_by_role("link", name="Home").last.click()
    kit.until(page, "document.title === 'Home · Cutaway'")
    assert page.url.endswith("#/home?model=x")


def test_a_complaint_of_the_page_fails_its_test(browser: Any, server: kit.Studio) -> None:
    with pytest.raises(AssertionError, match="out of order"):
        complain(browser, server, "console.error('out of order')")


def test_another_host_is_out_of_reach_and_the_try_fails_its_test(browser: Any, server: kit.Studio) -> None:
    with pytest.raises(AssertionError, match="Content Security Policy"):
        complain(browser, server, "fetch('http://127.0.0.1:9/').catch(() => null)")


def complain(browser: Any, server: kit.Studio, script: str) -> None:
    with kit.visit(browser, server) as page:
        page.evaluate(script)


def test_the_fake_camera_shows_what_it_is_given(camera: Any, server: kit.Studio) -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:, :160] = (220, 60, 20)
    with kit.visit(camera([picture]), server) as page:
        left, right = page.evaluate("""async () => {
            const stream = await navigator.mediaDevices.getUserMedia({video: true});
            const film = Object.assign(document.createElement('video'), {srcObject: stream, muted: true});
            await film.play();
            const canvas = new OffscreenCanvas(film.videoWidth, film.videoHeight).getContext('2d');
            canvas.drawImage(film, 0, 0);
            const row = canvas.getImageData(0, film.videoHeight / 2, film.videoWidth, 1).data;
            const at = (share) => [...row.slice(4 * Math.round(film.videoWidth * share)).slice(0, 3)];
            return [at(0.25), at(0.75)];
        }""")
    assert np.abs(np.subtract(left, (220, 60, 20))).max() < 6
    assert max(right) < 6


def test_a_term_explains_itself_by_keys_and_closes_by_escape(page: Any) -> None:
    term = page.locator("main button[popovertarget]").first
    term.focus()
    page.keyboard.press("Enter")
    card = page.locator("[popover]:popover-open")
    card.wait_for()
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert 0 <= box["y"] <= 720 - box["height"]
    kit.axe(page)
    page.keyboard.press("Escape")
    card.wait_for(state="detached")
    assert page.evaluate("document.activeElement.hasAttribute('popovertarget')")
