from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cutaway.dataset.folder import FolderStore
from cutaway.dataset.samples import Dataset, Fold, Sample
from cutaway.dataset.scan import must_be_trainable, open_dataset, with_classes
from cutaway.errors import BadInput, BadPicture

Plant = Callable[..., Path]


def made(*rows: tuple[str | None, Fold | None], classes: tuple[str, ...] = ("cat", "dog")) -> Dataset:
    """(class, fold) of each picture -> Dataset named 'pets' whose pictures are 0.png, 1.png, ..."""
    samples = tuple(
        Sample(f"{i}.png", None if name is None else classes.index(name), fold, "")
        for i, (name, fold) in enumerate(rows)
    )
    return Dataset("pets", classes, samples, FolderStore(""))


def test_a_folder_is_opened_from_any_working_folder(
    tmp_path: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path / "pets", "cat/1.png", "dog/2.JPG", "dog/notes.txt")
    monkeypatch.chdir(tmp_path)
    data = open_dataset("pets")
    assert (data.root, data.classes, data.labels) == ("pets", ("cat", "dog"), (0, 1))
    assert data.skipped == (("dog/notes.txt", "not a picture file by its ending"),)
    monkeypatch.chdir("/")
    assert data.read(1).name == "dog/2.JPG"


def test_cats_and_dogs_as_published(shared_data: Path) -> None:
    data = open_dataset(shared_data / "cats-vs-dogs")
    assert (len(data.fold("train")), len(data.fold("test")), data.classes) == (1000, 400, ("cats", "dogs"))


def test_the_nearest_names_are_suggested(tmp_path: Path, plant: Plant) -> None:
    plant(tmp_path / "photos", "cat/1.png", "dog/2.png")
    with pytest.raises(BadInput, match=r"phots is no file or folder, and no data set by name .* Did you mean photos\?"):
        open_dataset(tmp_path / "phots")
    with pytest.raises(BadInput, match=r"cifar1O is no file or folder.* Did you mean cifar10"):
        open_dataset("cifar1O")
    with pytest.raises(BadInput, match="nowhere/at/all is no file or folder"):
        open_dataset("nowhere/at/all")


def test_files_that_are_no_data_set(tmp_path: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "1.png")
    with pytest.raises(BadInput, match=r"1\.png is one picture; give the folder that holds one folder per class"):
        open_dataset(tmp_path / "1.png")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="pipe is neither a folder nor a regular file"):
        open_dataset(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty holds no picture \(it is empty\)"):
        open_dataset(tmp_path / "empty")

    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "t").write_text("path,label\n")
    monkeypatch.setattr("cutaway.dataset.scan.is_parquet", refuse)
    with pytest.raises(BadInput, match=r"t cannot be read \(Permission denied\)"):
        open_dataset(tmp_path / "t")


def test_labels_index_the_classes_of_the_model(tmp_path: Path, plant: Plant) -> None:
    root = plant(tmp_path / "pets", "cat/1.png", "dog/2.png")
    data = open_dataset(root, classes=["fox", "dog", "cat"])
    assert (data.classes, data.labels) == (("fox", "dog", "cat"), (2, 1))
    with pytest.raises(BadInput, match="pets has pictures of 'cat', but the classes of the model are 'dog', 'fox'"):
        open_dataset(root, classes=["dog", "fox"])
    assert with_classes(made(("cat", None), (None, None)), ["dog", "cat"]).labels == (1, None)


def test_a_class_nobody_has_a_picture_of_may_be_unknown() -> None:
    assert with_classes(made(("cat", None), classes=("cat", "dog")), ["cat"]).labels == (0,)


def test_what_can_be_trained_passes() -> None:
    must_be_trainable(made(*[("cat", None), ("dog", None)] * 2))
    must_be_trainable(made(("cat", "train"), ("dog", "train"), ("cat", "train"), ("dog", "val"), ("cat", "test")))


def bad(*numbers: int) -> list[BadPicture]:
    return [BadPicture(f"{n}.png", "truncated", "the file ends early") for n in numbers]


@pytest.mark.parametrize(
    ("data", "failures", "said"),
    [
        (
            made(("cat", None), (None, None)),
            [],
            "pets has pictures without a label; training wants one folder per class",
        ),
        (made(("cat", None), ("cat", None)), [], r"pets has one class only \(cat\); a classifier needs two or more"),
        (
            dataclasses.replace(made(("3", None), ("5", None), classes=("3", "5")), label_column="y"),
            [],
            r"pets \(labels from column 'y'\) has one picture only of '3', '5'; at least two",
        ),
        (made(("cat", None), ("cat", None), ("dog", None)), [], "pets has one picture only of 'dog'; at least two"),
        (
            made(*[("cat", None), ("dog", None)] * 2),
            bad(1, 3),
            r"No picture of class 'dog' in pets can be read \(2 files; the first: 1\.png: truncated \(the file ends",
        ),
        (made(*[("cat", None), ("dog", None)] * 2), bad(1), "pets has one picture only of 'dog'"),
        (made(*[("cat", "test"), ("dog", "test")] * 2), [], "pets has no train fold; put the pictures to learn from"),
        (
            made(*[("cat", "train"), ("dog", "val")] * 2),
            [],
            "pets has 'dog' in val or test but never in train; add such pictures to train or rename the folder",
        ),
        (
            made(*[("Cat", "train"), ("cat", "test"), ("dog", "train")] * 2, classes=("Cat", "cat", "dog")),
            [],
            r"has 'cat' in val or test but never in train; .* Did you mean Cat\?",
        ),
    ],
)
def test_what_cannot_be_trained_is_told_in_one_sentence(data: Dataset, failures: list[BadPicture], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        must_be_trainable(data, failures)
