"""The studio in a real Chromium: how soon a network is on the screen, and how evenly it follows a slider.

A Teachable Machine file (MobileNetV2 0.35 at 224 px), Machine at 1280 x 800 px with all its visible layers drawn, a
slider of Operate dragged by the mouse: the first layer's (everything after it is run again) and one in the middle. An
answer counts when it has been painted. Bars: 20 painted answers a second, and a warm first answer within 1.5 s.
"""

from __future__ import annotations

import importlib.util
import shutil

from benchmarks.bench import Missing, Outcome, Row, Settings, middle, say, versions
from benchmarks.processes import program, ran

BAR_FPS = 20.0
BAR_S = 1.5
TM = "teachable-machine/animals-h5/keras_model.h5"
LAYERS = {TM: ("Conv1", "block_6_expand"), "zoo:lenet5": ("c1",)}


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each layer. Raises Missing without Chromium, Playwright, the built page or the file."""
    if shutil.which("chromium") is None or importlib.util.find_spec("playwright") is None:
        raise Missing("There is no Chromium, or no Playwright, to open the studio in.")
    from cutaway.studio.app import static_folder

    if not (static_folder() / "index.html").is_file():
        raise Missing("The studio's page is not built: `make demo` builds it.")
    model = "zoo:lenet5" if settings.quick else TM
    file = model if settings.quick else str((settings.data / TM).resolve())
    if not settings.quick and not (settings.data / TM).is_file():
        raise Missing(f"There is no {settings.data / TM}.")
    found = [row(file, layer, settings) for layer in LAYERS[model]]
    chromium = {"chromium": str(found[0][1])}
    rows = [one for one, _ in found]
    met = "met" if all(r["met"] for r in rows) else "MISSED"
    note = f"Medians of {settings.repeats} runs. Bars {BAR_FPS:g} painted answers a second, {BAR_S:g} s: {met}."
    return Outcome(rows, versions("torch", "fastapi", "uvicorn", "playwright") | chromium, note)


def row(model: str, layer: str, settings: Settings) -> tuple[Row, str]:
    """Model, layer whose slider is dragged -> its row, and Chromium's version."""
    command = program("studio", model=model, layer=layer, seconds=1.5 if settings.quick else 8)
    found = [ran(command).result for _ in range(settings.repeats)]
    rate, first = middle((f["rate"] for f in found), 1), middle((f["answer_s"] for f in found), 2)
    say(f"{layer}: {rate} painted answers a second, first answer after {first} s")
    made: Row = {
        "slider of": layer,
        "layers drawn": middle((f["maps"] for f in found), 1),
        "answers a second": rate,
        "bar": BAR_FPS,
        "between, p50, ms": middle((f["p50"] for f in found), 1),
        "between, p95, ms": middle((f["p95"] for f in found), 1),
        "first paint, s": middle((f["paint_s"] for f in found), 2),
        "first answer, s": first,
        "bar, s": BAR_S,
        "met": rate >= BAR_FPS and first <= BAR_S,
    }
    return made, str(found[0]["version"])
