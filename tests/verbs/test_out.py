"""Where results go is found out before the work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cutaway.errors import BadInput
from cutaway.verbs.out import must_be_page, must_be_writable


def test_a_folder_that_can_be_made_is_not_made_yet(here: Path) -> None:
    must_be_writable(Path("a/b/c"))
    must_be_writable(here)
    must_be_page(Path("page.html"))
    must_be_page(here / "deep" / "page.html")
    assert list(here.iterdir()) == []


def test_a_file_in_the_way(here: Path) -> None:
    (here / "file").touch()
    for folder in ("file", "file/deeper/still"):
        with pytest.raises(
            BadInput, match=rf"Results cannot go to {folder}: .*file is a file, not a folder; choose anot"
        ):
            must_be_writable(Path(folder))
    (here / "gone").symlink_to("nowhere")
    with pytest.raises(BadInput, match=r"Results cannot go to gone: .* is a file, not a folder"):
        must_be_writable(Path("gone"))


def test_a_folder_one_may_not_write_into(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system's answer is given here."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        BadInput, match=f"Results cannot go to a/b: you may not write into {here}; choose another --out"
    ):
        must_be_writable(Path("a/b"))


def test_a_page_is_a_file(here: Path) -> None:
    with pytest.raises(BadInput, match=r"The page cannot be written to .*, which is a folder; give a file such as"):
        must_be_page(here)
