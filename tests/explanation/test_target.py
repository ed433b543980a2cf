"""explanation.target: what a person types for a class."""

from __future__ import annotations

import pytest

from cutaway.errors import BadInput
from cutaway.explanation.target import class_name, class_named

PETS = ("Cat", "Dog", "Golden Retriever", "7")


@pytest.mark.parametrize(
    ("typed", "index"), [("Dog", 1), (" dog ", 1), ("GOLDEN retriever", 2), ("0", 0), ("7", 3), ("3", 3)]
)
def test_a_name_wins_over_a_number(typed: str, index: int) -> None:
    assert class_named(typed, PETS, 4) == index


def test_capitals_count_where_two_classes_differ_in_them_only() -> None:
    assert class_named("a", ("A", "a"), 2) == 1
    with pytest.raises(BadInput, match=r"no class 'á'"):
        class_named("á", ("A", "a"), 2)


@pytest.mark.parametrize(
    ("typed", "classes", "sentence"),
    [
        ("dgo", PETS, r"The model has no class 'dgo'\. Nearest: Dog\."),
        ("retriever", PETS, r"Nearest: Golden Retriever"),
        ("xyz", PETS, r"It has Cat, Dog, Golden Retriever, 7\."),
        ("12", (), r"Its classes have no names; give a number from 0 to 3\."),
        ("zzz", tuple(f"class {n}" for n in range(1000)), r"It has class 0, .* and 994 more\."),
    ],
)
def test_a_class_that_is_not_there(typed: str, classes: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        class_named(typed, classes, 4)


def test_names() -> None:
    assert (class_name(1, PETS), class_name(9, PETS)) == ("Dog", "class 9")
