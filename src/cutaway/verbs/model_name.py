"""What was typed for a model -> the network it names, and what files and titles call it."""

from __future__ import annotations

from pathlib import Path

AS = "as:"
"""as:NETWORK:FILE is a file of weights that several networks fit, opened as the one that is named."""


def named_network(typed: str) -> tuple[str, str]:
    """as:NETWORK:FILE -> NETWORK and FILE; anything else -> "" and itself."""
    if not typed.startswith(AS):
        return "", typed
    network, _, file = typed.removeprefix(AS).partition(":")
    return network, file


def stem_of(typed: str) -> str:
    """ "../keras_model.h5" -> "keras_model"; a folder, "." too -> its own name."""
    path = Path(named_network(typed)[1].removeprefix("zoo:"))
    return path.resolve().name if path.is_dir() else path.stem


def title_of(typed: str) -> str:
    """As `stem_of`, for what is not looked for on the disk: a run's name keeps its dots only without an ending."""
    path = Path(named_network(typed)[1].removeprefix("zoo:"))
    return path.stem if path.suffix else path.name
