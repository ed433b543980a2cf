"""What was typed for a model or data -> the network it names, and what files and titles call it."""

from __future__ import annotations

import re
from pathlib import Path

AS = "as:"
"""as:NETWORK:FILE is a file of weights that several networks fit, opened as the one that is named."""
ZOO = "zoo:"
"""What begins the name of a network that is made on the spot, as `cutaway networks` lists it."""
_NO_FILE_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
"""What some system (Windows: all of them) does not take in a file's name."""


def named_network(typed: str) -> tuple[str, str]:
    """as:NETWORK:FILE -> NETWORK and FILE; anything else -> "" and itself."""
    if not typed.startswith(AS):
        return "", typed
    network, _, file = typed.removeprefix(AS).partition(":")
    return network, file


def stem_of(typed: str) -> str:
    """ "../keras_model.h5" -> "keras_model"; a folder, "." too -> its own name; zoo:NAME -> NAME.

    A name that a file may have on every system.
    """
    path = Path(named_network(typed)[1])
    name = path.resolve().name if path.is_dir() else typed if typed.startswith(ZOO) else path.stem
    return _NO_FILE_NAME.sub("-", name.removeprefix(ZOO))


def title_of(typed: str) -> str:
    """As `stem_of`, for what is not looked for on the disk: a run's name keeps its dots only without an ending."""
    path = Path(named_network(typed)[1])
    return typed.removeprefix(ZOO) if typed.startswith(ZOO) else path.stem if path.suffix else path.name


def data_title(typed: str) -> str:
    """A data set or photo as typed -> the last two parts of its path ("test" alone says nothing); sample:NAME -> NAME.

    The way there is nobody's business on a picture that is passed on.
    """
    return "/".join(Path(typed.rstrip("/")).parts[-2:]).removeprefix("sample:")
