"""The benchmarks of surgery on the least there is: rows, equal answers, what they say where data is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import surgery_edits, surgery_rank, surgery_rerun
from benchmarks.bench import Missing, Settings


def test_a_run_after_an_edit_gives_the_full_runs_answer(tmp_path: Path) -> None:
    measured = surgery_rerun.measure(Settings(tmp_path, 1, quick=True))
    assert [(row["network"], row["threads"]) for row in measured.rows] == [("mobilenet_v2", 1), ("mobilenet_v2", 2)]
    for row in measured.rows:
        assert row["difference"] == 0
        assert 0 < row["last layer"] < row["middle"]
        assert {f"{where}, alone" for where in surgery_rerun.BARS} <= row.keys()
    assert "threads 1: " in measured.note


def test_a_missed_bar_says_whether_it_can_be_met_at_all() -> None:
    row = {"middle": 0.55, "middle, alone": 0.51, "75 %": 0.31, "75 %, alone": 0.29, "last layer": 0.01}
    assert surgery_rerun.verdict({**row, "last layer, alone": 0.001}) == (
        "MISSED at middle (the part alone misses it too), 75 % (the part alone meets it)"
    )
    assert surgery_rerun.verdict({**row, "middle": 0.5, "75 %": 0.3}) == "met"


def test_edits_are_answered_with_bytes(tmp_path: Path) -> None:
    (row,) = surgery_edits.measure(Settings(tmp_path, 1, quick=True)).rows
    assert row["edits"] == 8
    assert 0 < row["p50, ms"] <= row["p95, ms"]
    assert row["kB an edit"] > 1


def test_ranking_agrees_with_running_everything(tmp_path: Path) -> None:
    (row,) = surgery_rank.measure(Settings(tmp_path, 1, quick=True)).rows
    assert (row["channels"], row["photos"]) == (128, 12)
    assert row["ratio"] > 1
    assert row["difference of loss"] < 1e-5


def test_the_photos_and_the_file_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"There is no teachable-machine.* or no cats-vs-dogs/test below .*--data names"):
        surgery_rank.measure(Settings(tmp_path))
