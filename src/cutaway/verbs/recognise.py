"""recognise: which known network a model is, with which head, and where it departs from it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.events import Event, Note
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.zoo.recognise import Recognition


@dataclass(frozen=True, slots=True)
class RecogniseOptions:
    """Say which known network a model is, with which head, and where it departs: by its layers alone."""

    model: str
    """Run, its name under runs/, last, or any model file."""


def _run(options: RecogniseOptions) -> Generator[Event, None, Recognition]:
    from cutaway.verbs.find import find_model
    from cutaway.zoo.recognise import recognise_graph

    model = find_model(options.model)
    yield Note("Comparing its layers with those of the networks that Cutaway knows.")
    return recognise_graph(model.graph, (model.contract.in_channels, *model.contract.size))


recognise = Verb("recognise", RecogniseOptions, _run)
