"""Two processes open one new cache at the same moment, as those of one run do."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from cutaway.dataset import shelf
from cutaway.dataset.shelf import Shelf
from cutaway.errors import BadInput
from cutaway.image import InputContract


def locked(folder: Path) -> sqlite3.Connection:
    """A new index that another process is writing to, not yet in WAL mode: SQLite itself would not wait for it."""
    (folder / "pixels").mkdir()
    other = sqlite3.connect(folder / "pixels" / "index.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE something (x)")
    return other


def test_a_new_index_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    other = locked(tmp_path)
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    began = time.monotonic()
    Shelf(tmp_path, InputContract((4, 4)), "pillow").close()
    assert time.monotonic() - began >= 0.2
    other.close()


def test_one_that_stays_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "PATIENCE", 0.1)
    other = locked(tmp_path)
    with pytest.raises(BadInput, match=r"The cache folder .*pixels cannot be written \(database is locked\)"):
        Shelf(tmp_path, InputContract((4, 4)), "pillow")
    other.close()
