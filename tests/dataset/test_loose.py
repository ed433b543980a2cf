from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cutaway.dataset.loose import open_pictures
from cutaway.dataset.named import open_named
from cutaway.errors import BadInput, BadPicture

Plant = Callable[..., Path]


def test_files_folders_archives_and_samples_become_one_unlabelled_data_set(
    tmp_path: Path, plant: Plant, draw: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a/deep/er/10.png", "a/deep/2.png", "a/readme.txt", "b.png")
    (tmp_path / "no-ending").write_bytes(draw(7))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as made:
        made.writestr("x/1.png", draw(8))
    monkeypatch.chdir(tmp_path)
    data = open_pictures(["b.png", "a/", Path("c.zip"), "no-ending", "sample:cat"])
    assert [s.name for s in data.samples] == [
        *("b.png", "a/deep/2.png", "a/deep/er/10.png", "c.zip/x/1.png", "no-ending", "sample:cat"),
    ]
    assert (set(data.labels), data.classes, data.skipped) == (
        {None},
        (),
        (("a/readme.txt", "not a picture file by its ending"),),
    )
    store = pickle.loads(pickle.dumps(data.store))
    pictures = [store.read(s) for s in data.samples]
    assert [p.name for p in pictures] == [s.name for s in data.samples]
    assert pictures[-1].pixels.shape == (300, 451, 3)
    assert len({store.stamp(s) for s in data.samples}) == 6


def test_the_same_picture_given_twice_has_two_names(tmp_path: Path, plant: Plant) -> None:
    file = plant(tmp_path, "1.png") / "1.png"
    assert [s.name for s in open_pictures([file, file]).samples] == [str(file), f"{file} (2)"]


def test_a_damaged_file_is_told_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no picture")
    data = open_pictures([tmp_path / "a.txt"])
    with pytest.raises(BadPicture, match=r"a\.txt: not-an-image"):
        data.read(0)


def test_bad_paths_are_told_in_one_sentence(tmp_path: Path, plant: Plant) -> None:
    plant(tmp_path, "photo.png", "texts/a.txt")
    with pytest.raises(BadInput, match="No picture was given; name a picture file"):
        open_pictures([])
    with pytest.raises(BadInput, match=r"phto\.png is no file or folder\. Did you mean photo\.png\?"):
        open_pictures([tmp_path / "phto.png"])
    with pytest.raises(BadInput, match="texts holds no picture; wanted are files like"):
        open_pictures([tmp_path / "texts"])
    with pytest.raises(BadInput, match=r"sample:cta is no sample picture.* Did you mean .*cat"):
        open_pictures(["sample:cta"])


def test_a_picture_of_a_known_data_set_is_named_by_its_number() -> None:
    data = open_pictures(["digits:17", "faces:3"])
    assert [s.name for s in data.samples] == ["digits:17", "faces:3"]
    digits = open_named("digits")
    assert (data.read(0).pixels == digits.read(17).pixels).all()
    assert data.read(1).pixels.shape == (25, 25, 3)
    with pytest.raises(BadInput, match=r"digits:1797 is not there: digits has 1,797 pictures, numbered from 0\."):
        open_pictures(["digits:1797"])
    with pytest.raises(BadInput, match="dgits:1 is no file or folder"):
        open_pictures(["dgits:1"])
