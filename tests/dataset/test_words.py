from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cutaway.dataset.words import (
    class_name,
    count,
    did_you_mean,
    fold_of,
    is_picture_name,
    natural_key,
    none_of,
    shown,
    some,
    spelled_as,
    unique,
)


def test_numbers_in_names_sort_by_value() -> None:
    assert sorted(["10", "2", "1", "a10b2", "a9", "a10b1"], key=natural_key) == ["1", "2", "10", "a9", "a10b1", "a10b2"]
    assert sorted(["b", "A", "a", "B"], key=natural_key) == ["A", "a", "B", "b"]
    assert sorted(["007", "7", "07"], key=natural_key) == ["007", "07", "7"]  # ties break by the text itself


@given(st.lists(st.text(max_size=8), max_size=6))
def test_any_names_can_be_sorted_and_the_order_is_total(names: list[str]) -> None:
    once = sorted(names, key=natural_key)
    turned = names[::-1]
    assert once == sorted(turned, key=natural_key)
    assert len({natural_key(n) for n in names}) == len(set(names))


@given(st.lists(st.sampled_from(["a", "a (2)", "a (3)", "b"]), max_size=8))
def test_unique_names_are_unique_and_firsts_stay(names: list[str]) -> None:
    made = unique(names)
    assert len(set(made)) == len(names)
    if names:
        assert made[0] == names[0]


def test_endings_in_any_case() -> None:
    assert all(map(is_picture_name, ["a.JPG", "b.jpeg", "c.HEIC", "d.avif", "e.jfif", "f.tiff"]))
    assert not any(map(is_picture_name, ["a.txt", "jpg", "a.jpg.part", "b.svg"]))


def test_fold_words() -> None:
    assert [fold_of(w) for w in ("Train", "valid", "validation", " VAL ", "test", "holdout", "test1")] == [
        *("train", "val", "val", "val", "test"),
        None,
        None,
    ]


def test_names_that_are_not_utf8_can_be_shown_and_accents_are_one_class() -> None:
    assert shown("a\udcff.png") == "a�.png"
    assert class_name("cafe\u0301") == class_name("caf\u00e9") == "café"


def test_sentences() -> None:
    assert did_you_mean("cifar", ["cifar10", "digits"]) == " Did you mean cifar10?"
    assert did_you_mean("zzz", ["cifar10"]) == ""
    assert some("abcdefg", 3) == "a, b, c and 4 more"
    assert (count(1, "class"), count(2, "class"), count(1200, "picture")) == ("1 class", "2 classes", "1,200 pictures")
    assert none_of(1, "picture") == "Not even the one picture"
    assert (none_of(2, "class"), none_of(1200, "photo")) == ("None of the 2 classes", "None of the 1,200 photos")


def test_classes_are_spelled_as_the_photos_have_them_where_it_is_plain_which_is_which() -> None:
    assert spelled_as(("Cat", "Dog", "Hamster"), ("cats", "dogs")) == ("cats", "dogs", "Hamster")
    assert spelled_as(("fresh apple", "Dog"), ("Fresh-Apples", "Dog")) == ("Fresh-Apples", "Dog")
    assert spelled_as(("Class 1", "Class 2"), ("cats", "dogs")) is None
    assert spelled_as(("Cat", "CATS"), ("cats",)) is None  # which of the two?
    assert spelled_as(("Cat", "Dog"), ("cat", "cats")) is None  # two folders for one class
