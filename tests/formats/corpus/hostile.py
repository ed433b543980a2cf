"""All hostile files in order. They are made when they are opened: some are large."""

from __future__ import annotations

import functools
import warnings

from tests.formats.corpus import hostile_graphs, hostile_keras, hostile_own, hostile_torch
from tests.formats.corpus.files import Case


@functools.cache
def hostile(heavy: bool = True) -> tuple[Case, ...]:
    """-> the cases in order; without the heavy ones where `heavy` is False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that come twice in an archive
        rooms = (hostile_keras, hostile_torch, hostile_graphs, hostile_own)
        return tuple(case for room in rooms for case in room.cases() if heavy or not case.heavy)
