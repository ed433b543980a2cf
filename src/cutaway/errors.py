"""What can go wrong, as one tree. Every message is one sentence: what was asked, what was found, what to do.

CutawayError            anything a person can put right; the command line prints it and exits with 2
├── BadInput            an option, a folder, a table or a split that cannot be used
├── BadPicture          one file that is not a usable picture; `code` is one of PICTURE_CODES
├── BadModel            a file that is not a model Cutaway can open, or a model that does not fit the data
├── MissingExtra        a feature whose optional library is not installed; names the extra
├── Offline             weights or data that must be downloaded, and the network did not answer
└── Stopped             the person stopped the work; what was done is kept
"""

from __future__ import annotations

import unicodedata
from typing import Literal

PictureCode = Literal[
    "missing",
    "permission",
    "unreadable",
    "not-a-file",
    "empty",
    "too-many-bytes",
    "too-many-pixels",
    "not-an-image",
    "truncated",
    "corrupt",
    "memory",
    "crashed",
    "timeout",
]


class CutawayError(Exception):
    """Something a person can put right, told in one sentence."""


class BadInput(CutawayError):
    """An option, a folder, a table or a split that cannot be used."""


class BadPicture(CutawayError):
    """One file that is not a usable picture.

    `code` is the short word that lists and tables show, `name` the file as a person knows it.
    """

    def __init__(self, name: str, code: PictureCode, detail: str) -> None:
        super().__init__(f"{name}: {code} ({detail})")
        self.name = name
        self.code: PictureCode = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[BadPicture], tuple[str, PictureCode, str]]:
        return BadPicture, (self.name, self.code, self.detail)  # worker processes hand it back by pickle


class BadModel(CutawayError):
    """A file that is not a model Cutaway can open, or a model that does not fit the data.

    Names out of files stand in these sentences: what would break a line or steer a terminal is left out of them.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(one_line(sentence))


class MissingExtra(CutawayError):
    """An optional library is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional library that is not installed: pip install 'cutaway[{extra}]'.")


class Offline(CutawayError):
    """Something must be downloaded and the network did not answer."""


class Stopped(CutawayError):
    """The person stopped the work; what was done is kept."""


def one_line(text: str, most: int = 2_000, raw_bytes: bool = False) -> str:
    """Text out of a file -> the same in one line that any terminal can show, at most `most` characters of it.

    Line breaks and tabs become spaces, other control characters, marks that turn the writing direction and halves of
    characters "?"; letters of all languages stay. `raw_bytes` keeps what os.fsdecode made of a name that is not UTF-8.
    """
    if len(text) <= most and text.isprintable():
        return text
    cut = text if len(text) <= most else f"{text[: most - 60]} ... {text[-50:]}"
    return "".join(_shown(c, raw_bytes) for c in cut)


def _shown(c: str, raw_bytes: bool) -> str:
    if c.isprintable() or (raw_bytes and "\udc80" <= c <= "\udcff"):
        return c
    if c in "\n\r\t\v\f\x85\u2028\u2029":
        return " "
    turns = "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"
    return "?" if turns or unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co") else c


def must_be(name: str, what: str, got: object) -> BadInput:
    """Parameter name, what it has to be, what it was -> the one sentence that says so."""
    return BadInput(f"{name} must be {what}. Got {got!r}.")
