"""The benchmark of occlusion on one small picture: both sides run, the maps agree, the bars are named."""

from __future__ import annotations

from pathlib import Path

from benchmarks import occlusion
from benchmarks.bench import Settings


def test_both_sides_draw_the_same_map(tmp_path: Path) -> None:
    exact, half = occlusion.measure(Settings(tmp_path, 1, quick=True)).rows
    assert (exact["network"], exact["precision"], exact["bar"], exact["bar of best"]) == (
        "mobilenet_v2", "float32", 9.0, 6.0,
    )  # fmt: skip
    assert exact["difference"] < 1e-4
    assert exact["correlation"] > 0.9999
    assert (half["precision"], half["bar"], half["bar of best"]) == ("bfloat16", 15.0, None)
    assert float(half["check"]) <= 1
