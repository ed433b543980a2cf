"""The result tables of README and docs are what the command writes from the result files, to the letter."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("readme_results", ROOT / "scripts" / "readme_results.py")
assert SPEC is not None
assert SPEC.loader is not None
readme_results = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(readme_results)

PAGE = "# A\n<!-- results:begin -->\nold\n<!-- results:end -->\nend\n"


@pytest.mark.parametrize(("name", "written"), [("README.md", "short"), ("docs/measured.md", "whole")])
def test_pages_hold_what_the_result_files_say(name: str, written: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert getattr(readme_results, written)(page, ROOT / "benchmarks" / "results") == page, (
        f"The results in {name} are not those of benchmarks/results: run 'python scripts/readme_results.py'"
    )


def test_a_headline_takes_its_numbers_from_the_result_file(tmp_path: Path) -> None:
    row = {"network": "TM", "edits": 200, "p50, ms": 31.1, "p95, ms": 48.9, "bar, ms": 80.0}
    doc = {
        "name": "surgery_edits",
        "when": "2026-11-20T09:00:00+00:00",
        "machine": "2 cores",
        "versions": {},
        "rows": [row],
    }
    (tmp_path / "surgery_edits.json").write_text(json.dumps(doc), encoding="utf-8")
    page = readme_results.short(PAGE, tmp_path)
    assert "(95 of 100 edits) | 49 ms |  |  | 80 ms |" in page
    assert "<sub>2 cores, 2026-11-20.</sub>" in page


def test_every_benchmark_is_in_the_headlines_or_said_not_to_be() -> None:
    from benchmarks.__main__ import NAMES
    from benchmarks.headlines import LINES

    only_whole = {"decode", "stream", "map_page", "cache", "warm_start", "gpu_airbench"}  # see docs/measured.md
    assert set(LINES) | only_whole == set(NAMES)


def test_result_files_become_tables(tmp_path: Path) -> None:
    doc = {
        "name": "decoding",
        "when": "2026-11-20T09:00:00+00:00",
        "machine": "2 cores",
        "versions": {"pillow": "13.0.0"},
        "rows": [
            {"what": "ours", "pictures_per_second": 1234.5},
            {"what": "a|b", "pictures_per_second": 0.123456, "n": 2000},
        ],
        "note": "One thread.",
    }
    (tmp_path / "decoding.json").write_text(json.dumps(doc), encoding="utf-8")
    assert readme_results.whole(PAGE, tmp_path) == (
        "# A\n<!-- results:begin -->\n\n## decoding\n\n"
        "| what | pictures per second | n |\n| --- | ---: | ---: |\n| ours | 1,234 |  |\n| a\\|b | 0.1235 | 2,000 |\n\n"
        "One thread.\n\n<sub>2026-11-20. 2 cores. pillow 13.0.0.</sub>\n\n<!-- results:end -->\nend\n"
    )


@pytest.mark.parametrize("written", ["short", "whole"])
def test_writing_twice_changes_nothing(written: str, tmp_path: Path) -> None:
    once = getattr(readme_results, written)(PAGE, tmp_path)
    assert "Nothing measured yet" in once
    assert getattr(readme_results, written)(once, tmp_path) == once


def test_a_page_without_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="The page has no place for the results: it needs the lines"):
        readme_results.whole("# A\n", tmp_path)
