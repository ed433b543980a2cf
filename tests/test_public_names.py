"""What `import cutaway as ca` offers is exactly the list in `__all__`: sorted, there, and with a sentence each."""

from __future__ import annotations

import inspect

import pytest

import cutaway


def test_the_list_is_sorted_and_without_repeats() -> None:
    assert list(cutaway.__all__) == sorted(set(cutaway.__all__))


def test_dir_shows_the_list_and_nothing_private_beyond_it() -> None:
    assert set(cutaway.__all__) <= set(dir(cutaway))


@pytest.mark.parametrize("name", cutaway.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(cutaway, name)
    if callable(value):
        sentence = inspect.getdoc(value) or ""
        assert len(sentence) > 10, f"cutaway.{name} has no docstring"
        assert not sentence.startswith(f"{name}("), (
            f"cutaway.{name} shows the docstring dataclass made up, not a sentence"
        )


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'cutaway' has no attribute 'trian'"):
        cutaway.trian  # noqa: B018
