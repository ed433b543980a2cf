"""A server that is killed and started again under an open page; two pages at once."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.studio import kit

pytestmark = pytest.mark.browser
TOKEN = "the-same-token-again"
SERVE = """
import sys
from pathlib import Path
from cutaway.studio.desk import Start
from cutaway.studio.serve import serve
serve(Start(), Path.cwd(), int(sys.argv[1]), lambda address: print(address, flush=True), token=sys.argv[2])
"""
GONE = "The studio does not answer"
OF_ANSWER = "[...document.querySelectorAll('section[aria-labelledby=answer] li')].map((row) => row.innerText)"


def started(folder: Path, port: int, token: str = TOKEN) -> kit.Studio:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(port), token], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, "the studio did not start"
    return kit.Studio(address, process, folder, folder / "log")


def killed(server: kit.Studio) -> None:
    """As a power cut ends it: without a word to the page."""
    server.process.kill()
    server.process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_killed_server_is_noticed_and_the_page_goes_on_where_it_was(browser: Any, tmp_path: Path) -> None:
    kit.built()
    port = free_port()
    server = started(tmp_path, port)
    hash_ = "#/home?model=zoo:tutorial-cifar&picture=sample:cat"
    try:
        with kit.visit(browser, server, hash_, allowed="net::ERR_|WebSocket connection|403") as page:
            rows = page.locator("section[aria-labelledby=answer] li")
            gone = page.get_by_role("status").filter(has_text=GONE)
            rows.first.wait_for()
            before = rows.all_inner_texts()
            killed(server)
            gone.wait_for()
            assert rows.all_inner_texts() == before  # what is seen is kept
            # What is asked for meanwhile, numbers and pictures, comes when the studio is back.
            page.get_by_role("button", name="coffee").click()
            page.wait_for_url(lambda address: "sample:coffee" in address)
            server = started(tmp_path, port)
            gone.wait_for(state="detached")
            assert page.url.endswith("#/home?model=zoo:tutorial-cifar&picture=sample:coffee")
            kit.until(
                page,
                f"({OF_ANSWER}).length === {len(before)} && ({OF_ANSWER}).join() !== {json.dumps(','.join(before))}",
            )
            kit.until(page, "document.querySelector('figure img').naturalWidth > 0")
            # Another start has another token: the page says where it is to be had, and goes on once it is opened.
            killed(server)
            server = started(tmp_path, port, "another-token")
            locked = page.get_by_role("status").filter(has_text="open the address that `cutaway studio` printed")
            locked.wait_for()
            other = page.context.new_page()
            other.goto(server.address)
            other.close()
            locked.wait_for(state="detached")
    finally:
        server.stop()


def test_two_pages_ask_at_once_and_each_gets_its_own_answer(browser: Any, server: kit.Studio) -> None:
    one, two = "#/home?model=zoo:tutorial-cifar&picture=sample:cat", "#/home?model=zoo:lenet5&picture=sample:coffee"
    with kit.visit(browser, server, one) as first, kit.visit(browser, server, two) as second:
        for page, name in ((first, "tutorial-cifar"), (second, "lenet5")):
            page.locator("section[aria-labelledby=answer] li").first.wait_for()
            page.locator("section[aria-labelledby=network]").get_by_text(name, exact=True).first.wait_for()
        texts = [p.locator("section[aria-labelledby=answer] ol").inner_text() for p in (first, second)]
        assert texts[0] != texts[1]
