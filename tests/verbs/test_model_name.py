"""What was typed for a model -> a name that a file may have on every system, and one that a title reads well with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutaway.verbs.model_name import data_title, stem_of, title_of
from cutaway.verbs.picture_file import picture_file


@pytest.mark.parametrize(
    ("typed", "stem", "title"),
    [
        ("zoo:small-cnn", "small-cnn", "small-cnn"),
        ("zoo:resnet18.IMAGENET1K_V1", "resnet18.IMAGENET1K_V1", "resnet18.IMAGENET1K_V1"),
        ("../keras_model.h5", "keras_model", "keras_model"),
        ('a:b?"c".onnx', "a-b-c-", 'a:b?"c"'),
        ("runs/pets", "pets", "pets"),
        ("as:resnet18:w.pt", "w", "w"),
    ],
)
def test_a_name_for_files_and_one_for_titles(typed: str, stem: str, title: str) -> None:
    assert (stem_of(typed), title_of(typed)) == (stem, title)


def test_data_are_called_by_the_end_of_their_path() -> None:
    assert [data_title(t) for t in ("/home/me/pets/test/", "digits", "sample:cat")] == ["pets/test", "digits", "cat"]


def test_a_default_name_has_no_colon(here: Path) -> None:
    assert picture_file("", "explain", "zoo:small-cnn") == Path("explain-small-cnn.png")
    (here / "explain-small-cnn.png").touch()
    assert picture_file("", "explain", "zoo:small-cnn") == Path("explain-small-cnn-2.png")
