from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from cutaway.dataset.folder import FolderStore, file_stamp, list_folder
from cutaway.dataset.samples import Sample
from cutaway.errors import BadPicture

Plant = Callable[..., Path]


def test_links_pipes_and_hidden_folders_are_skipped_with_a_reason(tmp_path: Path, plant: Plant) -> None:
    root = plant(tmp_path / "r", "cat/1.png", "dog/2.png", ".git/3.png")
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    (root / "cat" / "same.png").symlink_to(root / "dog" / "2.png")
    os.mkfifo(root / "pipe.png")
    got = list_folder(root)
    assert sorted(path for path, _ in got.files) == ["cat/1.png", "cat/same.png", "dog/2.png"]
    assert sorted(got.folders) == ["cat", "dog"]
    assert dict(got.skipped) == {
        ".git": "hidden folder",
        "loop": "link to a folder",
        "gone.png": "link that leads nowhere",
        "pipe.png": "not a regular file",
    }


def test_a_folder_that_cannot_be_entered_is_named_and_the_walk_goes_on(
    tmp_path: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = plant(tmp_path / "r", "a/1.png", "locked/2.png")
    real = os.scandir

    def scandir(path: str) -> object:
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    got = list_folder(root)
    assert [path for path, _ in got.files] == ["a/1.png"]
    assert got.skipped == (("locked/", "folder cannot be read (Permission denied)"),)


def test_a_name_that_is_not_utf8_is_read_and_survives_pickle(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.png"
    Path(os.fsdecode(raw)).write_bytes(draw(1))
    ((path, at),) = list_folder(tmp_path).files
    store, sample = pickle.loads(pickle.dumps((FolderStore(str(tmp_path)), Sample("?.png", 0, None, at))))
    assert path == "\udcff.png"
    assert store.read(sample).pixels.shape == (6, 8, 3)
    assert store.stamp(sample)


def test_the_stamp_follows_the_content_and_a_missing_file_has_none(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(draw(1))
    before = file_stamp(str(file))
    os.utime(file, ns=(1, 2))
    assert file_stamp(str(file)) != before
    store, sample = FolderStore(str(tmp_path)), Sample("a.png", 0, None, "a.png")
    file.unlink()
    assert store.stamp(sample) == ""
    with pytest.raises(BadPicture, match=r"a\.png: missing"):
        store.read(sample)
