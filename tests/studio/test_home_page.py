"""Home in a real browser: what a first-time visitor does, files by drop and by chooser, the webcam, what comes back."""

from __future__ import annotations

import base64
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cutaway as ca
from cutaway.dataset.sample_pictures import sample_path, sample_picture
from cutaway.verbs.find import find_model
from tests.studio import kit

pytestmark = pytest.mark.browser
NETWORK = "zoo:tutorial-cifar"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Studio]:
    """The studio as it starts without a word."""
    kit.built()
    with kit.studio(tmp_path_factory.mktemp("bare")) as running:
        yield running


def until(page: Any, words: str) -> None:
    """Waits till the address holds these words."""
    page.wait_for_url(lambda address: words in address)


def answer(page: Any) -> dict[str, float]:
    """-> class: probability, as the page shows it now."""
    rows = page.locator("section[aria-labelledby=answer] li")
    texts = [rows.nth(i).inner_text().split("\n") for i in range(rows.count())]
    return {name: float(value.strip("<> %\u202f")) / 100 for name, value in texts}


def test_what_the_studio_was_started_with_is_chosen_and_answered_at_once(page: Any) -> None:
    page.get_by_role("link", name="Open the machine").wait_for()
    until(page, "#/home?model=zoo:tutorial-cifar&picture=sample:cat")
    page.locator("section[aria-labelledby=answer] li").first.wait_for()
    told = dict(ca.predict(NETWORK, ("sample:cat",), top=10)[0].top)  # of ten classes all are shown
    assert answer(page) == {name: pytest.approx(p, abs=0.0006) for name, p in told.items()}
    kit.no_sideways_scroll(page)
    kit.axe(page)


def test_a_first_time_visitor_finds_a_way_in(browser: Any, bare: kit.Studio) -> None:
    with kit.visit(browser, bare) as page:
        page.get_by_text("Nothing leaves this computer").wait_for()
        assert page.get_by_role("button", name="Open the machine").is_disabled()
        kit.axe(page)
        page.get_by_role("button", name="Try it").click()
        until(page, "#/machine?")
        assert "model=zoo:tutorial-cifar" in page.url
        assert "picture=sample:cat" in page.url


def test_a_network_is_found_by_name_and_a_sample_taken_by_keys_alone(browser: Any, bare: kit.Studio) -> None:
    with kit.visit(browser, bare) as page:
        page.get_by_label("Find a network by name").fill("lenet")
        page.get_by_role("button", name="lenet5", exact=False).first.focus()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Picture").wait_for()
        page.get_by_text("lenet5", exact=True).first.wait_for()
        page.get_by_role("toolbar", name="Samples").get_by_role("button").first.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        picture = page.evaluate("document.activeElement.title")
        page.keyboard.press("Space")
        page.locator("section[aria-labelledby=answer] li").first.wait_for()
        page.get_by_role("link", name="Open the machine").wait_for()
        page.keyboard.press("Tab")  # the samples are one stop
        assert page.evaluate("document.activeElement.textContent").strip().startswith("Open the machine")
        page.keyboard.press("Enter")
        until(page, f"#/machine?model=zoo:lenet5&picture=sample:{picture}")
        page.go_back()
        page.reload()
        page.locator("section[aria-labelledby=answer] li").first.wait_for()
        assert page.get_by_role("button", name=picture, exact=True).get_attribute("aria-pressed") == "true"


def test_a_model_file_and_a_photo_are_dropped_together(browser: Any, bare: kit.Studio, tmp_path: Path) -> None:
    model = ca.save_model(find_model(NETWORK), tmp_path / "mine.safetensors")
    photo = shutil.copy(sample_path("cat"), tmp_path / "my cat.png")
    with kit.visit(browser, bare) as page:
        drop(page, [Path(model), Path(photo)])
        page.locator("section[aria-labelledby=answer] li").first.wait_for()
        page.get_by_text("mine", exact=True).first.wait_for()
        assert "picture=upload:" in page.url
        assert "my%20cat.png" in page.url
        # They are found again, also by another page of this browser.
        page.goto(bare.origin + "/#/home")
        page.get_by_role("tab", name="Opened before").click()
        page.get_by_role("button", name="mine").click()
        page.get_by_role("button", name="my cat.png").click()
        page.locator("section[aria-labelledby=answer] li").first.wait_for()


def drop(page: Any, files: list[Path]) -> None:
    """Drops files on the page as a hand does."""
    page.evaluate(
        """async (files) => {
            const carried = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
                carried.items.add(new File([bytes], name));
            }
            for (const kind of ['dragover', 'drop'])
                document.body.dispatchEvent(
                    new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
        }""",
        [[file.name, base64.b64encode(file.read_bytes()).decode()] for file in files],
    )


def test_files_that_are_no_model_are_told_in_one_sentence(browser: Any, bare: kit.Studio, tmp_path: Path) -> None:
    with kit.visit(browser, bare) as page:
        chooser = page.get_by_label("Choose a model file", exact=False).last
        wrong = tmp_path / "thesis.h5"
        wrong.write_text("no model")
        chooser.set_input_files(wrong)
        page.get_by_role("alert").filter(has_text="thesis.h5").wait_for()
        with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
            archive.writestr("readme.md", "nothing")
        chooser.set_input_files(tmp_path / "empty.zip")
        page.get_by_role("alert").filter(has_text="empty.zip").wait_for()
        assert page.get_by_role("link", name="Open the machine").count() == 0
        # What is no model or picture does not take the place of the one that was there.
        page.get_by_label("Find a network by name").fill("lenet")
        page.get_by_role("button", name="lenet5", exact=False).first.click()
        page.locator("section[aria-labelledby=network] .name", has_text="lenet5").first.wait_for()
        chooser.set_input_files(wrong)
        page.get_by_role("alert").filter(has_text="thesis.h5").wait_for()
        assert "model=zoo:lenet5" in page.url
        page.get_by_role("button", name="coffee").click()
        wrong = tmp_path / "thesis.jpg"
        wrong.write_text("no picture")
        page.get_by_label("Choose a picture", exact=False).last.set_input_files(wrong)
        page.get_by_role("alert").filter(has_text="thesis.jpg is not a picture").wait_for()
        assert "picture=sample:coffee" in page.url


def test_a_tensorflow_js_model_comes_as_several_files(browser: Any, bare: kit.Studio, shared_data: Path) -> None:
    folder = shared_data / "teachable-machine" / "waste12-tfjs"
    with kit.visit(browser, bare, "#/home?picture=sample:cat") as page:
        chooser = page.get_by_label("Choose a model file", exact=False).last
        chooser.set_input_files(folder / "model.json")
        page.get_by_role("alert").filter(has_text="weights").wait_for()
        chooser.set_input_files([folder / name for name in ("model.json", "weights.bin", "metadata.json")])
        page.get_by_text("and 12 classes").wait_for()


def test_the_webcam_is_answered_live_and_its_picture_is_kept(camera: Any, server: kit.Studio, tmp_path: Path) -> None:
    from PIL import Image

    cat = np.asarray(Image.fromarray(sample_picture("cat").pixels).resize((448, 300)))
    Image.fromarray(cat).save(tmp_path / "cat.png")
    told = dict(ca.predict(NETWORK, (str(tmp_path / "cat.png"),), top=10)[0].top)
    with kit.visit(camera([cat]), server) as page:
        page.get_by_role("button", name="Use the webcam").click()
        page.get_by_text("pictures a second").wait_for()
        until(page, "picture=frame:")
        shown = answer(page)
        assert len(shown) == 10
        assert all(p == pytest.approx(told[name], abs=0.02) for name, p in shown.items())  # a 4:2:0 film, then JPEG
        page.get_by_role("button", name="Take this picture").click()
        until(page, "picture=upload:")
        page.reload()
        page.get_by_role("img", name="The picture that goes into the network").wait_for()
        page.locator("section[aria-labelledby=answer] li").first.wait_for()


def test_leaving_while_the_webcam_runs_keeps_the_last_picture(camera: Any, server: kit.Studio) -> None:
    with kit.visit(camera([np.full((120, 160, 3), 90, np.uint8)]), server) as page:
        page.get_by_role("button", name="Use the webcam").click()
        until(page, "picture=frame:")
        page.get_by_role("link", name="Compare", exact=True).click()
        until(page, "picture=upload:")
        assert "#/compare" in page.url


def test_a_page_without_a_camera_says_so(page: Any) -> None:
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    page.get_by_role("button", name="Use the webcam").click()
    page.get_by_role("alert").filter(has_text="camera").wait_for()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Use the webcam").wait_for()
