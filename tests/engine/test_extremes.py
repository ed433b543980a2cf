"""engine.extremes: the very numbers that torch's own reductions give, for every layout."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.engine.extremes import largest, smallest


@given(st.integers(1, 3), st.integers(1, 80), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_equal_to_torch(count: int, channels: int, height: int, width: int, last: bool) -> None:
    maps = torch.randn(count, channels, height, width)
    if last:
        maps = maps.contiguous(memory_format=torch.channels_last)
    assert torch.equal(largest(maps), maps.amax((2, 3)))
    assert torch.equal(smallest(maps), maps.amin((2, 3)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_kept(bad: float) -> None:
    maps = torch.zeros(1, 8, 16, 16).contiguous(memory_format=torch.channels_last)
    maps[0, 3, 5, 5] = bad
    assert not largest(maps)[0, 3].isfinite()
