"""Maps -> how alike their orders of pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rank_correlation(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """Two arrays of one shape -> Spearman's rank correlation, -1 to 1; equal values share their mean rank.

    None where one of them is the same everywhere: then there is no order.
    """
    from scipy.stats import rankdata

    first, second = (rankdata(v.ravel()) - (v.size + 1) / 2 for v in (a, b))
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(np.clip(first @ second / length, -1, 1)) if length > 0 else None
