from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from cutaway.dataset.places import build_once, cache_folder, writing
from cutaway.errors import BadInput


def test_the_cache_folder_is_what_the_person_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("CUTAWAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == tmp_path / "xdg" / "cutaway"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder().parts[-3:] == ("Library", "Caches", "cutaway")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "cutaway" / "cache"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(28, "No space left on device"),
            r"is full \([\d,]+ bytes are free\); make room, or set \$CUTAWAY_CACHE",
        ),
        (OSError("125000 requested and 77696 written"), r"is full \([\d,]+ bytes are free\)"),
        (sqlite3.OperationalError("database or disk is full"), r"is full \([\d,]+ bytes are free\)"),
        (PermissionError(13, "Permission denied"), r"cannot be written \(Permission denied\); set \$CUTAWAY_CACHE"),
        (OSError(30, "Read-only file system"), r"cannot be written \(Read-only file system\)"),
        (sqlite3.OperationalError("database is locked"), r"cannot be written \(database is locked\)"),
        (sqlite3.DatabaseError("file is not a database"), r"is damaged \(file is not a database\); delete the folder"),
    ],
)
def test_disk_errors_become_one_sentence(tmp_path: Path, error: Exception, said: str) -> None:
    with pytest.raises(BadInput, match=said) as told, writing(tmp_path / "deep" / "er"):
        raise error
    assert str(tmp_path / "deep" / "er") in str(told.value)


def test_other_errors_pass() -> None:
    with pytest.raises(OSError, match="Bad file"), writing(Path()):
        raise OSError(9, "Bad file descriptor")


def test_a_folder_is_built_once_and_whole(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "made"
    calls = []

    def build(draft: Path) -> None:
        calls.append(draft)
        (draft / "a").write_text("1")

    build_once(target, build)
    build_once(target, build)
    assert (len(calls), [p.name for p in target.parent.iterdir()]) == (1, ["made"])


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def build(draft: Path) -> None:
        (draft / "a").write_text("1")
        raise OSError(28, "No space left on device")

    with pytest.raises(BadInput, match="is full"):
        build_once(tmp_path / "made", build)
    assert not list(tmp_path.iterdir())


def test_of_two_builders_the_first_one_counts(tmp_path: Path) -> None:
    target = tmp_path / "made"

    def build(draft: Path) -> None:
        target.mkdir()
        (target / "theirs").write_text("1")
        (draft / "ours").write_text("2")

    build_once(target, build)
    assert [p.name for p in target.iterdir()] == ["theirs"]
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
