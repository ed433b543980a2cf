"""The studio in a real Chromium: opened twice, then a slider of Operate dragged; prints the times between answers."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import numpy as np

# Notes when each answer of the socket has been painted: two frames of the browser after its last message.
NOTED = """
(() => {
  window.painted = []; window.maps = 0;
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...words) {
      super(...words);
      this.addEventListener('message', ({data}) => {
        if (!(data instanceof ArrayBuffer)) return;
        const head = new TextDecoder().decode(new Uint8Array(data, 4, 24));
        if (head.includes('"map"')) window.maps++;
        if (head.includes('"answer"'))
          requestAnimationFrame(() => requestAnimationFrame(() => window.painted.push(performance.now())));
      });
    }
  };
})()
"""
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--model", required=True)
    options.add_argument("--layer", required=True)
    options.add_argument("--picture", default="sample:cat")
    options.add_argument("--seconds", type=float, default=8)
    asked = options.parse_args()
    with served(asked.model, asked.picture) as address:
        found = asyncio.run(measured(address, asked.model, asked.picture, asked.layer, asked.seconds))
    print(json.dumps(found))


@contextmanager
def served(model: str, picture: str) -> Iterator[str]:
    """Model and picture -> the address of a studio that has both open."""
    command = [sys.executable, "-m", "cutaway", "studio", model, "--picture", picture, "--port", "0", "--no-browser"]
    env = {**os.environ, "OMP_WAIT_POLICY": "passive", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=env)
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, "the studio did not start"
            yield found[0]
        finally:
            process.terminate()
            process.communicate()


async def measured(address: str, model: str, picture: str, layer: str, seconds: float) -> dict[str, Any]:
    """-> seconds to the first paint and the first painted answer of the second visit, times between painted answers."""
    from playwright.async_api import async_playwright

    chromium = shutil.which("chromium")
    assert chromium is not None
    hash_ = f"#/machine?model={quote(model, safe='/:')}&picture={picture}&layer={quote(layer)}&panel=operate"
    async with async_playwright() as p:
        browser = await p.chromium.launch(executable_path=chromium, args=list(FLAGS))
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        await context.add_init_script(NOTED)
        await (await visit(context, address + hash_)).close()
        page = await visit(context, address + hash_)
        paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
        found: dict[str, Any] = {
            "version": browser.version,
            "answer_s": await page.evaluate("window.painted[0]") / 1000,
            "paint_s": await page.evaluate(paint) / 1000,
        }
        await page.wait_for_timeout(1000)
        found |= await dragged(page, seconds)
        await browser.close()
    return found


async def visit(context: Any, address: str) -> Any:
    """-> a page whose maps and Operate's sliders are there."""
    page = await context.new_page()
    await page.goto(address)
    await page.wait_for_function("() => window.painted.length > 0", timeout=60_000)
    await slider(page).wait_for(timeout=60_000)
    return page


def slider(page: Any) -> Any:
    return page.get_by_role("tabpanel").get_by_role("slider").first


async def dragged(page: Any, seconds: float) -> dict[str, Any]:
    """Holds the first slider and moves it to and fro, 60 times a second, as a hand does: without waiting for the page.

    Waiting for each move's receipt, as Playwright's own call does, would tie the moves to the page's own pace.
    """
    handle = slider(page)
    await handle.scroll_into_view_if_needed()
    box = await handle.bounding_box()
    middle, high = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(middle, high)
    await page.mouse.down()
    await page.wait_for_timeout(500)
    await page.evaluate("() => { window.painted.length = 0; window.maps = 0; }")
    begun = time.perf_counter()
    moves: list[asyncio.Task[None]] = []
    while (at := time.perf_counter() - begun) < seconds:
        place = middle + 0.4 * box["width"] * math.sin(2 * at)
        moves.append(asyncio.create_task(page.mouse.move(place, high)))
        await asyncio.sleep(max(0, begun + len(moves) / 60 - time.perf_counter()))
    times, maps = await page.evaluate("[window.painted, window.maps]")
    await asyncio.gather(*moves)
    await page.mouse.up()
    between = np.diff(times)
    p50, p95 = (float(q) for q in np.percentile(between, [50, 95])) if len(between) else (math.inf, math.inf)
    rate = 1000 * len(between) / (times[-1] - times[0]) if len(between) else 0.0
    return {"answers": len(times), "p50": p50, "p95": p95, "rate": rate, "maps": maps / max(1, len(times))}


if __name__ == "__main__":
    main()
