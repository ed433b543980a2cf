"""The benchmark of occlusion on one small picture: both sides run, the maps agree, the bars are named."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks import occlusion
from benchmarks.bench import Settings
from cutaway.engine.bfloat16 import native_bfloat16


def test_both_sides_draw_the_same_map(tmp_path: Path) -> None:
    outcome = occlusion.measure(Settings(tmp_path, 1, quick=True))
    exact, half = outcome.rows
    assert (exact["network"], exact["precision"], exact["bar"], exact["bar of best"]) == (
        "mobilenet_v2", "float32", 9.0, 6.0,
    )  # fmt: skip
    assert exact["difference"] < 1e-4
    assert exact["correlation"] > 0.9999
    assert (half["precision"], half["bar"], half["bar of best"]) == ("bfloat16", 15.0, None)
    native = native_bfloat16(torch.device("cpu"))
    assert float(half["check"]) <= 1 if native else half["check"] == ""
    assert outcome.note.endswith("and says so.") is not native
