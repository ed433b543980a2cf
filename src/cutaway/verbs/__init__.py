"""Every operation a person can ask for: options -> function -> result. Python, command line and page read VERBS."""

from __future__ import annotations

import importlib
from typing import Any

from cutaway.verbs.verb import Verb as Verb

# name: module that holds the Verb under that name; kept as text so that importing cutaway stays quick
VERBS = {
    "check": "cutaway.verbs.check",
    "train": "cutaway.verbs.train",
    "resume": "cutaway.verbs.train",
    "predict": "cutaway.verbs.predict",
    "evaluate": "cutaway.verbs.evaluate",
    "report": "cutaway.verbs.report",
    "networks": "cutaway.verbs.networks",
    "sweep": "cutaway.verbs.sweep",
}


def verb(name: str) -> Verb[..., Any]:
    """Name -> the Verb."""
    found = getattr(importlib.import_module(VERBS[name]), name)
    assert isinstance(found, Verb)
    return found
