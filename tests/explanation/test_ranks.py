"""Rank correlation is scipy's, ties and signs included; an order that is none has no correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from cutaway.explanation.ranks import rank_correlation

pairs = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=30)


@given(pairs)
def test_it_is_spearmans(values: list[tuple[int, int]]) -> None:
    a, b = (np.array(column, float) for column in zip(*values, strict=True))
    found = rank_correlation(a, b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


def test_only_the_order_counts() -> None:
    map_ = np.random.default_rng(0).random((5, 7))
    assert rank_correlation(map_, np.exp(9 * map_)) == pytest.approx(1)
    assert rank_correlation(map_, -map_) == pytest.approx(-1)
