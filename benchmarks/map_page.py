"""The page of `cutaway map` with 10,000 photos in a real Chromium: how evenly frames come as it moves.

Frames are counted by the browser at 60 a second, without a GPU, at 1280 x 800 px; `draw` is the page's own part of a
frame. A peer there is none: notebooks draw scatter plots without the photos. The bar: 95 of 100 frames within 20 ms.
"""

from __future__ import annotations

import importlib.util
import shutil

from benchmarks.bench import Missing, Outcome, Row, Settings, middle, say, versions
from benchmarks.processes import program, ran

BAR_MS = 20.0
PHOTOS = (1_000, 10_000)


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each number of photos. Raises Missing without Chromium or Playwright."""
    if shutil.which("chromium") is None or importlib.util.find_spec("playwright") is None:
        raise Missing("There is no Chromium, or no Playwright, to open the page in.")
    rows = [row(count, settings) for count in ((300,) if settings.quick else PHOTOS)]
    return Outcome(
        rows, versions("playwright"), f"Medians of {settings.repeats} runs; screens with one pixel per point."
    )


def row(count: int, settings: Settings) -> Row:
    """Number of photos -> its row."""
    asked = {"photos": count, "milliseconds": 400 if settings.quick else 5000}
    found = [ran(program("map_page", **asked)).result for _ in range(settings.repeats)]
    pan = middle((f["pan_p95"] for f in found), 1)
    say(f"{count:,} photos: 95 % of frames within {pan} ms while panning")
    return {
        "photos": count,
        "file, MB": middle((f["bytes"] / 1e6 for f in found), 1),
        "opened, s": middle((f["opened_s"] for f in found), 2),
        "pan, frame p50, ms": middle((f["pan_p50"] for f in found), 1),
        "pan, frame p95, ms": pan,
        "pan, draw p50, ms": middle((f["pan_draw_p50"] for f in found), 1),
        "zoom, frame p95, ms": middle((f["zoom_p95"] for f in found), 1),
        "bar, ms": BAR_MS,
        "met": pan <= BAR_MS,
    }
