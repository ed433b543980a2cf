"""What the studio's tests share: the real server as a process, Chromium, axe, a fake camera, screenshots."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "runs" / "shots"
ARGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Seconds until what a page should show counts as missing; many, since a machine under load is slow and not wrong.
PATIENCE = 60
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# Chromium logs every refusal of the studio (400, told on the page in a sentence) as if it were a fault of the page.
REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of 400")


@dataclass
class Studio:
    """A running `cutaway studio`. `address` brings the token; `log` holds what it said on standard error."""

    address: str
    process: subprocess.Popen[str]
    folder: Path
    log: Path

    @property
    def origin(self) -> str:
        return f"http://{urlsplit(self.address).netloc}"

    def at(self, hash_: str) -> str:
        """ "#/machine?model=..." -> the address to open it by, token included."""
        return self.address + hash_

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            if self.process.stdout:
                self.process.stdout.close()


@contextlib.contextmanager
def studio(folder: Path, *words: str, env: dict[str, str] | None = None) -> Iterator[Studio]:
    """Working folder, words after `cutaway studio` -> the running server; what it says of a fault fails the test."""
    log = folder / "studio.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "cutaway", "studio", *words, "--port", "0", "--no-browser"],
            cwd=folder, stdout=subprocess.PIPE, stderr=said, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", **(env or {})},
        )  # fmt: skip
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if found := re.search(r"http://\S+", line):
            break
    else:
        raise AssertionError(f"the studio did not start: {''.join(lines)}{log.read_text()}")
    running = Studio(found[0], process, folder, log)
    try:
        yield running
    finally:
        running.stop()
    assert "Traceback" not in log.read_text(), log.read_text()


def built() -> None:
    """Skips the test where the page is not built into this tree."""
    from cutaway.studio.app import static_folder

    if not (static_folder() / "index.html").is_file():
        pytest.skip("the studio's page is not built: 'make demo' or 'npm run build' in web/ builds it")


@contextlib.contextmanager
def playwright() -> Iterator[Any]:
    """() -> Playwright; skips where it is missing. One at a time: it keeps an event loop running in this thread."""
    found = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with found.sync_playwright() as p:
        yield p


@contextlib.contextmanager
def chromium(p: Any, *more: str) -> Iterator[Any]:
    """Playwright, further flags -> Debian's Chromium; skips where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed")
    started = p.chromium.launch(executable_path=path, args=[*ARGS, *more])
    try:
        yield started
    finally:
        started.close()


@contextlib.contextmanager
def visit(
    browser: Any,
    server: Studio,
    hash_: str = "",
    *,
    width: int = 1280,
    height: int = 720,
    allowed: str = "",
    **context: Any,
) -> Iterator[Any]:
    """Browser, server, where to begin -> the open page; its complaints and requests to other hosts fail the test.

    `allowed`: pattern of complaints that this test provokes. More words go to Playwright's new_context (color_scheme).
    """
    wrong: list[str] = []
    kept = re.compile(f"{REFUSAL.pattern}|{allowed}" if allowed else REFUSAL.pattern)
    opened = browser.new_context(viewport={"width": width, "height": height}, **context)
    page = opened.new_page()
    page.set_default_timeout(PATIENCE * 1000)

    def complain(text: str) -> None:
        if not kept.search(text):
            wrong.append(text)

    page.on("console", lambda m: complain(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: complain(str(e)))
    page.on("request", lambda r: complain(f"asked {r.url}") if foreign(r.url, server) else None)
    page.on("websocket", lambda w: complain(f"asked {w.url}") if foreign(w.url, server) else None)
    page.goto(server.at(hash_))
    page.wait_for_selector("h1")
    yield page
    opened.close()
    assert not wrong, "\n".join(wrong)


def foreign(url: str, server: Studio) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "about") and parts.netloc != urlsplit(server.address).netloc


def until(page: Any, script: str, seconds: float = PATIENCE) -> None:
    """Waits until JavaScript gives something true. (Playwright's own way takes `eval`, which the page forbids.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(script):
        assert time.monotonic() < end, f"still not so after {seconds:g} s: {script}"
        page.wait_for_timeout(50)


def becomes(page: Any, read: Callable[[], Any], wanted: Any, seconds: float = PATIENCE) -> None:
    """Waits until what is read from the page is what is wanted."""
    end = time.monotonic() + seconds
    while (found := read()) != wanted:
        assert time.monotonic() < end, f"still {found!r} after {seconds:g} s, not {wanted!r}"
        page.wait_for_timeout(50)


def axe(page: Any) -> None:
    """Fails with every rule of WCAG 2.0 to 2.2 A and AA that the page breaks, in dark and in light."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: scripts/web brings the page's test tools")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    broken = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        until(page, "document.getAnimations().every((a) => a.playState !== 'running')")
        found = page.evaluate("(rules) => axe.run(document, {runOnly: rules})", list(RULES))
        assert found["passes"], "axe found nothing to judge"
        for rule in found["violations"]:
            nodes = [f"{n['html'][:160]}  {n['failureSummary']}" for n in rule["nodes"][:4]]
            broken.append(f"{scheme}: {rule['id']}: {rule['help']}\n" + "\n".join(nodes))
    assert not broken, "\n".join(broken)


def no_sideways_scroll(page: Any) -> None:
    """Fails where the page is wider than its window."""
    wide, there = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= there, f"the page is {wide} px wide in a window of {there} px"


def shot(page: Any, name: str) -> Path:
    """Page, file name -> its screenshot under runs/shots, to be looked at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=path)
    return path


def y4m(path: Path, pictures: Sequence[np.ndarray[Any, Any]], rate: int = 10) -> Path:
    """Pictures uint8 (H, W, 3) with even sides -> a film that Chromium takes for what the camera sees."""
    high, wide = pictures[0].shape[:2]
    frames = [f"YUV4MPEG2 W{wide} H{high} F{rate}:1 Ip A1:1 C420jpeg\n".encode()]
    for picture in pictures:
        r, g, b = np.moveaxis(picture.astype(np.float64) / 255, 2, 0)
        y = 0.299 * r + 0.587 * g + 0.114 * b  # BT.601 in the narrow range, which is what Chromium reads
        colour = [c.reshape(high // 2, 2, wide // 2, 2).mean((1, 3)) for c in ((b - y) / 1.772, (r - y) / 1.402)]
        planes = [16 + 219 * y, *(128 + 224 * c for c in colour)]
        frames.append(b"FRAME\n" + b"".join(np.rint(plane).astype(np.uint8).tobytes() for plane in planes))
    path.write_bytes(b"".join(frames))
    return path


def camera_flags(film: Path) -> tuple[str, ...]:
    """A film of `y4m` -> flags of a Chromium whose camera shows it and that asks nobody for leave."""
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
