"""Threads are set for a piece of work and put back after it, also when it fails."""

from __future__ import annotations

import pytest
import torch

from cutaway.engine.threads import threads
from cutaway.errors import BadInput


def test_they_hold_inside_only() -> None:
    before = torch.get_num_threads()
    with threads(before + 1) as count:
        assert count == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        _ = 1 / 0
    assert torch.get_num_threads() == before
    with threads(None) as count:
        assert count == before


def test_none_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match=r"threads must be at least 1\. Got 0\."), threads(0):
        pass
