"""The blocked scan against the plain double loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.dataset import hamming
from cutaway.dataset.hamming import near_pairs, scan


def by_hand(views: np.ndarray, hashes: np.ndarray, distance: int, both_ways: bool) -> set[tuple[int, int, int, int]]:
    return {
        (i, j, v, bits)
        for i in range(len(hashes))
        for j in range(len(hashes))
        for v in range(views.shape[1])
        if (i != j if both_ways else i < j) and (bits := (int(views[i, v]) ^ int(hashes[j])).bit_count()) <= distance
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 45), st.integers(1, 3), st.integers(0, 30), st.booleans(), st.integers(0, 99))
def test_scan_finds_what_a_double_loop_finds(count: int, views: int, distance: int, both: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 2**63, (count, views), dtype=np.uint64)
    table[: count // 2] = table[count - count // 2 :] ^ np.uint64(1 << 5)

    found = near_pairs(table, table[:, 0], distance, both)

    rows = zip(found.first, found.second, found.view, found.distance, strict=True)
    assert {tuple(map(int, row)) for row in rows} == by_hand(table, table[:, 0], distance, both)


def test_blocks_meet_without_gap_or_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "COLUMNS", 7)
    monkeypatch.setattr(hamming, "STRIPE", 20)
    same = np.zeros((50, 1), np.uint64)

    assert len(near_pairs(same, same[:, 0], 0)) == 50 * 49 // 2
    assert [done for _, done in scan(same, same[:, 0], 0)] == [20, 40, 50]


def test_a_scan_that_nobody_listens_to_ends() -> None:
    same = np.zeros((2000, 1), np.uint64)
    stripes = scan(same, same[:, 0], 0)

    next(stripes)
    stripes.close()
