"""quarantine.csv: the pictures that training leaves out and why, as a list a person can edit. No picture is touched."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cutaway.errors import BadInput
from cutaway.reports import Finding

COLUMNS = ("name", "action", "kind", "reason", "suggestion")
LEFT_OUT = ("unreadable", "duplicate-across-labels", "leak", "exact-duplicate", "near-constant")
"""Kinds whose pictures are left out unless a person deletes their line."""
REASONS = {
    "unreadable": "cannot be read",
    "duplicate-across-labels": "the same picture has another label elsewhere",
    "leak": "the same picture is in the validation or test fold",
    "exact-duplicate": "identical to another file",
    "near-constant": "almost one colour",
    "label-error": "the label may be wrong",
}


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One line: `action` "exclude" leaves the picture out, "review" only asks a person to look."""

    name: str
    action: Literal["exclude", "review"]
    kind: str
    reason: str
    suggestion: str


def quarantined(findings: Iterable[Finding]) -> tuple[Quarantined, ...]:
    """Findings -> one line per picture; of several reasons the first that leaves it out counts."""
    lines: dict[str, Quarantined] = {}
    for finding in findings:
        if finding.kind not in REASONS:
            continue
        other = _other_of(finding)
        for name in finding.names:
            line = _line(finding.kind, name, other.get(name, ""))
            if name not in lines or (line.action == "exclude" and lines[name].action == "review"):
                lines[name] = line
    return tuple(lines.values())


def write_quarantine(path: str | os.PathLike[str], findings: Iterable[Finding]) -> tuple[Quarantined, ...]:
    """Path, findings -> writes the list as UTF-8 CSV with a header (even if it is empty) and returns its lines.

    Names are kept to the byte: commas, quotes, line breaks and bytes that are no UTF-8 come back from `read_quarantine`
    as they were. The file appears whole or not at all. Raises BadInput where it cannot be written.
    """
    lines = quarantined(findings)
    target = Path(path)
    partial = target.with_name(target.name + ".part")
    try:
        with partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows((q.name, q.action, q.kind, q.reason, q.suggestion) for q in lines)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise BadInput(
            f"The quarantine list cannot be written to {target}: {error.strerror}; name another file."
        ) from error
    return lines


def read_quarantine(path: str | os.PathLike[str]) -> set[str]:
    """Path of a quarantine list, edited or not -> names of the pictures to leave out.

    Lines with action "review" are not among them. A list without an action column leaves all its names out; commas,
    semicolons and tabs separate, as spreadsheets save them. Raises BadInput for a missing file or no column "name".
    """
    target = Path(path)
    try:
        text = target.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise BadInput(f"The quarantine list {target} cannot be read: {error.strerror}; check its path.") from error
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    if "name" not in (rows.fieldnames or ()):
        raise BadInput(f"A quarantine list needs a column 'name'. {target} starts with {header.strip()[:80]!r}.")
    return {
        row["name"] for row in rows if row["name"] and (row.get("action") or "exclude").strip().lower() == "exclude"
    }


def _line(kind: str, name: str, other: str) -> Quarantined:
    if kind == "label-error":
        return Quarantined(name, "review", kind, REASONS[kind], f"looks like {other}")
    suggestion = {
        "unreadable": "replace the file",
        "near-constant": "delete this line to keep it",
        "duplicate-across-labels": f"keep the copy with the right label: this one or {other}",
    }.get(kind, f"kept instead: {other}")
    return Quarantined(name, "exclude" if kind in LEFT_OUT else "review", kind, REASONS[kind], suggestion)


def _other_of(finding: Finding) -> dict[str, str]:
    """Name -> what it is paired with: its copy, or the suggested class of a label error."""
    other: dict[str, str] = {}
    for one, two in finding.pairs:
        other.setdefault(one, two)
        if finding.kind != "label-error":
            other.setdefault(two, one)
    return other
