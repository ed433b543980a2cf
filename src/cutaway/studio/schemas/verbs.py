"""A verb as a form: its options with their sentences."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class VerbField(BaseModel):
    """One option. `kind`: how it is asked for; `choices`: all that it may be (for a choice); `suggested`: some of that.

    `empty`: it may be left out, which means what `help` says.
    """

    name: str
    label: str
    help: str
    kind: Literal["text", "whole", "number", "yes-no", "choice", "list"]
    required: bool
    empty: bool
    default: Any
    choices: tuple[str, ...]
    suggested: tuple[str, ...]


class VerbForm(BaseModel):
    """A verb: what it does in a sentence, and its options in order."""

    name: str
    sentence: str
    fields: tuple[VerbField, ...]
