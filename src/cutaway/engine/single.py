"""The value of a step on one picture -> an array of its channels' maps, or a row of numbers."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def of_one_picture(values: NDArray[Any], *, last: bool = False) -> NDArray[Any]:
    """(1, C, H, W), (1, L, C) or (1, F) -> without the batch axis; maps of one place become a row of numbers.

    `last`: the channels are the last axis, as between the layers of a ConvNeXt block; they are put first.
    """
    one: NDArray[Any] = values[0] if values.ndim else values.reshape(1)
    if last and one.ndim == 3:
        one = one.transpose(2, 0, 1)  # (H, W, C) -> (C, H, W)
    if one.ndim not in (1, 2, 3) or (one.ndim == 3 and one.shape[1:] == (1, 1)):
        return one.reshape(-1)
    return one
