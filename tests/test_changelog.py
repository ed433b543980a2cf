"""The changelog and the version say the same, in Keep a Changelog's form."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import cutaway

CHANGELOG = (Path(__file__).resolve().parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d{2}-\d{2})$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def releases() -> list[tuple[str, str]]:
    return HEADING.findall(CHANGELOG)


def test_the_newest_entry_is_this_version() -> None:
    assert releases()[0][0] == cutaway.__version__


def test_versions_fall_and_only_the_newest_may_be_unreleased() -> None:
    versions = [tuple(map(int, version.split("."))) for version, _ in releases()]
    assert versions == sorted(set(versions), reverse=True)
    days = [date.fromisoformat(day) for _, day in releases() if day != "unreleased"]
    assert days == sorted(days, reverse=True)
    assert "unreleased" not in [day for _, day in releases()[1:]]


def test_every_heading_has_the_agreed_form() -> None:
    assert len(re.findall(r"^## ", CHANGELOG, re.MULTILINE)) == len(releases())
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS
