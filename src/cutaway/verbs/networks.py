"""networks: every network that can be named."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.zoo import NetworkRow


@dataclass(frozen=True, slots=True)
class NetworksOptions:
    """List the networks that --network and --backbone know by name."""

    search: str = ""
    """Only names that contain this."""


def _run(options: NetworksOptions) -> Generator[Event, None, tuple[NetworkRow, ...]]:
    from cutaway.zoo import networks as rows

    yield from ()
    return rows(options.search)


networks = Verb("networks", NetworksOptions, _run)
