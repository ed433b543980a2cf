"""map_page on the least there is, and what it says without a browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks import map_page
from benchmarks.bench import Missing, Settings


@pytest.mark.browser
def test_frames_are_counted_while_the_page_moves(tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed")
    pytest.importorskip("playwright", reason="playwright is not installed")
    (row,) = map_page.measure(Settings(tmp_path, repeats=1, quick=True)).rows
    assert row["photos"] == 300
    assert row["pan, frame p95, ms"] >= row["pan, frame p50, ms"] > 0
    assert row["pan, draw p50, ms"] > 0


def test_without_a_browser_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Missing, match="There is no Chromium, or no Playwright"):
        map_page.measure(Settings(tmp_path))
