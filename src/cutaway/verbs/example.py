"""A run -> the address of a picture of its test fold that it answered right: what to look at first in the studio."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

_ROW = re.compile(r"(\w+)\[(\d+)\]")


def example_picture(run: Path) -> str:
    """Run folder -> a picture as predict takes it: a photo's path, or digits:17. "" where there is no report yet, where
    nothing was answered right, and where the picture lies in an archive or a table."""
    config, report = _json(run / "config.json"), _json(run / "report.json")
    data = (config.get("options") or {}).get("data")
    measured = report.get("test") or report.get("val") or {}
    cells = measured.get("cells") or {}
    right = [name for t in range(len(report.get("classes") or ())) for name in reversed(cells.get(f"{t},{t}") or ())]
    if not isinstance(data, str) or not right:
        return ""
    path = Path(data, right[0])
    if path.is_file():
        return os.fspath(path)
    row = _ROW.fullmatch(right[0])
    # In a data set of one part the number in the name is the picture's own.
    return f"{row[1]}:{row[2]}" if row and row[1] == data.lower() else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
