"""Where a verb's picture goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutaway.errors import BadInput
from cutaway.verbs.picture_file import picture_file


def test_default_names_count_up(here: Path) -> None:
    assert picture_file("", "watch", "a/b/net.h5") == Path("watch-net.png")
    (here / "watch-net.png").touch()
    (here / "watch-net-2.png").touch()
    assert picture_file("", "watch", "net.keras") == Path("watch-net-3.png")
    (here / "runs" / "first").mkdir(parents=True)
    assert picture_file("", "watch", "runs/first") == Path("watch-first.png")
    assert picture_file("", "animate", "net.h5", (".gif",)) == Path("animate-net.gif")


def test_what_was_asked_is_taken(here: Path) -> None:
    assert picture_file("new/a.SVG", "watch", "net.h5") == Path("new/a.SVG")
    assert (here / "new").is_dir()
    with pytest.raises(BadInput, match=r"out must be a file that ends in \.png or \.svg\. Got 'a\.jpg'"):
        picture_file("a.jpg", "watch", "net.h5")
    (here / "file").touch()
    with pytest.raises(BadInput, match="Results cannot go to file: file is a file, not a folder"):
        picture_file("file/a.png", "watch", "net.h5")


def test_a_file_that_takes_no_bytes_is_told_before_the_work(here: Path) -> None:
    with pytest.raises(BadInput, match=r"Results cannot go to a+\.png \(File name too long\); choose another --out\."):
        picture_file("a" * 300 + ".png", "watch", "net.h5")
    (here / "old.png").write_bytes(b"as it was")
    assert picture_file("old.png", "watch", "net.h5") == Path("old.png")
    assert (here / "old.png").read_bytes() == b"as it was"
    assert picture_file("new.png", "watch", "net.h5") == Path("new.png")
    assert not (here / "new.png").exists()
