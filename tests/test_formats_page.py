"""docs/formats.md is what scripts/formats_page.py makes of docs/coverage, and the coverage keeps the project's bars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import formats_page

FLOAT = 1e-4


def every() -> list[dict[str, Any]]:
    return [
        r
        for name in formats_page.present(formats_page.COVERAGE)
        for r in formats_page.rows(formats_page.COVERAGE, name)
    ]


def test_the_page_is_made_of_the_results() -> None:
    assert formats_page.PAGE.read_text(encoding="utf-8") == formats_page.page(formats_page.COVERAGE)


def test_a_row_that_does_not_open_is_told_as_it_is(tmp_path: Path) -> None:
    row = {"format": "ONNX", "network": "odd", "opens": False, "runs": False, "difference": None, "note": "a | b"}
    (tmp_path / "onnx.json").write_text(json.dumps({"rows": [row]}))
    page = formats_page.page(tmp_path)
    assert "| ONNX | 1 | 0 | 0 | – |" in page
    assert "| ONNX | odd | no | no | – | a / b |" in page


def test_what_the_fuzzer_found_is_summed_up(tmp_path: Path) -> None:
    ends = {"opened": 2, "refused": 1, "hangs": 0}
    rows = [{"format": form, "inputs": 1500, **ends, "first number": 0} for form in ("ONNX", "safetensors")]
    (tmp_path / "fuzz.json").write_text(json.dumps({"rows": rows}))
    page = formats_page.page(tmp_path)
    assert "| format | inputs | opened | refused | hangs |" in page
    assert "| all | 3,000 | 4 | 2 | 0 |" in page


@pytest.mark.parametrize("form", ["Keras 2 h5", "Keras 3 h5", "Keras 3 .keras", "live nn.Module", "TFLite float32"])
def test_float_files_give_their_programs_numbers(form: str) -> None:
    rows = [r for r in every() if r["format"] == form]
    assert len(rows) >= 10
    assert all(r["runs"] and r["difference"] <= FLOAT for r in rows)
