"""Errors: one tree, one sentence each, and they survive the way back from a worker process."""

from __future__ import annotations

import pickle
from typing import get_args

import pytest

from cutaway import errors
from cutaway.errors import (
    BadInput,
    BadModel,
    BadPicture,
    CutawayError,
    MissingExtra,
    Offline,
    PictureCode,
    Stopped,
    must_be,
    one_line,
)


def test_everything_is_a_cutaway_error() -> None:
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    assert set(kinds) == {CutawayError, BadInput, BadModel, BadPicture, MissingExtra, Offline, Stopped}
    assert all(issubclass(kind, CutawayError) for kind in kinds)


def test_the_tree_in_the_docstring_is_whole() -> None:
    for kind in (BadInput, BadModel, BadPicture, MissingExtra, Offline, Stopped):
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("code", get_args(PictureCode))
def test_a_bad_picture_says_name_code_and_why(code: PictureCode) -> None:
    error = BadPicture("cats/1.jpg", code, "3 bytes")
    assert str(error) == f"cats/1.jpg: {code} (3 bytes)"
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is BadPicture
    assert (back.name, back.code, back.detail, str(back)) == ("cats/1.jpg", code, "3 bytes", str(error))


@pytest.mark.parametrize("kind", [BadInput, BadModel, Offline, Stopped])
def test_the_others_come_back_from_a_process_too(kind: type[CutawayError]) -> None:
    back = pickle.loads(pickle.dumps(kind("One sentence.")))
    assert (type(back), str(back)) == (kind, "One sentence.")


def test_a_missing_extra_says_what_to_install() -> None:
    said = "Reading HEIC needs an optional library that is not installed: pip install 'cutaway[heic]'."
    assert str(MissingExtra("Reading HEIC", "heic")) == said


def test_must_be_says_name_need_and_what_was_given() -> None:
    error = must_be("lr", "above 0", "fast")
    assert type(error) is BadInput
    assert str(error) == "lr must be above 0. Got 'fast'."


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("two\nlines\r\n\tand more\u2028", "two lines   and more "),
        ("\x1b[31mred\x07\x00", "?[31mred??"),
        ("\u202etxt.exe\u2066", "?txt.exe?"),
        ("\ud800half", "?half"),
        ("caf\udce9", "caf?"),
        ("개 می‌خواهم é", "개 می‌خواهم é"),
        ("x" * 3_000, "x" * 1_940 + " ... " + "x" * 50),
    ],
)
def test_text_out_of_a_file_becomes_a_line_that_any_terminal_shows(text: str, line: str) -> None:
    assert one_line(text) == line == str(BadModel(text))


def test_a_name_that_is_not_utf_8_may_be_kept() -> None:
    assert one_line("caf\udce9\n", raw_bytes=True) == "caf\udce9 "
