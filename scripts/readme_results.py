"""benchmarks/results/*.json -> README's short table, the whole ones of docs/measured.md. No number is typed by hand.

A result file holds {"name", "when" (ISO 8601), "machine", "versions": {library: version}, "rows": [{column: value}]}
and, if it likes, "note" (a sentence under the table). Columns are the rows' keys in order; floats keep four significant
digits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.headlines import headlines  # noqa: E402  (the project's folder is not on the path of a script)

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
NOTHING = "*Nothing measured yet: `make bench` writes this.*"


def short(page: str, results: Path) -> str:
    """README's text, folder of result files -> the text with its table of headlines written anew."""
    docs = documents(results)
    days = sorted({doc["when"][:10] for doc in docs.values()})
    machines = sorted({doc["machine"] for doc in docs.values()})
    measured = f"<sub>{', '.join(machines)}, {' to '.join(dict.fromkeys((days[0], days[-1])))}.</sub>" if docs else ""
    return between(page, "\n\n".join([table(headlines(docs)), measured]) if docs else NOTHING)


def whole(page: str, results: Path) -> str:
    """docs/measured.md's text, folder of result files -> the text with every table written anew."""
    return between(page, "\n\n".join(section(doc) for doc in documents(results).values()) or NOTHING)


def documents(results: Path) -> dict[str, dict[str, Any]]:
    """Folder -> its result files by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}


def between(page: str, body: str) -> str:
    """Page -> the page with another text between its result marks."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise SystemExit(f"The page has no place for the results: it needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{body}\n\n{END}{after}"


def section(doc: dict[str, Any]) -> str:
    """One result file -> its name, table, and where and with what it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in doc["versions"].items())
    measured = ". ".join(part for part in (doc["when"][:10], doc["machine"], versions) if part)
    note = [doc["note"]] if doc.get("note") else []
    return "\n\n".join([f"## {doc['name']}", table(doc["rows"]), *note, f"<sub>{measured}.</sub>"])


def table(rows: list[dict[str, Any]]) -> str:
    """Rows -> a Markdown table; columns of numbers are set to the right."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = {c: all(isinstance(row[c], int | float) for row in rows if row.get(c) is not None) for c in columns}
    lines = [[c.replace("_", " ") for c in columns], ["---:" if numeric[c] else "---" for c in columns]]
    lines += [[cell(row.get(c)) for c in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: object) -> str:
    """One value -> its text: thousands apart in whole numbers, four significant digits in others, empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def main() -> None:
    for name, written in (("README.md", short), ("docs/measured.md", whole)):
        path = ROOT / name
        path.write_text(written(path.read_text(encoding="utf-8"), ROOT / "benchmarks" / "results"), encoding="utf-8")


if __name__ == "__main__":
    main()
