"""studio on the least there is, and what it says where something is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks import studio
from benchmarks.bench import Missing, Settings


@pytest.mark.browser
def test_answers_are_counted_while_a_slider_is_dragged(tmp_path: Path) -> None:
    from cutaway.studio.app import static_folder

    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed")
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not (static_folder() / "index.html").is_file():
        pytest.skip("the studio's page is not built: 'make demo' or 'npm run build' in web/ builds it")
    outcome = studio.measure(Settings(tmp_path, repeats=1, quick=True))
    (row,) = outcome.rows
    assert row["slider of"] == "c1"
    assert row["answers a second"] > 1
    assert row["between, p95, ms"] >= row["between, p50, ms"] > 0
    assert row["layers drawn"] >= 1
    assert 0 < row["first paint, s"] <= row["first answer, s"] + 5
    assert "chromium" in outcome.versions


def test_what_is_missing_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda _: None)
        with pytest.raises(Missing, match="There is no Chromium, or no Playwright, to open the studio in"):
            studio.measure(Settings(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _: "chromium")
    monkeypatch.setattr(studio.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setenv("CUTAWAY_STATIC", str(tmp_path))
    with pytest.raises(Missing, match="page is not built"):
        studio.measure(Settings(tmp_path))
    (tmp_path / "index.html").write_text("x")
    with pytest.raises(Missing, match=r"There is no .*keras_model\.h5"):
        studio.measure(Settings(tmp_path))
