from __future__ import annotations

import pytest

from cutaway.dataset.layout import Arranged, Listing, arrange
from cutaway.errors import BadInput


def arranged(*paths: str, folders: tuple[str, ...] = ()) -> Arranged:
    return arrange("photos", Listing(tuple((p, p) for p in paths), folders))


def test_one_folder_per_class_in_natural_order() -> None:
    got = arranged("10/a.jpg", "2/b.jpg", "1/c.jpg", "1/deep/er/d.jpg")
    assert got.classes == ("1", "2", "10")
    assert [(s.name, s.label, s.fold) for s in got.samples] == [
        ("1/c.jpg", 0, None),
        ("1/deep/er/d.jpg", 0, None),
        ("2/b.jpg", 1, None),
        ("10/a.jpg", 2, None),
    ]


def test_fold_folders_share_their_classes() -> None:
    got = arranged("train/cat/1.jpg", "train/dog/2.jpg", "valid/dog/3.jpg", "Test/cat/4.jpg", "validation/cat/5.jpg")
    assert got.classes == ("cat", "dog")
    assert {(s.name, s.label, s.fold) for s in got.samples} == {
        ("train/cat/1.jpg", 0, "train"),
        ("train/dog/2.jpg", 1, "train"),
        ("valid/dog/3.jpg", 1, "val"),
        ("Test/cat/4.jpg", 0, "test"),
        ("validation/cat/5.jpg", 0, "val"),
    }


def test_a_wrapping_folder_is_looked_through() -> None:
    assert arranged("x/photos/cat/1.jpg", "x/photos/dog/2.jpg").classes == ("cat", "dog")
    got = arranged("x/train/cat/1.jpg", "x/test/dog/2.jpg")
    assert [(s.fold, got.classes[s.label or 0]) for s in got.samples] == [("test", "dog"), ("train", "cat")]
    assert arranged("cat/1.jpg", "cat/deep/2.jpg").classes == ("cat",)  # pictures lie in it: it is a class


def test_a_class_may_be_called_train() -> None:
    assert arranged("train/1.jpg", "bus/2.jpg").classes == ("bus", "train")


def test_accents_spelled_in_two_ways_are_one_class() -> None:
    got = arranged("train/caf\u00e9/1.jpg", "test/cafe\u0301/2.jpg")
    assert got.classes == ("café",)


def test_what_is_passed_over_is_listed_with_its_reason() -> None:
    got = arranged(
        "cat/1.jpg",
        "dog/2.PNG",
        "logo.png",
        "cat/notes.txt",
        ".ipynb_checkpoints/1.jpg",
        "__MACOSX/cat/1.jpg",
        "cat/@eaDir/1.jpg",
        "cat/.hidden.jpg",
        "dog/Thumbs.db",
        folders=("cat", "dog", "bird", "bird/young", "dog/empty"),
    )
    assert len(got.samples) == 2
    assert dict(got.skipped) == {
        "logo.png": "not inside a class folder",
        "cat/notes.txt": "not a picture file by its ending",
        ".ipynb_checkpoints/1.jpg": "hidden file",
        "__MACOSX/cat/1.jpg": "hidden file",
        "cat/@eaDir/1.jpg": "hidden file",
        "cat/.hidden.jpg": "hidden file",
        "dog/Thumbs.db": "hidden file",
        "bird": "folder without pictures",
        "dog/empty": "folder without pictures",
    }


def test_names_that_look_alike_when_shown_stay_apart() -> None:
    got = arranged("a/\udcff.jpg", "a/\udcfe.jpg", "b/1.jpg")
    names = [s.name for s in got.samples]
    assert len(set(names)) == 3
    assert [s.at for s in got.samples][:2] == ["a/\udcfe.jpg", "a/\udcff.jpg"]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ((), "photos holds no picture \\(it is empty\\); wanted is one folder per class"),
        (("a.txt",), "photos holds no picture \\(it has 1 other file\\)"),
        (("1.jpg", "2.jpg"), "photos holds 2 pictures but no class folders; wanted is one folder per class"),
        (("1.jpg", "labels.csv"), "no class folders, and labels.csv which can be given itself"),
        (("train/1.jpg", "test/2.jpg"), "photos holds 2 pictures but no class folders"),
        (
            ("train/a/1.jpg", "train/b/1.jpg", "holdout/a/2.jpg"),
            "photos has fold folders, and beside them holdout, which is not a fold name; call it train, val or test",
        ),
    ],
)
def test_bad_layouts_are_told_in_one_sentence(paths: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        arranged(*paths)
