"""Where a window stands, and that every place is computed in one group."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cutaway.explanation.covering.windows import places


def test_the_last_window_is_cut_off_at_the_border() -> None:
    found = places(10, 4, 4)
    assert list(found.first) == [0, 4, 8]
    assert list(found.last) == [3, 7, 9]


@given(st.integers(1, 120), st.integers(1, 120), st.integers(1, 120))
def test_every_place_belongs_to_one_group_of_neighbours(side: int, window: int, stride: int) -> None:
    window = min(window, side)
    found = places(side, window, min(stride, window))
    assert sorted(np.concatenate(found.groups)) == list(range(len(found)))
    assert all(max(group) - min(group) == len(group) - 1 for group in found.groups)
    assert max(map(len, found.groups)) <= 16


def test_coarse_places_are_spread_over_the_axis() -> None:
    assert list(places(224, 16, 8).coarse) == [0, 6, 13, 20, 26]
    assert list(places(9, 9, 9).coarse) == [0]


def test_those_that_meet_the_maps_alike_stand_next_to_each_other() -> None:
    assert list(places(224, 16, 8).groups[0]) == [0, 2, 4, 6, 1, 3, 5]
