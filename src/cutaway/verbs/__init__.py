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
    "open": "cutaway.verbs.open",
    "recognise": "cutaway.verbs.recognise",
    "compare": "cutaway.verbs.compare",
    "watch": "cutaway.verbs.watch",
    "filters": "cutaway.verbs.filters",
    "unfold": "cutaway.verbs.unfold",
    "animate": "cutaway.verbs.animate",
    "silent": "cutaway.verbs.silent",
    "export": "cutaway.verbs.export",
    "rank": "cutaway.verbs.rank",
    "shift": "cutaway.verbs.shift",
    "heal": "cutaway.verbs.heal",
    "edit": "cutaway.verbs.edit",
    "effect": "cutaway.verbs.effect",
    "explain": "cutaway.verbs.explain",
    "vary": "cutaway.verbs.vary",
    "trust": "cutaway.verbs.trust",
    "sweep": "cutaway.verbs.sweep",
    "map": "cutaway.verbs.map",
    "separability": "cutaway.verbs.separability",
    "neuron": "cutaway.verbs.neuron",
}


def verb(name: str) -> Verb[..., Any]:
    """Name -> the Verb."""
    found = getattr(importlib.import_module(VERBS[name]), name)
    assert isinstance(found, Verb)
    return found
