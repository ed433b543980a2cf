"""docs/coverage/*.json (written by scripts/coverage_*.py and golden_*.py) -> docs/formats.md, the table of what opens.

.venv/bin/python scripts/formats_page.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COVERAGE, PAGE = ROOT / "docs" / "coverage", ROOT / "docs" / "formats.md"
ORDER = ("keras", "tflite", "onnx", "live", "weights")
TITLES = {
    "keras": "Keras and Teachable Machine",
    "tflite": "TensorFlow Lite",
    "onnx": "ONNX",
    "live": "Live PyTorch modules",
    "weights": "PyTorch files, safetensors, TorchScript, `.pt2`",
}
TOP = """# Model files

`cutaway open FILE` gives an answer for every file: it is **opened** in full; or **looked at only**, with every layer
listed and the one that stops it named; or it holds **weights without a network**, with the nearest known networks; or
it is something else, and the sentence says what, and which command turns it into a file that opens. Nothing in a file
is ever executed.

These tables are written by a command. *Difference* is the largest between Cutaway's answers and those of the program
that wrote the file, on the same input; whole-number files are approximations, and say so.

"""


def page(folder: Path) -> str:
    """Folder of results -> the page's text."""
    parts = [TOP + "\n".join(summary(folder)) + "\n"]
    for name in present(folder):
        parts.append(f"\n## {TITLES[name]}\n\n" + "\n".join(table(rows(folder, name))) + "\n")
    fuzz = folder / "fuzz.json"
    if fuzz.exists():
        parts.append("\n" + "\n".join(fuzzed(json.loads(fuzz.read_text(encoding="utf-8")))) + "\n")
    return "".join(parts)


def present(folder: Path) -> list[str]:
    return [name for name in ORDER if (folder / f"{name}.json").exists()]


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return found


def summary(folder: Path) -> Iterator[str]:
    """One line per format: how many files, how many open and run, the largest difference."""
    yield "| format | files | open | run | largest difference |"
    yield "|---|---:|---:|---:|---:|"
    for name in present(folder):
        by_format: dict[str, list[dict[str, Any]]] = {}
        for row in rows(folder, name):
            by_format.setdefault(row["format"], []).append(row)
        for form, group in by_format.items():
            opens, runs = (sum(bool(r[key]) for r in group) for key in ("opens", "runs"))
            largest = max((r["difference"] for r in group if r["difference"] is not None), default=None)
            yield f"| {form} | {len(group)} | {opens} | {runs} | {number(largest)} |"


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    yield "| format | network | opens | runs | difference | note |"
    yield "|---|---|---|---|---:|---|"
    for row in found:
        yes = ["yes" if row[key] else "no" for key in ("opens", "runs")]
        note = str(row.get("note") or "").replace("|", "/").replace("\n", " ")
        cells = [row["format"], row["network"], *yes, number(row["difference"]), note]
        yield "| " + " | ".join(cells) + " |"


def fuzzed(result: dict[str, Any]) -> Iterator[str]:
    """What the fuzzer did to the readers -> a section."""
    yield "## Damaged and hostile files"
    yield ""
    yield (
        "`scripts/fuzz_readers.py` changes tiny valid files (bytes, lengths, JSON entries, archives packed again) and "
        "opens them. Every one must end as a model or one sentence, within 10 seconds and 2 GB, with nothing executed."
    )
    yield ""
    columns = [c for c in result["rows"][0] if c != "first number"]
    yield "| " + " | ".join(columns) + " |"
    yield "|---|" + "---:|" * (len(columns) - 1)
    total = {"format": "all", **{c: sum(row[c] for row in result["rows"]) for c in columns[1:]}}
    for row in [*result["rows"], total]:
        cells = [f"{row[c]:,}" if isinstance(row[c], int) else str(row[c]) for c in columns]
        yield "| " + " | ".join(cells) + " |"


def number(value: float | None) -> str:
    return "–" if value is None else "0" if value == 0 else f"{value:.1e}"


if __name__ == "__main__":
    PAGE.write_text(page(COVERAGE), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} written from {', '.join(present(COVERAGE))}")
