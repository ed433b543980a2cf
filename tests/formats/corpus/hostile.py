"""All hostile files in order. Some take a second to make: they are made once, and opened one after the other."""

from __future__ import annotations

import functools
import warnings

from tests.formats.corpus import hostile_graphs, hostile_keras, hostile_own, hostile_torch
from tests.formats.corpus.files import Case


@functools.cache
def hostile() -> tuple[Case, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that come twice in an archive
        rooms = (hostile_keras, hostile_torch, hostile_graphs, hostile_own)
        return tuple(case for room in rooms for case in room.cases())
