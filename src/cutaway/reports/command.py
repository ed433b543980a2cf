"""The command a person typed -> the next one to try: same data, same flags, one thing changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

PLACE = "DATA"  # stands for the data where the run was not started from the command line


def again(command: str, changes: Mapping[str, str | None]) -> str:
    """`cutaway train DATA --flag x` and {"--flag": "y"} -> the same line with the flag set; None takes it out.

    A run started from Python has no such line: the answer then holds the changes alone.
    """
    words = _words(command)
    if words[:2] != ["cutaway", "train"]:
        words = ["cutaway", "train", PLACE]
    for flag, value in {"--out": None, **changes}.items():  # that folder holds this run already
        words = _set(words, flag, value)
    return shlex.join(words)


def data_of(command: str) -> str:
    """`cutaway train photos/ --epochs 3` -> "photos/", quoted for a shell; DATA where it cannot be seen."""
    words = _words(command)
    typed = words[:2] == ["cutaway", "train"] and len(words) > 2 and not words[2].startswith("-")
    return shlex.quote(words[2]) if typed else PLACE


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:  # an unbalanced quote: not a line from a shell
        return []
    if words and words[0].endswith("/cutaway"):
        words[0] = "cutaway"
    return words


def _set(words: list[str], flag: str, value: str | None) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(words):
        if words[at] == flag:
            at += 2
        elif words[at].startswith(flag + "="):
            at += 1
        else:
            kept.append(words[at])
            at += 1
    return kept if value is None else [*kept, flag, value]
