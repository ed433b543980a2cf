"""Fixtures of the studio's tests: its routes in this process, the real server beside it, a page in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cutaway.studio.app import create, locked
from cutaway.studio.desk import Start
from tests.studio import kit

MODEL = "zoo:tutorial-cifar"
PICTURE = "sample:cat"
PORT = 8765


@pytest.fixture(scope="session")
def studio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the studio works: an empty folder, so that nothing of this machine shows."""
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def client(studio_folder: Path) -> Iterator[TestClient]:
    """Asks the real application in this process, behind its locks, with the right key."""
    app = locked(create(Start(MODEL, PICTURE), studio_folder), "key")
    cookies = {f"cutaway-{PORT}": "key"}
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}", cookies=cookies) as asking:
        yield asking


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Studio]:
    """The real server, as a person starts it, on a small network (random weights) and a real photo."""
    kit.built()
    with kit.studio(tmp_path_factory.mktemp("server"), MODEL, "--picture", PICTURE) as running:
        yield running


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one real run in it, runs/digits-1: the handwritten digits, one epoch."""
    import cutaway as ca

    folder = tmp_path_factory.mktemp("trained")
    ca.train("digits", epochs=1, threads=1, out=str(folder / "runs" / "digits-1"))
    return folder


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    with kit.playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    with kit.chromium(playwright) as started:
        yield started


@pytest.fixture
def page(browser: Any, server: kit.Studio) -> Iterator[Any]:
    """The studio's first page at 1280x720, in light colours; complaints and requests to other hosts fail the test."""
    with kit.visit(browser, server, color_scheme="light") as opened:
        yield opened


@pytest.fixture
def camera(playwright: Any, tmp_path: Path) -> Iterator[Any]:
    """-> a function: pictures uint8 (H, W, 3) that a camera would see -> a Chromium with that camera."""
    with ExitStack() as stack:

        def seeing(pictures: list[Any]) -> Any:
            film = kit.y4m(tmp_path / "camera.y4m", pictures)
            return stack.enter_context(kit.chromium(playwright, *kit.camera_flags(film)))

        yield seeing
