"""A map page in a real Chromium: made with so many photos, then panned and zoomed; prints the times between frames."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.draw.atlas import atlas, tile_side
from cutaway.draw.map_page import map_page
from cutaway.draw.points import Points

FRAMES = """
() => new Promise((done) => {
  const times = []; let last = performance.now(); const until = last + %d;
  const map = document.querySelector("#map"), box = map.getBoundingClientRect();
  const at = (type, x, y) => map.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, clientX: box.left + x, clientY: box.top + y, bubbles: true, isPrimary: true}));
  map.setPointerCapture = () => {};
  if (%s) at("pointerdown", 600, 300);
  const step = (now) => {
    times.push(now - last); last = now;
    const t = now / 1000;
    if (%s) at("pointermove", 600 + 200 * Math.sin(3 * t), 300 + 120 * Math.cos(2 * t));
    else map.dispatchEvent(new WheelEvent("wheel", {
      deltaY: 40 * Math.sin(2 * t), clientX: box.left + 500, clientY: box.top + 300, cancelable: true}));
    if (now < until) requestAnimationFrame(step);
    else { if (%s) at("pointerup", 9000, 300); done(times.slice(3)); }
  };
  requestAnimationFrame(step);
})
"""


TIMED = """
  window.drawn = [];
  const plain = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (work) => plain((now) => {
    const begun = performance.now(); work(now); if (work.name === "draw") window.drawn.push(performance.now() - begun);
  });
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--photos", type=int, required=True)
    options.add_argument("--milliseconds", type=int, default=4000)
    options.add_argument("--dense", type=float, default=1.0)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.html"
        path.write_text(page(asked.photos), encoding="utf-8")
        print(json.dumps(measured(path, asked.milliseconds, asked.dense)))


def page(count: int, classes: int = 20) -> str:
    """Number of photos -> the page of a made map: clusters that overlap, small pictures of coloured noise."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, classes, count)
    xy = rng.normal(0, 10, (classes, 2))[label] + rng.normal(0, 2, (count, 2))
    predicted = np.where(rng.random(count) < 0.1, rng.integers(0, classes, count), label)
    names = tuple(f"class {k:02d}/photo {i:05d}.jpg" for i, k in enumerate(label))
    titles = tuple(f"class {k:02d}" for k in range(classes))
    side = tile_side(count)
    coarse = rng.integers(0, 255, (count, 4, 4, 3), dtype=np.uint8)
    tiles = coarse.repeat(side // 4, 1).repeat(side // 4, 2)
    points = Points(
        names, xy, titles, label, titles, predicted, rng.random(count), predicted != label, rng.random(count), label
    )
    return map_page(points, atlas(tiles), title="A map", kicker="", lead="", meaning="", figures=())


def measured(path: Path, milliseconds: int, dense: float) -> dict[str, Any]:
    """Page -> file's size, seconds until the map is drawn, times between frames while panning and while zooming."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    assert chromium is not None
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=dense)
        view.add_init_script(TIMED)
        view.goto(path.as_uri())
        opened = view.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
        view.wait_for_timeout(1500)
        meter = view.context.new_cdp_session(view)
        meter.send("Performance.enable")
        found: dict[str, Any] = {"bytes": path.stat().st_size, "opened_s": opened / 1000}
        for what, panning in (("pan", "true"), ("zoom", "false")):
            before = busy(meter)
            view.evaluate("window.drawn.length = 0")
            times = view.evaluate(FRAMES % (milliseconds, panning, panning, panning))
            found[f"{what}_p50"], found[f"{what}_p95"] = (float(q) for q in np.percentile(times, [50, 95]))
            found[f"{what}_work"] = 1000 * (busy(meter) - before) / len(times)
            found[f"{what}_frames"] = len(times)
            drawn = view.evaluate("window.drawn")
            found[f"{what}_draw_min"], found[f"{what}_draw_p50"], found[f"{what}_draw_p95"] = (
                float(q) for q in np.percentile(drawn, [0, 50, 95])
            )
        browser.close()
    return found


def busy(meter: Any) -> float:
    """-> seconds that the page's own thread has worked so far."""
    metrics = {m["name"]: m["value"] for m in meter.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


if __name__ == "__main__":
    main()
