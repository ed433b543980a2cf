"""The result tables of README are what the command writes from the result files, to the letter."""

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


def test_readme_holds_what_the_result_files_say() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_results.renewed(readme, ROOT / "benchmarks" / "results") == readme, (
        "README's results are not those of benchmarks/results: run 'python scripts/readme_results.py'"
    )


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
    assert readme_results.renewed(PAGE, tmp_path) == (
        "# A\n<!-- results:begin -->\n\n**decoding**\n\n"
        "| what | pictures per second | n |\n| --- | ---: | ---: |\n| ours | 1,234 |  |\n| a\\|b | 0.1235 | 2,000 |\n\n"
        "One thread.\n\n<sub>2026-11-20. 2 cores. pillow 13.0.0.</sub>\n\n<!-- results:end -->\nend\n"
    )


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    once = readme_results.renewed(PAGE, tmp_path)
    assert "Nothing measured yet" in once
    assert readme_results.renewed(once, tmp_path) == once


def test_a_readme_without_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"README\.md has no place for the results"):
        readme_results.renewed("# A\n", tmp_path)
