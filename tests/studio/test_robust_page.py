"""A server that is killed and started again under an open page; two pages at once."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
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
            rows.first.wait_for()
            before = rows.all_inner_texts()
            killed(server)
            page.get_by_role("status").filter(has_text=GONE).wait_for()
            assert rows.all_inner_texts() == before  # what is seen is kept
            server = started(tmp_path, port)
            page.get_by_role("status").filter(has_text=GONE).wait_for(state="detached")
            assert hash_.removeprefix("#") in page.url
            page.get_by_role("button", name="coffee").click()
            page.wait_for_url(lambda address: "sample:coffee" in address)
            deadline = time.time() + 15
            while rows.all_inner_texts() == before and time.time() < deadline:
                page.wait_for_timeout(50)
            assert rows.count() == len(before)
            assert rows.all_inner_texts() != before
            # Another start has another token: the page says where the new one is to be had.
            killed(server)
            server = started(tmp_path, port, "another-token")
            page.get_by_role("status").filter(has_text="open the address that `cutaway studio` printed").wait_for()
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
