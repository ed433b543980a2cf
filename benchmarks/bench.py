"""What every benchmark gives and what is done with it: rows, printed as a table and kept as results/NAME.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = ROOT.parent / "shared" / "data"

Row = dict[str, Any]


class Missing(Exception):
    """What a benchmark needs and does not find, in one sentence; it is left out and the others go on."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure: folder of the real inputs, how often each side runs, and whether only to see that it works."""

    data: Path = DATA
    repeats: int = 3
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows of one table (columns are the rows' keys), the versions they were measured with, a sentence below it."""

    rows: list[Row]
    versions: dict[str, str] = field(default_factory=dict)
    note: str = ""


def document(name: str, outcome: Outcome) -> dict[str, Any]:
    """Name and outcome -> the result file's content, as scripts/readme_results.py reads it."""
    head = {"name": name, "when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    return {
        **head,
        "versions": outcome.versions,
        "rows": outcome.rows,
        **({"note": outcome.note} if outcome.note else {}),
    }


def write(document: dict[str, Any], folder: Path) -> Path:
    """Result -> FOLDER/NAME.json, replaced whole, so that a stopped run leaves the older one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{document['name']}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def table(rows: Sequence[Row]) -> str:
    """Rows -> text in columns, numbers to the right, one column per key in the order they first come."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    numeric = [all(isinstance(row.get(c), int | float | None) for row in rows) for c in columns]
    return "\n".join(
        "  ".join(
            text.rjust(w) if right else text.ljust(w) for text, w, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )


def cell(value: object) -> str:
    """One value -> its text: yes or no, thousands apart, four significant digits, nothing for None."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, int) or (isinstance(value, float) and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def machine() -> str:
    """-> how many processors this process may use, and their name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    name = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), platform.machine())
    return f"{processors()} x {name}"


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float:
    """-> how many processes wanted a processor in the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def versions(*libraries: str) -> dict[str, str]:
    """Names of installed libraries -> theirs, after Cutaway's and Python's."""
    import cutaway

    own = {"cutaway": cutaway.__version__, "python": platform.python_version()}
    return {**own, **{name: version(name) for name in libraries}}


def middle(values: Iterable[float], digits: int = 2) -> float:
    """Measurements -> their median, rounded."""
    return round(median(values), digits)


def say(text: str) -> None:
    """One line about what has just been measured, at once, also into a pipe."""
    print(f"  {text}", flush=True)
